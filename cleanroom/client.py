"""A running server's address and a token → questions asked and answers fetched over HTTP. Needs httpx alone.

One file, so that it can be read, and copied, without the rest of the package.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
_UNAVAILABLE = 503
ENDED = frozenset({"succeeded", "rejected", "failed", "cancelled", "expired"})


class ClientError(Exception):
    """The server answered with a problem (RFC 9457), or did not answer: then `status` is 0 and `code` client.unreachable.

    `problems`: what is wrong with an input, each a mapping with code, message and, where known, field, line and hint.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int = 0,
        request_id: str = "",
        problems: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a refusal; line and position count from 1."""

    code: str
    message: str
    dataset: str | None = None
    column: str | None = None
    line: int | None = None
    position: int | None = None
    hint: str | None = None
    rewrite: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What an answer may lack, told without telling whether it does."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Query:
    """A query as the server tells of it. `failure` is a stable code where the state is failed."""

    id: str
    state: str
    findings: tuple[Finding, ...] = ()
    row_count: int | None = None
    failure: str | None = None
    notices: tuple[Notice, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict on a query that was not run. `output_columns`: (name, type) of each."""

    approved: bool
    findings: tuple[Finding, ...]
    datasets: tuple[str, ...]
    output_columns: tuple[tuple[str, str], ...]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A released result. Decimals, moments and integers of 2^53 and more are texts."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]


class Client:
    """One server, asked under one token. Close it, or use it in a `with` block. Every failure is a ClientError.

    What may be sent twice is, where the server cannot be reached or says 503, for about `patience_s`: every GET, and a
    submission, which goes out under a key by which the server knows it again.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 90.0,
        patience_s: float = 5.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience_s = patience_s
        headers = {"Authorization": f"Bearer {token}"}
        local = httpx.URL(url).host in ("127.0.0.1", "::1", "localhost")  # never through a proxy of the environment
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout_s, transport=transport, trust_env=not local
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(
        self,
        collaboration: str,
        sql: str | None = None,
        *,
        dialect: str = "duckdb",
        wait_s: int = 0,
        key: str | None = None,
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Query:
        """The query is with the server; it has ended if it did within `wait_s`. A refusal is a query in state rejected.

        Asked is `sql`, or the `template` of that name; `parameters` are the values of its `:name`s.
        Under a `key` of an earlier submission of the same question it is that query. Without one it is a new query.
        """
        preference = {"Prefer": f"wait={wait_s}"} if wait_s else {}
        headers = {**preference, "Idempotency-Key": _string(key or str(uuid.uuid4()))}
        path = f"/v1/collaborations/{_name(collaboration)}/queries"
        response = self._send("POST", path, _asked(sql, dialect, template, parameters), headers)
        body = _object(response)
        if response.status_code == 422 and body.get("code") == "query.rejected":
            return Query(str(body.get("id", "")), "rejected", _findings(body))
        return _query(_checked(response))

    def query(self, query_id: str) -> Query:
        """The query as it stands now."""
        return _query(self._get(f"/v1/queries/{_name(query_id)}"))

    def wait(self, query_id: str, *, timeout_s: float = 600.0, interval_s: float = 0.2) -> Query:
        """The query, ended; ClientError client.timeout where it has not after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not (query := self.query(query_id)).ended:
            if time.monotonic() > deadline:
                raise ClientError("client.timeout", f"The query has not ended after {timeout_s:g} seconds.")
            time.sleep(interval_s)
        return query

    def ask(
        self,
        collaboration: str,
        sql: str | None = None,
        *,
        dialect: str = "duckdb",
        wait_s: int = 30,
        timeout_s: float = 600.0,
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Query:
        """The query, submitted (as `submit` has it) and ended."""
        query = self.submit(
            collaboration, sql, dialect=dialect, wait_s=wait_s, template=template, parameters=parameters
        )
        return query if query.ended else self.wait(query.id, timeout_s=timeout_s)

    def cancel(self, query_id: str) -> Query:
        """The query, asked to stop."""
        return _query(_checked(self._send("POST", f"/v1/queries/{_name(query_id)}:cancel")))

    def result(self, query_id: str) -> Result:
        """The released rows of a query that succeeded."""
        body = self._get(f"/v1/queries/{_name(query_id)}/result")
        return Result(_columns(body.get("columns")), tuple(tuple(row) for row in body.get("rows", ())))

    def download(self, query_id: str, media_type: str) -> bytes:
        """The result in one of CSV, ARROW, PARQUET and JSON, as the server wrote it."""
        response = self._send("GET", f"/v1/queries/{_name(query_id)}/result", headers={"Accept": media_type})
        _checked(response, as_json=False)
        return response.content

    def check(
        self,
        collaboration: str,
        sql: str | None = None,
        *,
        dialect: str = "duckdb",
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Check:
        """The verdict on what `submit` would ask; nothing is run and nothing is spent."""
        path = f"/v1/collaborations/{_name(collaboration)}/queries:check"
        body = _checked(self._send("POST", path, _asked(sql, dialect, template, parameters)))
        datasets = tuple(str(name) for name in body.get("datasets", ()))
        columns = _columns(body.get("output_columns"))
        return Check(bool(body.get("approved")), _findings(body), datasets, columns, _notices(body))

    def templates(self, collaboration: str) -> tuple[dict[str, Any], ...]:
        """The collaboration's templates, each as the server's Template schema has it."""
        return tuple(self._get(f"/v1/collaborations/{_name(collaboration)}/templates").get("templates", ()))

    def approve_template(self, collaboration: str, template: str, version: int) -> dict[str, Any]:
        """The template, approved by the caller's partner; ClientError template.moved where another version is current."""
        template = f"/v1/collaborations/{_name(collaboration)}/templates/{_name(template)}"
        return self._post(f"{template}:approve", {"version": version})

    def withdraw_template_approval(self, collaboration: str, template: str) -> dict[str, Any]:
        """The template, no longer approved by the caller's partner."""
        return self._post(f"/v1/collaborations/{_name(collaboration)}/templates/{_name(template)}:withdraw-approval")

    def collaborations(self) -> tuple[dict[str, Any], ...]:
        """The collaborations that the token's partner is a member of."""
        return tuple(self._get("/v1/collaborations").get("collaborations", ()))

    def collaboration(self, name: str) -> dict[str, Any]:
        """One collaboration, its members and whom they invited."""
        return self._get(f"/v1/collaborations/{_name(name)}")

    def create_collaboration(
        self, name: str, members: Iterable[tuple[str, Iterable[str]]], description: str = ""
    ) -> dict[str, Any]:
        """The new collaboration; `members`: (partner, abilities), one's own partner too, all others are invited."""
        listed = [{"partner": partner, "abilities": list(abilities)} for partner, abilities in members]
        return self._post("/v1/collaborations", {"name": name, "description": description, "members": listed})

    def leave(self, collaboration: str) -> None:
        """The token's partner is a member no more, and its data is not there."""
        self._post(f"/v1/collaborations/{_name(collaboration)}:leave")

    def invitations(self) -> Iterator[dict[str, Any]]:
        """What invites the token's partner, the newest first, each with the `terms` that `accept` takes."""
        return self._pages("/v1/invitations", "invitations")

    def accept(self, invitation: str, terms: str) -> dict[str, Any]:
        """The collaboration that the partner is now a member of."""
        return self._post(f"/v1/invitations/{_name(invitation)}:accept", {"terms": terms})

    def decline(self, invitation: str) -> None:
        """The partner does not become a member."""
        self._post(f"/v1/invitations/{_name(invitation)}:decline")

    def changes(self, collaboration: str, state: str | None = None) -> Iterator[dict[str, Any]]:
        """What was ever proposed of the collaboration, the newest first; of one state where named."""
        wanted = {} if state is None else {"state": state}
        return self._pages(f"/v1/collaborations/{_name(collaboration)}/changes", "changes", **wanted)

    def propose(self, collaboration: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """The change as proposed: `kind` invite or set_abilities with partner and abilities, remove with partner, describe."""
        return self._post(f"/v1/collaborations/{_name(collaboration)}/changes", change)

    def decide(self, collaboration: str, change: str, verb: str) -> dict[str, Any]:
        """The change after approve, reject or withdraw."""
        return self._post(f"/v1/collaborations/{_name(collaboration)}/changes/{_name(change)}:{verb}")

    def catalog(self, collaboration: str) -> tuple[dict[str, Any], ...]:
        """Each dataset with its columns and what the caller may do with them, as the server's Catalog schema has it."""
        return tuple(self._get(f"/v1/collaborations/{_name(collaboration)}/datasets").get("datasets", ()))

    def audit(self, *, page_size: int = 200) -> Iterator[dict[str, Any]]:
        """Every event of the log that the caller may see, oldest first, a page at a time."""
        return self._pages("/v1/audit/events", "events", limit=str(page_size))

    def _get(self, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
        return _checked(self._send("GET", path, parameters=parameters))

    def _post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return _checked(self._send("POST", path, body))

    def _pages(self, path: str, key: str, **wanted: str) -> Iterator[dict[str, Any]]:
        """Everything under the key, page by page."""
        cursor: str | None = None
        while True:
            page = self._get(path, {**wanted, **({"cursor": cursor} if cursor else {})})
            yield from page.get(key, ())
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        again = method == "GET" or "Idempotency-Key" in (headers or {})
        try:
            request = self._http.build_request(method, path, json=body, headers=headers, params=parameters)
            return self._repeated(request, self._patience_s if again else 0.0)
        except httpx.InvalidURL:
            raise ClientError("client.unreachable", "The server's URL is not one.") from None
        except httpx.TimeoutException:
            raise ClientError("client.timeout", "The server did not answer in time.") from None
        except httpx.HTTPError:
            raise ClientError(
                "client.unreachable", f"No server answers at {self._http.base_url}. Is it running there?"
            ) from None

    def _repeated(self, request: httpx.Request, patience_s: float) -> httpx.Response:
        for pause_s in _pauses(patience_s):
            with suppress(httpx.NetworkError, httpx.RemoteProtocolError):
                response = self._http.send(request)
                if response.status_code != _UNAVAILABLE:
                    return response
            time.sleep(pause_s)
        return self._http.send(request)


def _string(text: str) -> str:
    """As a String of Structured Fields (RFC 9651, 3.3.3)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _pauses(patience_s: float) -> Iterator[float]:
    """Longer and longer, with chance in them, so that many who wait do not all come back at once."""
    pause_s = 0.1
    while patience_s > 0:
        yield min(pause_s, patience_s) * random.uniform(0.5, 1)  # noqa: S311 - no secret
        patience_s -= pause_s
        pause_s *= 2


def _asked(sql: str | None, dialect: str, template: str | None, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The body of a question; a template has its own dialect."""
    text = {"sql": sql, "dialect": dialect} if template is None else {"template": template}
    return {**text, **({"parameters": dict(parameters)} if parameters else {})}


def _name(text: str) -> str:
    return quote(text, safe="")


def _object(response: httpx.Response) -> dict[str, Any]:
    """The body where it is a JSON object, else nothing."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _checked(response: httpx.Response, *, as_json: bool = True) -> dict[str, Any]:
    """The body of a good answer; the ClientError of any other."""
    if response.is_success:
        return _object(response) if as_json else {}
    body = _object(response)
    detail = str(body.get("detail") or f"The server answered {response.status_code}.")
    problems = tuple(p for p in body.get("problems", ()) if isinstance(p, dict))
    code, request_id = str(body.get("code") or "client.not_ours"), str(body.get("request_id") or "")
    raise ClientError(code, detail, status=response.status_code, request_id=request_id, problems=problems)


def _query(body: Mapping[str, Any]) -> Query:
    count = body.get("row_count")
    return Query(
        str(body.get("id", "")),
        str(body.get("state", "")),
        _findings(body),
        count if isinstance(count, int) else None,
        body.get("failure"),
        _notices(body),
    )


def _findings(body: Mapping[str, Any]) -> tuple[Finding, ...]:
    names = ("dataset", "column", "line", "position", "hint", "rewrite")
    return tuple(
        Finding(str(f.get("code")), str(f.get("message")), **{name: f.get(name) for name in names})
        for f in body.get("findings") or ()
    )


def _notices(body: Mapping[str, Any]) -> tuple[Notice, ...]:
    return tuple(Notice(str(n.get("code")), str(n.get("message"))) for n in body.get("notices") or ())


def _columns(columns: Any) -> tuple[tuple[str, str], ...]:
    return tuple((str(column["name"]), str(column["type"])) for column in columns or ())
