"""Two partners, their documents and their queries, as values."""

from __future__ import annotations

import dataclasses
import datetime

from cleanroom.audit.keys import signing_key
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding
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
    Member,
    Use,
)
from cleanroom.domain.query import Principal, QueryRecord, QueryState, Role, everywhere
from cleanroom.domain.sealed import SealedResult, WrappedKey
from cleanroom.domain.types import BIGINT, VARCHAR
from cleanroom.store.results import result_digest

KEY = signing_key("clean.example/log", bytes(range(32)))
NOON = datetime.datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=datetime.UTC)
RETAILER, PUBLISHER, AGENCY = PartnerName("retailer"), PartnerName("publisher"), PartnerName("agency")
RETAIL_MEDIA = CollaborationName("retail-media")
CUSTOMERS, IMPRESSIONS = DatasetName("retailer.customers"), DatasetName("publisher.impressions")
ANALYST = Principal(PrincipalId("publisher/insights"), PUBLISHER, everywhere(Role.ANALYST, Role.DATA_OWNER))
RUTH = Principal(PrincipalId("retailer/ruth"), RETAILER, everywhere(Role.DATA_OWNER))


def later(seconds: float) -> datetime.datetime:
    return NOON + datetime.timedelta(seconds=seconds)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime.datetime:
        return self.at


def happened(kind: EventKind = EventKind.QUERY_CHECKED, **about: object) -> Event:
    return dataclasses.replace(Event(kind, NOON), **about)  # type: ignore[arg-type]


def query(name: str, state: QueryState = QueryState.QUEUED, **about: object) -> QueryRecord:
    """A query of the publisher over the retailer's customers, whose answer the agency receives."""
    record = QueryRecord(
        id=QueryId(name),
        collaboration=RETAIL_MEDIA,
        principal=ANALYST,
        sql="SELECT region, COUNT(*) FROM retailer.customers GROUP BY region",
        dialect="duckdb",
        state=state,
        submitted_at=NOON,
        findings=(),
        datasets=(CUSTOMERS,),
        receivers=(AGENCY,),
        versions={"collaboration:retail-media": 1, "dataset:retailer.customers": 3},
    )
    return dataclasses.replace(record, **about)  # type: ignore[arg-type]


FINDINGS = (
    Finding("column.blocked", "blocked", CUSTOMERS, "notes", Place(1, 8), "leave it out", "SELECT 1"),
    Finding("sql.unsupported", "no such thing"),
)

COLLABORATION = Collaboration(
    RETAIL_MEDIA,
    "Does it sell?",
    (
        Member(RETAILER, frozenset({Ability.CONTRIBUTE})),
        Member(PUBLISHER, frozenset({Ability.CONTRIBUTE, Ability.QUERY, Ability.RECEIVE_RESULTS})),
    ),
)


def lake(partner: PartnerName, root: str = "/data/lake") -> Connection:
    return Connection(ConnectionName(f"{partner}-lake"), partner, ConnectionType.FILES, {"root": root})


def table(name: DatasetName, description: str = "Rows.") -> Dataset:
    partner = name.partition(".")[0]
    return Dataset(
        name=name,
        connection=ConnectionName(f"{partner}-lake"),
        source="rows/*.parquet",
        domain=Domain.AUDIENCE,
        owner=f"data@{partner}.example",
        description=description,
        privacy_units=("user_id",),
        unique=(("user_id",),),
        columns=(DatasetColumn("user_id", BIGINT, nullable=False), DatasetColumn("region", VARCHAR)),
    )


def rule(
    dataset: DatasetName, minimum_units: int = 50, collaboration: CollaborationName = RETAIL_MEDIA
) -> AnalysisRule:
    return AnalysisRule(
        dataset,
        collaboration,
        minimum_units,
        {
            "region": ColumnRule(group=Use(), filter=Use()),
            "user_id": ColumnRule(aggregate=frozenset({"count_distinct"})),
        },
        query_runners=frozenset({PUBLISHER}),
        result_receivers=frozenset({PUBLISHER, RETAILER}),
    )


DOCUMENTS = (COLLABORATION, lake(RETAILER), table(CUSTOMERS), rule(CUSTOMERS), lake(PUBLISHER), table(IMPRESSIONS))


def sealed(name: str = "q1", body: bytes = b"arrow") -> SealedResult:
    """A result that no key of the world opens, for stores that only keep it."""
    return SealedResult(
        QueryId(name), (body,), len(body), result_digest(body), later(99), lambda _: WrappedKey("00" * 8, b"wrapped")
    )
