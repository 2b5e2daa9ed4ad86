"""The client turns whatever a server says, or does not say, into its own values and its own error."""

from __future__ import annotations

import json

import httpx
import pytest

from cleanroom.client import Client, ClientError, Finding


def answering(*responses: httpx.Response) -> tuple[Client, list[httpx.Request]]:
    """A client whose server gives these answers in turn, and the requests that it got."""
    waiting, seen = list(responses), []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return waiting.pop(0)

    return Client("http://server", "crt_token", transport=httpx.MockTransport(answer)), seen


def test_a_question_goes_out_with_token_and_preference() -> None:
    client, seen = answering(httpx.Response(201, json={"id": "q", "state": "succeeded", "row_count": 3}))
    query = client.submit("retail media/..", "SELECT 1", wait_s=5)
    assert (query.state, query.row_count, query.ended) == ("succeeded", 3, True)
    assert seen[0].url.raw_path == b"/v1/collaborations/retail%20media%2F../queries"
    assert seen[0].headers["Authorization"] == "Bearer crt_token"
    assert seen[0].headers["Prefer"] == "wait=5"


def test_a_template_is_approved_as_the_version_that_was_read_and_the_approval_is_taken_back() -> None:
    client, seen = answering(httpx.Response(200, json={"version": 4}), httpx.Response(200, json={"version": 5}))
    assert client.approve_template("retail media", "reach", 3) == {"version": 4}
    assert client.withdraw_template_approval("retail media", "reach") == {"version": 5}
    assert [request.url.raw_path for request in seen] == [
        b"/v1/collaborations/retail%20media/templates/reach:approve",
        b"/v1/collaborations/retail%20media/templates/reach:withdraw-approval",
    ]
    assert json.loads(seen[0].content) == {"version": 3}
    assert seen[1].content == b""


def test_a_template_that_moved_is_not_approved() -> None:
    client, _ = answering(httpx.Response(409, json={"code": "template.moved", "detail": "Read it first."}))
    with pytest.raises(ClientError) as caught:
        client.approve_template("c", "reach", 3)
    assert (caught.value.code, caught.value.status) == ("template.moved", 409)


def test_a_question_names_its_dialect() -> None:
    verdict = {"approved": True}
    client, seen = answering(
        *(httpx.Response(200, json={"id": "q", "state": "failed"}) for _ in range(2)), httpx.Response(200, json=verdict)
    )
    client.submit("c", "SELECT 1")
    client.ask("c", "SELECT 1", dialect="spark")
    client.check("c", "SELECT 1", dialect="mysql")
    assert [json.loads(request.content)["dialect"] for request in seen] == ["duckdb", "spark", "mysql"]


def test_a_refusal_is_a_value_with_every_finding() -> None:
    findings = [{"code": "column.blocked", "message": "No.", "line": 1, "position": 8}, {"code": "a.b", "message": "c"}]
    body = {"code": "query.rejected", "id": "q", "findings": findings}
    client, _ = answering(httpx.Response(422, json=body))
    query = client.submit("c", "SELECT 1")
    assert query.state == "rejected"
    assert query.findings == (Finding("column.blocked", "No.", line=1, position=8), Finding("a.b", "c"))


def test_ask_follows_a_query_until_it_has_ended() -> None:
    states = ["queued", "running", "failed"]
    client, seen = answering(
        *(httpx.Response(200, json={"id": "q", "state": s, "failure": "engine.x"}) for s in states)
    )
    assert client.ask("c", "SELECT 1").failure == "engine.x"
    assert len(seen) == 3


def test_waiting_has_an_end() -> None:
    client, _ = answering(httpx.Response(200, json={"id": "q", "state": "running"}))
    with pytest.raises(ClientError) as caught:
        client.wait("q", timeout_s=-1)
    assert caught.value.code == "client.timeout"


def test_the_log_is_read_page_by_page() -> None:
    pages = ({"events": [{"number": 0}], "next_cursor": "0"}, {"events": [{"number": 4}], "next_cursor": None})
    client, seen = answering(*(httpx.Response(200, json=page) for page in pages))
    assert [event["number"] for event in client.audit()] == [0, 4]
    assert seen[1].url.params["cursor"] == "0"


def test_a_result_keeps_names_types_and_rows() -> None:
    body = {"columns": [{"name": "n", "type": "BIGINT"}], "rows": [[1], [None]]}
    client, _ = answering(httpx.Response(200, json=body))
    result = client.result("q")
    assert result.columns == (("n", "BIGINT"),)
    assert result.rows == ((1,), (None,))


def test_a_problem_becomes_the_error_with_code_place_and_request() -> None:
    body = {"code": "input.invalid", "detail": "Wrong.", "request_id": "r", "problems": [{"field": "sql"}, "odd"]}
    client, _ = answering(httpx.Response(422, json=body))
    with pytest.raises(ClientError) as caught:
        client.submit("c", "SELECT 1")
    error = caught.value
    assert (error.code, error.detail, error.status, error.request_id) == ("input.invalid", "Wrong.", 422, "r")
    assert error.problems == ({"field": "sql"},)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(500),
        httpx.Response(404, json=["not", "an", "object"]),
        httpx.Response(302, headers={"Location": "http://elsewhere/"}),
    ],
)
def test_an_answer_that_is_not_the_servers_own_is_an_error_without_its_words(response: httpx.Response) -> None:
    client, _ = answering(response)
    with pytest.raises(ClientError) as caught:
        client.query("q")
    assert caught.value.code == "client.not_ours"
    assert "html" not in caught.value.detail


@pytest.mark.parametrize("failure", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])
def test_a_server_that_does_not_answer_is_an_error(failure: httpx.HTTPError) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise failure

    with (
        Client("http://server", "t", transport=httpx.MockTransport(fail)) as client,
        pytest.raises(ClientError) as caught,
    ):
        client.collaborations()
    assert caught.value.status == 0


@pytest.mark.parametrize("body", [{}, {"findings": None}, {"columns": None, "rows": []}, {"state": 7}])
def test_a_body_with_parts_missing_is_no_crash(body: dict[str, object]) -> None:
    client, _ = answering(*(httpx.Response(200, json=body) for _ in range(4)))
    client.query("q")
    client.result("q")
    client.check("c", "SELECT 1")
    client.catalog("c")


def flaky(
    *answers: httpx.Response | type[httpx.TransportError], patience_s: float = 5.0
) -> tuple[Client, list[httpx.Request]]:
    """A client whose server answers or breaks down in turn."""
    waiting, seen = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        said = waiting.pop(0)
        if isinstance(said, httpx.Response):
            return said
        raise said("gone", request=request)

    transport = httpx.MockTransport(answer)
    return Client("http://server", "crt_token", patience_s=patience_s, transport=transport), seen


def test_a_submission_whose_answer_is_lost_is_sent_again_under_the_same_key() -> None:
    answered = httpx.Response(202, json={"id": "q", "state": "queued"})
    client, seen = flaky(httpx.ReadError, httpx.ConnectError, httpx.Response(503), answered)
    assert client.submit("c", "SELECT 1").id == "q"
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert len({request.content for request in seen}) == 1
    assert len(seen) == 4


def test_each_question_has_a_key_of_its_own_unless_it_is_given_one() -> None:
    client, seen = flaky(*(httpx.Response(202, json={"id": "q", "state": "queued"}) for _ in range(3)))
    client.submit("c", "SELECT 1")
    client.submit("c", "SELECT 1")
    client.submit("c", "SELECT 1", key='my "own"')
    keys = [request.headers["Idempotency-Key"] for request in seen]
    assert keys[0] != keys[1]
    assert keys[2] == r'"my \"own\""'


@pytest.mark.parametrize("answer", [httpx.Response(429), httpx.Response(500), httpx.ReadTimeout])
def test_what_asking_again_would_not_mend_is_not_asked_again(
    answer: httpx.Response | type[httpx.TransportError],
) -> None:
    client, seen = flaky(answer)
    with pytest.raises(ClientError):
        client.submit("c", "SELECT 1")
    assert len(seen) == 1


def test_what_is_no_question_and_no_look_is_sent_once() -> None:
    client, seen = flaky(httpx.ConnectError)
    with pytest.raises(ClientError):
        client.cancel("q")
    assert len(seen) == 1


def test_patience_has_an_end() -> None:
    client, seen = flaky(*[httpx.ConnectError] * 9, patience_s=0.3)
    with pytest.raises(ClientError) as failed:
        client.query("q")
    assert failed.value.code == "client.unreachable"
    assert len(seen) == 3
