"""QueryRecord ↔ row of the table of queries, findings and all."""

from __future__ import annotations

from typing import Any

from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding, Notice, shown
from cleanroom.domain.identifiers import DatasetName, PartnerName, owner_of
from cleanroom.domain.parameters import parameters_of, spelled
from cleanroom.domain.query import Grant, Principal, QueryRecord, QueryState, Role


def row_of(record: QueryRecord, position: int) -> dict[str, Any]:
    """The row of a new query; `position` is the number of the event that announces it."""
    return {
        "id": record.id,
        "position": position,
        "collaboration": record.collaboration,
        "partner": record.principal.partner,
        "principal": record.principal.id,
        "roles": [[grant.role.value, grant.collaboration] for grant in sorted(record.principal.grants, key=str)],
        "sql": record.sql,
        "dialect": record.dialect,
        "state": record.state.value,
        "submitted_at": record.submitted_at,
        "findings": [shown(finding) for finding in record.findings],
        "datasets": list(record.datasets),
        "receivers": list(record.receivers),
        "versions": dict(record.versions),
        "failure": record.failure,
        "row_count": record.row_count,
        "cancel_requested": record.cancel_requested,
        "finished_at": record.finished_at,
        "expires_at": record.expires_at,
        "notices": [{"code": notice.code, "message": notice.message} for notice in record.notices],
        "parameters": spelled(record.parameters),
        "template": record.template,
    }


def sights_of(record: QueryRecord, position: int) -> list[dict[str, Any]]:
    """Who may see the query, and as what; `position` is that of its row."""
    owners = sorted({owner_of(name) for name in record.datasets})
    relations = [(record.principal.partner, "runner")]
    relations += [(owner, "owner") for owner in owners]
    relations += [(receiver, "receiver") for receiver in sorted(set(record.receivers))]
    return [{"partner": p, "query": record.id, "relation": relation, "position": position} for p, relation in relations]


def record_of(row: Any) -> QueryRecord:
    """The record that the row holds."""
    return QueryRecord(
        id=row.id,
        collaboration=row.collaboration,
        principal=Principal(row.principal, row.partner, _grants(row)),
        sql=row.sql,
        dialect=row.dialect,
        state=QueryState(row.state),
        submitted_at=row.submitted_at,
        findings=tuple(_finding(item) for item in row.findings),
        datasets=tuple(DatasetName(name) for name in row.datasets),
        receivers=tuple(PartnerName(name) for name in row.receivers),
        versions=row.versions,
        failure=row.failure,
        row_count=row.row_count,
        cancel_requested=row.cancel_requested,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        notices=tuple(Notice(item["code"], item["message"]) for item in row.notices),
        parameters=parameters_of(row.parameters),
        template=row.template,
    )


def _grants(row: Any) -> frozenset[Grant]:
    """What the runner might do as it asked; rows of earlier versions hold roles alone, which held everywhere."""
    pairs = [(item, None) if isinstance(item, str) else item for item in row.roles]
    return frozenset(Grant(Role(role), collaboration) for role, collaboration in pairs)


def _finding(item: dict[str, Any]) -> Finding:
    """The finding as `domain.finding.shown` wrote it; rows of earlier versions hold line and position as a pair `at`."""
    line, position = item.get("at") or (item.get("line"), item.get("position"))
    at = None if line is None or position is None else Place(line, position)
    parts = {name: item.get(name) for name in ("dataset", "column", "hint", "rewrite")}
    return Finding(item["code"], item["message"], at=at, **parts)
