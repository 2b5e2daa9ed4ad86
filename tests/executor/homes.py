"""A clean room in a folder: two partners, their files, one collaboration, and the real store around them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.bootstrap import Home, init_home
from cleanroom.domain.events import EventKind, Json
from cleanroom.domain.identifiers import (
    CollaborationName,
    ConnectionName,
    DatasetName,
    PartnerName,
    PrincipalId,
    QueryId,
)
from cleanroom.domain.policy import (
    Ability,
    AnalysisRule,
    Collaboration,
    ColumnRule,
    Connection,
    ConnectionType,
    Dataset,
    DatasetColumn,
    Domain,
    JoinPartner,
    JoinRule,
    Member,
    Use,
)
from cleanroom.domain.query import Principal, QueryRecord, QueryRequest, Role, everywhere
from cleanroom.domain.types import BIGINT, VARCHAR
from cleanroom.engines.duckdb import EngineLimits
from cleanroom.executor.__main__ import ports, setup
from cleanroom.executor.execution import Ports
from cleanroom.executor.loop import Executor, Settings
from cleanroom.executor.pool import Pool, Warmth

SHOP, MEDIA, ROOM = PartnerName("shop"), PartnerName("media"), CollaborationName("room")
PEOPLE, VIEWS = DatasetName("shop.people"), DatasetName("media.views")
BY_REGION = "SELECT region, COUNT(DISTINCT person) AS people FROM shop.people GROUP BY region ORDER BY region"
JOINED = "SELECT v.device, COUNT(*) AS n FROM shop.people p JOIN media.views v ON p.person = v.person GROUP BY v.device"
SPENT = (
    "SELECT v.device, SUM(v.amount) AS n FROM shop.people p JOIN media.views v ON p.person = v.person GROUP BY v.device"
)
MONSTROUS = (
    "SELECT v.device, COUNT(*) AS n FROM shop.people p JOIN media.views v ON p.bucket = v.bucket GROUP BY v.device"
)

Columns = Mapping[str, list[object]]


def people(count: int = 1000) -> Columns:
    """Three regions, one of them with ten people."""
    regions = ["atoll" if i < 10 else ("north", "south")[i % 2] for i in range(count)]
    return {"person": list(range(count)), "region": regions, "bucket": [1] * count, "amount": [2] * count}


def views(count: int = 2000, persons: int = 1000) -> Columns:
    return {
        "person": [i % persons for i in range(count)],
        "device": [("tv", "phone")[i % 2] for i in range(count)],
        "bucket": [1] * count,
        "amount": [2] * count,
    }


@dataclass(frozen=True, slots=True)
class Room:
    """An open home with what the tests ask of it."""

    home: Home
    data: Path
    url: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process that opens the home is told of its database."""
        return {} if self.url is None else {"CLEANROOM_DATABASE_URL": self.url}

    def submit(self, sql: str, query: str = "q1") -> QueryRecord:
        asker = Principal(PrincipalId("media/insights"), MEDIA, everywhere(Role.ANALYST))
        now = self.home.clock.now()
        record = self.home.broker.submit(QueryRequest(QueryId(query), ROOM, asker, sql, "duckdb", now))
        assert not record.findings, record.findings
        return record

    def query(self, query: str = "q1") -> QueryRecord:
        record = self.home.drawers.queries.get(QueryId(query))
        assert record is not None
        return record

    def rows(self, query: str = "q1") -> list[dict[str, object]]:
        return pa.ipc.open_stream(self.stored(query)).read_all().to_pylist()

    def stored(self, query: str = "q1") -> bytes:
        """The result's bytes, as its receivers fetch them."""
        found = self.home.drawers.results.open(QueryId(query))
        assert found is not None
        return b"".join(found.chunks())

    def has_result(self, query: str = "q1") -> bool:
        return self.home.drawers.results.open(QueryId(query)) is not None

    def log(self, query: str = "q1") -> list[tuple[str, Mapping[str, Json]]]:
        """What happened to the query, after its submission."""
        events = (logged.event for logged in self.home.drawers.log.events(limit=1000))
        submitted = (EventKind.QUERY_APPROVED, EventKind.QUERY_REJECTED)
        return [(e.kind.value, e.data) for e in events if e.query == query and e.kind not in submitted]

    def kinds(self, query: str = "q1") -> list[str]:
        return [kind for kind, _ in self.log(query)]

    def redeclare(self, name: DatasetName, *, source: str) -> None:
        """The dataset's files are others from now on."""
        drawer = self.home.drawers.policies
        declared = drawer.dataset(name)
        assert declared is not None
        with self.home.database.begin() as transaction:
            drawer.write(transaction, replace(declared, source=source), author=None, at=self.home.clock.now())

    def write(self, dataset: DatasetName, columns: Columns) -> Path:
        partner, _, name = dataset.partition(".")
        path = self.data / partner / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(dict(columns)), path)
        return path


def make_room(folder: Path, *, connection: Connection | None = None, url: str | None = None) -> Room:
    """A room whose two datasets have their default rows. `connection` stands in the place of the shop's; its state is in
    the database at `url`, or in its folder."""
    home = init_home(folder / "home", url)
    room = Room(home, folder / "data", url)
    room.data.mkdir()
    room.write(PEOPLE, people())
    room.write(VIEWS, views())
    values = (
        *(Connection(ConnectionName(p), p, ConnectionType.FILES, {"root": str(room.data / p)}) for p in (SHOP, MEDIA)),
        *((connection,) if connection else ()),
        Collaboration(ROOM, "A room.", tuple(Member(p, frozenset(Ability)) for p in (SHOP, MEDIA))),
        _dataset(PEOPLE, "region", unique=(("person",),)),
        _dataset(VIEWS, "device"),
        _rule(PEOPLE, "region", VIEWS),
        _rule(VIEWS, "device", PEOPLE),
    )
    now = home.clock.now()
    with home.database.begin() as transaction:
        for value in values:
            home.drawers.policies.write(transaction, value, author=None, at=now)
        for partner in (SHOP, MEDIA):
            home.drawers.roots.admit(transaction, partner, str(room.data / partner), at=now)
    return room


def make_pool(room: Room, *, deadline_s: float = 30, memory_mb: int = 256, spares: int = 1) -> Pool:
    limits = EngineLimits(memory_mb * 1024**2, 1, 64 * 1024**2)
    return Pool(setup(limits, deadline_s, 1024**2), scratch=room.home.path / "scratch", warmth=Warmth(spares))


def make_executor(
    room: Room,
    pool: Pool,
    *,
    deadline_s: float = 30,
    lease_s: float = 30,
    queue_deadline_s: float = 3600,
    changed: Mapping[str, object] | None = None,
) -> Executor:
    """`changed`: ports to put in the place of the home's."""
    settings = Settings(
        1,
        deadline_s,
        lease_s=lease_s,
        grace_s=1,
        queue_deadline_s=queue_deadline_s,
        poll_s=0.05,
        beat_s=0.1,
        sweep_s=0.2,
    )
    own: Ports = ports(room.home, {})
    return Executor(replace(own, **(changed or {})), pool, settings)  # type: ignore[arg-type]


def later(seconds: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)


def _dataset(name: DatasetName, label: str, unique: tuple[tuple[str, ...], ...] = ()) -> Dataset:
    partner, _, short = name.partition(".")
    columns = (
        DatasetColumn("person", BIGINT, nullable=False),
        DatasetColumn(label, VARCHAR, nullable=False),
        DatasetColumn("bucket", BIGINT, nullable=False),
        DatasetColumn("amount", BIGINT, nullable=False),
    )
    place = ConnectionName(partner)
    return Dataset(
        name, place, f"{short}.parquet", Domain.EVENT, f"data@{partner}.example", "Rows.", ("person",), unique, columns
    )


def _rule(name: DatasetName, label: str, other: DatasetName) -> AnalysisRule:
    keys = tuple(JoinPartner(other, ((key, key),)) for key in ("person", "bucket"))
    columns = {
        "person": ColumnRule(join=True, aggregate=frozenset({"count", "count_distinct"})),
        "bucket": ColumnRule(join=True),
        "amount": ColumnRule(aggregate=frozenset({"sum"})),
        label: ColumnRule(group=Use(), filter=Use()),
    }
    both = frozenset({SHOP, MEDIA})
    joins = JoinRule(partners=keys)
    return AnalysisRule(name, ROOM, 50, columns, joins, count_rows=True, query_runners=both, result_receivers=both)
