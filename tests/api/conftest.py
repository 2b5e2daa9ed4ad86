"""A real home with two partners in one collaboration, a third outside it, and the app over it. Queries end by hand."""

from __future__ import annotations

import datetime
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from cleanroom.api.app import create_app
from cleanroom.api.context import EXTENSION, Door
from cleanroom.api.settings import ApiSettings
from cleanroom.bootstrap import Home, init_home, open_home
from cleanroom.documents import from_document
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import CollaborationName, PartnerName, QueryId
from cleanroom.domain.query import Role
from tests.arrow import arrow_bytes
from tests.postgresql import Server

SETTINGS = ApiSettings(poll_interval_s=0.01, most_waiting=2)
APPROVED = "SELECT region, COUNT(DISTINCT user_id) AS buyers FROM shop.customers GROUP BY region"
REFUSED = "SELECT notes FROM shop.customers"

COLLABORATION: dict[str, Any] = {
    "apiVersion": "cleanroom/v1",
    "kind": "Collaboration",
    "name": "media",
    "description": "Does the campaign sell?",
    "members": [
        {"partner": "shop", "abilities": ["contribute"]},
        {"partner": "press", "abilities": ["contribute", "query", "receive_results"]},
        {"partner": "reader", "abilities": ["receive_results"]},
    ],
}


def connection(partner: str, root: str) -> dict[str, Any]:
    return {
        "apiVersion": "cleanroom/v1",
        "kind": "Connection",
        "name": f"{partner}-lake",
        "partner": partner,
        "type": "files",
        "options": {"root": root},
    }


def dataset(name: str = "shop.customers") -> dict[str, Any]:
    return {
        "apiVersion": "cleanroom/v1",
        "kind": "Dataset",
        "name": name,
        "connection": f"{name.partition('.')[0]}-lake",
        "source": "customers/*.parquet",
        "domain": "audience",
        "owner": "data@shop.example",
        "description": "One row per loyalty member.",
        "privacy_unit": "user_id",
        "unique": ["user_id"],
        "columns": {
            "user_id": {"type": "BIGINT", "nullable": False},
            "region": {"type": "VARCHAR", "values": ["north", "south"]},
            "notes": {"type": "VARCHAR"},
        },
    }


def rule(name: str = "shop.customers") -> dict[str, Any]:
    return {
        "apiVersion": "cleanroom/v1",
        "kind": "AnalysisRule",
        "dataset": name,
        "collaboration": "media",
        "aggregation_threshold": {"minimum": 50},
        "columns": {
            "user_id": {"join": True, "aggregate": ["count_distinct"]},
            "region": {"group": True, "filter": True},
        },
        "count_rows": True,
        "query_runners": ["press"],
        "result_receivers": ["press", "reader"],
    }


@dataclass(frozen=True)
class Caller:
    """A token's holder, asking the app."""

    app: Flask
    token: str | None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        return self.app.test_client().open(path, method=method, json=body, headers=sent, buffered=True)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self.ask("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.ask("PUT", path, body, **headers)

    def submit(self, sql: str = APPROVED, **headers: str) -> TestResponse:
        return self.post("/v1/collaborations/media/queries", {"sql": sql}, **headers)


@dataclass(frozen=True)
class House:
    home: Home
    app: Flask
    data: Path

    def caller(self, partner: str, *roles: Role) -> Caller:
        with self.home.database.begin() as transaction:
            token, _ = self.home.drawers.tokens.create(
                transaction, PartnerName(partner), roles or tuple(Role), at=self.home.clock.now()
            )
        return Caller(self.app, token)

    def holder(self, partner: str, role: Role, place: str | None) -> Caller:
        """A caller whose one role holds in one collaboration; everywhere where that is None."""
        with self.home.database.begin() as transaction:
            token, _ = self.home.drawers.tokens.create(
                transaction,
                PartnerName(partner),
                [role],
                at=self.home.clock.now(),
                collaborations=() if place is None else [CollaborationName(place)],
            )
        return Caller(self.app, token)

    def rebuilt(self) -> House:
        """The same home behind an app of its own, for tests that change the app."""
        return House(self.home, create_app(self.home, SETTINGS), self.data)

    @property
    def anonymous(self) -> Caller:
        return Caller(self.app, None)

    def write(self, *documents: dict[str, Any]) -> None:
        with self.home.database.begin() as transaction:
            for document in documents:
                self.home.drawers.policies.write(
                    transaction, from_document(document), author=None, at=self.home.clock.now()
                )

    def answer(self, query: str, table: pa.Table | None = None) -> None:
        """The oldest queued query, which must be this one, succeeds as an executor makes it."""
        table = table if table is not None else pa.table({"region": ["north"], "buyers": pa.array([61], pa.int64())})
        queue, now = self.home.drawers.queue, self.home.clock.now()
        record = queue.lease("test", now + datetime.timedelta(minutes=1))
        assert record is not None
        assert record.id == query
        assert queue.started(record.id, self._event(EventKind.QUERY_STARTED, query))
        sealed = self.home.drawers.results.seal(record.id, arrow_bytes(table), now + datetime.timedelta(days=7))
        assert queue.succeed(record.id, sealed, table.num_rows, self._event(EventKind.QUERY_RELEASED, query))

    def kinds(self) -> list[str]:
        return [e.event.kind.value for e in self.home.drawers.log.events(limit=10_000)]

    def _event(self, kind: EventKind, query: str) -> Event:
        record = self.home.drawers.queries.get(QueryId(query))
        assert record is not None
        return Event(
            kind,
            self.home.clock.now(),
            collaboration=record.collaboration,
            query=record.id,
            datasets=record.datasets,
            data={"partner": record.principal.partner},
        )


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that each test gets a copy of, in the folder that holds the partners' data too."""
    folder = tmp_path_factory.mktemp("furnished")
    _furnish(init_home(folder / "home"), folder)
    return folder


def _furnish(home: Home, folder: Path) -> None:
    with home.database.begin() as transaction:
        for partner in ("shop", "press"):
            home.drawers.roots.admit(transaction, PartnerName(partner), str(folder / partner), at=home.clock.now())
    built = House(home, Flask("nothing"), folder / "shop")
    built.write(COLLABORATION, connection("shop", str(folder / "shop")), dataset(), rule())
    home.close()


@pytest.fixture(scope="session")
def app(furnished: Path) -> Iterator[Flask]:
    """One app for all tests; `house` puts each test's own home into it."""
    home = open_home(furnished / "home")
    yield create_app(home, SETTINGS)
    home.close()


@pytest.fixture(scope="session")
def furnished_postgresql(furnished: Path, postgresql: Server, postgresql_template: str) -> tuple[Path, str]:
    """The same with its state in PostgreSQL: a home, and the database that is copied for each test."""
    folder, name = furnished.with_name("furnished_postgresql"), postgresql.create(postgresql_template)
    _furnish(init_home(folder, postgresql.url(name)), furnished)
    return folder, name


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, database_kind: str) -> Iterator[Home]:
    """The test's own copy of a furnished home."""
    url = None
    if database_kind == "sqlite":
        shutil.copytree(request.getfixturevalue("furnished") / "home", tmp_path / "home")
    else:
        folder, template = request.getfixturevalue("furnished_postgresql")
        shutil.copytree(folder, tmp_path / "home")
        url = request.getfixturevalue("new_database")(database_kind, template=template)
    opened = open_home(tmp_path / "home", url)
    yield opened
    opened.close()


@pytest.fixture
def house(home: Home, furnished: Path, app: Flask) -> House:
    app.extensions[EXTENSION] = Door(home, SETTINGS, threading.BoundedSemaphore(SETTINGS.most_waiting))
    return House(home, app, furnished / "shop")
