"""This process's requests and the store's figures → Prometheus' text, for the holder of the operator's token alone.

Nothing in it says of which partner, dataset or collaboration: what one does is not for another's monitor to see.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import cast

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from cleanroom import __version__
from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import door, home
from cleanroom.domain.errors import NotAuthenticated, NotPermitted, OperationError
from cleanroom.domain.query import QueryState
from cleanroom.store.figures import Figures, figures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_EXTENSION = "cleanroom.metrics"
_FRESH_S = 5.0
_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

metrics = StrictBlueprint("metrics", __name__, description="For the operator's monitor.")


class Instruments:
    """What is counted of the requests that this process answers, in a registry of its own."""

    def __init__(self, look: Callable[[], Figures], now: Callable[[], datetime]) -> None:
        self.registry = CollectorRegistry()
        labels = ("endpoint", "method", "status_class")
        self.requests = Counter("cleanroom_http_requests", "Requests answered.", labels, registry=self.registry)
        self.durations = Histogram(
            "cleanroom_http_request_duration_seconds",
            "Time from the request to its answer, waiting for a query included.",
            labels[:2],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.refused = Counter("cleanroom_submissions_refused", "Queries that a rule refused.", registry=self.registry)
        self.quota_hits = Counter("cleanroom_quota_hits", "Requests that a quota turned away.", registry=self.registry)
        self.registry.register(_Store(look, now))


class _Store(Collector):
    """The store's figures as gauges, looked up anew where the last look is some seconds old."""

    def __init__(self, look: Callable[[], Figures], now: Callable[[], datetime]) -> None:
        self._look = look
        self._now = now
        self._lock = threading.Lock()
        self._seen: tuple[float, Figures] | None = None

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield _gauge("cleanroom_build_info", "The version of this server.", {(__version__,): 1}, ("version",))
        try:
            found = self._figures()
        except OperationError:
            yield _gauge("cleanroom_database_up", "Whether the database answers.", {(): 0})
            return
        yield _gauge("cleanroom_database_up", "Whether the database answers.", {(): 1})
        yield from _of_figures(found, self._now())

    def _figures(self) -> Figures:
        with self._lock:
            if self._seen is None or time.monotonic() - self._seen[0] > _FRESH_S:
                self._seen = time.monotonic(), self._look()
            return self._seen[1]


def _of_figures(found: Figures, now: datetime) -> Iterable[Metric]:
    states: dict[tuple[str, ...], float] = {(state.value,): float(number) for state, number in found.queries.items()}
    ages = [max(0.0, (now - seen).total_seconds()) for seen in found.executors]
    waits = 0.0 if found.oldest_queued is None else max(0.0, (now - found.oldest_queued).total_seconds())
    yield _gauge("cleanroom_queries", "Queries that the store holds, by state.", states, ("state",))
    yield _gauge("cleanroom_queue_length", "Queries that wait.", {(): found.queries[QueryState.QUEUED]})
    yield _gauge("cleanroom_queue_oldest_wait_seconds", "How long the oldest of them has waited.", {(): waits})
    yield _gauge("cleanroom_executors", "Executors that have spoken within the hour.", {(): len(ages)})
    numbered: dict[tuple[str, ...], float] = {(str(number),): age for number, age in enumerate(sorted(ages))}
    yield _gauge(
        "cleanroom_executor_heartbeat_age_seconds", "Since each spoke, the latest first.", numbered, ("place",)
    )
    yield _gauge("cleanroom_log_entries", "Events in the audit log.", {(): found.log_entries})


def _gauge(name: str, about: str, values: Mapping[tuple[str, ...], float], labels: tuple[str, ...] = ()) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def install(app: Flask) -> None:
    """From here on every request of the app is counted."""

    def look() -> Figures:
        return figures(home().database)

    app.extensions[_EXTENSION] = Instruments(look, lambda: home().clock.now())  # noqa: PLW0108 - of the home that answers then
    app.after_request(_count)


def _count(response: Response) -> Response:
    instruments = _instruments()
    endpoint = request.endpoint or "unknown"
    method = request.method if request.endpoint else "any"  # what a stranger may write freely is no label
    instruments.requests.labels(endpoint, method, f"{response.status_code // 100}xx").inc()
    began_s = g.get("began_s")
    if began_s is not None:
        instruments.durations.labels(endpoint, method).observe(time.monotonic() - began_s)
    if endpoint == "queries.submit" and g.get("problem_code") == "query.rejected":
        instruments.refused.inc()
    if response.status_code == 429:
        instruments.quota_hits.inc()
    return response


@metrics.route("/metrics")
@metrics.doc(description="Needs the operator's own token, which is no partner's.")
@metrics.response(200, {"type": "string"}, content_type="text/plain")
def scrape() -> Response:
    """What this process answered, and how the queue stands, in Prometheus' text format."""
    _require_operator()
    return Response(generate_latest(_instruments().registry), content_type=CONTENT_TYPE)


def _require_operator() -> None:
    """NotPermitted "metrics.no_token" where the operator set none, NotAuthenticated where another one is sent."""
    token = door().settings.metrics_token
    if token is None:
        raise NotPermitted("The operator has set no token for metrics.", "metrics.no_token")
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(sent.strip()), _digest(token)):
        raise NotAuthenticated("Send the operator's metrics token as Authorization: Bearer <token>.")


def _digest(text: str) -> bytes:
    """Of one length, so that comparing tells nothing of the token's."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _instruments() -> Instruments:
    return cast(Instruments, current_app.extensions[_EXTENSION])
