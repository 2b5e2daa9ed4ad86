"""Values of the house → the JSON that a caller may see of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

from cleanroom.api.permissions import Standing
from cleanroom.domain.document import DocumentKey, VersionEntry
from cleanroom.domain.finding import Notice, Verdict, shown
from cleanroom.domain.identifiers import DatasetName, PartnerName
from cleanroom.domain.parameters import spelled
from cleanroom.domain.policy import AnalysisRule, ColumnRule, Dataset, DatasetColumn, JoinRule, Use
from cleanroom.domain.query import FINAL_STATES, QueryRecord, QueryState
from cleanroom.rules import approve
from cleanroom.rules.notices import notices

_NO_USE = ColumnRule()


def instant(moment: datetime.datetime) -> str:
    """RFC 3339, UTC."""
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def moment(at: datetime.datetime | None) -> str | None:
    """As `instant`; None where there was none."""
    return None if at is None else instant(at)


def query_view(record: QueryRecord, held: frozenset[Standing]) -> dict[str, Any]:
    """The query as someone of these standings may see it: the text for runner and owners, the size for
    receivers alone: by HAVING a runner can make the number of rows say whatever the rows say."""
    involved = bool(held & {Standing.RUNNER, Standing.OWNER})
    text = _text(record) if involved else {}
    return {
        "id": record.id,
        "state": record.state,
        "collaboration": record.collaboration,
        "runner": record.principal.partner,
        "submitted_at": instant(record.submitted_at),
        **text,
        "findings": [shown(f) for f in record.findings] if involved else [],
        "failure": record.failure,
        "expires_at": instant(record.expires_at) if record.expires_at and Standing.RECEIVER in held else None,
        "row_count": record.row_count if Standing.RECEIVER in held else None,
        "notices": [_notice_view(notice) for notice in record.notices],
        "links": _links(record, held),
    }


def _text(record: QueryRecord) -> dict[str, Any]:
    """What was asked, of what."""
    return {
        "sql": record.sql,
        "parameters": spelled(record.parameters),
        "template": record.template,
        "datasets": list(record.datasets),
    }


def check_view(verdict: Verdict) -> dict[str, Any]:
    """The verdict; columns and notices, as an answer has them, only where the query is approved."""
    plan = approve(verdict) if verdict.approved else None
    columns = zip(plan.final.names, plan.final.relation.fields, strict=True) if plan else ()
    return {
        "approved": verdict.approved,
        "findings": [shown(f) for f in verdict.findings],
        "datasets": list(verdict.datasets),
        "output_columns": [{"name": name, "type": str(field.type)} for name, field in columns],
        "notices": [_notice_view(notice) for notice in notices(plan)] if plan else [],
        "costs": [],
    }


def dataset_view(dataset: Dataset, rule: AnalysisRule, caller: PartnerName) -> dict[str, Any]:
    """The dataset as the caller may use it in the rule's collaboration. No connection, no source, no row filter."""
    may_query = caller in rule.query_runners
    return {
        "name": dataset.name,
        "partner": dataset.partner,
        "domain": dataset.domain,
        "description": dataset.description,
        "owner": dataset.owner,
        "service_level": dict(dataset.service_level),
        "privacy_units": list(dataset.privacy_units),
        "unique": [list(key) for key in dataset.unique],
        "minimum_units": rule.minimum_units,
        "small_groups": rule.small_groups.value,
        "count_rows": rule.count_rows and may_query,
        "functions": sorted(rule.functions),
        "analyses": rule.analyses.value,
        "literals": None if rule.literals is None else sorted(rule.literals),
        "aggregate_arguments": rule.aggregate_arguments.value,
        "per_unit_analysis": rule.per_unit_analysis and may_query,
        "joins": _joins_view(rule.joins),
        "may_query": may_query,
        "may_receive": caller in rule.result_receivers,
        "columns": [_column_view(c, rule.column(c.name) if may_query else _NO_USE) for c in dataset.columns],
    }


def datasets_view(
    datasets: Iterable[Dataset], rules: Mapping[DatasetName, AnalysisRule], caller: PartnerName
) -> list[dict[str, Any]]:
    """Those datasets that have a rule, by name."""
    return [dataset_view(d, rules[d.name], caller) for d in sorted(datasets, key=lambda d: d.name) if d.name in rules]


def versions_view(key: DocumentKey, found: Iterable[VersionEntry]) -> dict[str, Any]:
    """The versions of a document, in their order, without what they say."""
    return {"document": str(key), "versions": [_version_view(entry) for entry in found]}


def _version_view(entry: VersionEntry) -> dict[str, Any]:
    return {
        "version": entry.version,
        "author": entry.author,
        "written_at": instant(entry.written_at),
        "digest": entry.digest,
        "current": entry.current,
    }


def _notice_view(notice: Notice) -> dict[str, str]:
    return {"code": notice.code, "message": notice.message}


def _links(record: QueryRecord, held: frozenset[Standing]) -> dict[str, str]:
    here = f"/v1/queries/{record.id}"
    links = {"self": here}
    if record.state is QueryState.SUCCEEDED and Standing.RECEIVER in held:
        links["result"] = f"{here}/result"
    if record.state not in FINAL_STATES and Standing.RUNNER in held:
        links["cancel"] = f"{here}:cancel"
    return links


def _joins_view(joins: JoinRule) -> dict[str, Any]:
    partners = [{"dataset": p.dataset, "keys": dict(p.keys)} for p in joins.partners]
    return {"required": joins.required, "kinds": sorted(joins.kinds), "partners": partners}


def _column_view(column: DatasetColumn, rule: ColumnRule) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": str(column.type),
        "nullable": column.nullable,
        "description": column.description,
        "unit": column.unit,
        "values": list(column.values) if column.values is not None else None,
        "allowed": {
            "join": rule.join,
            "group": _grain(rule.group),
            "filter": _grain(rule.filter),
            "aggregate": sorted(rule.aggregate),
            "minimum_units": rule.minimum_units,
        },
    }


def _grain(use: Use | None) -> str | None:
    return use.grain.value if use else None
