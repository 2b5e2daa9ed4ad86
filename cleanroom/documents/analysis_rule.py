"""AnalysisRule documents ↔ what an owner allows with one dataset in one collaboration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cleanroom.documents.rule_shape import ALL_OTHERS
from cleanroom.domain.events import Json
from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.policy import (
    AggregateArguments,
    Analyses,
    AnalysisRule,
    ColumnRule,
    Dataset,
    JoinPartner,
    JoinRequirement,
    JoinRule,
    SmallGroups,
    Use,
)
from cleanroom.domain.types import Kind


def build(data: Mapping[str, Any]) -> AnalysisRule:
    threshold = data["aggregation_threshold"]
    conditions = data.get("row_filter", {})
    literals = data.get("literals")
    return AnalysisRule(
        dataset=DatasetName(data["dataset"]),
        collaboration=CollaborationName(data["collaboration"]),
        minimum_units=threshold["minimum"],
        columns={name: _column(c) for name, c in data["columns"].items()},
        joins=_joins(data["joins"]),
        small_groups=SmallGroups(threshold["small_groups"]),
        count_rows=data["count_rows"],
        functions=frozenset(data["functions"]),
        query_runners=frozenset(PartnerName(p) for p in data["query_runners"]),
        result_receivers=frozenset(PartnerName(p) for p in data["result_receivers"]),
        row_filter=conditions.get(ALL_OTHERS),
        row_filters={PartnerName(p): text for p, text in conditions.items() if p != ALL_OTHERS},
        aggregate_arguments=AggregateArguments(data["aggregate_arguments"]),
        per_unit_analysis=data["per_unit_analysis"],
        analyses=Analyses(data["analyses"]),
        literals=None if literals is None else frozenset(literals),
    )


def _column(data: Mapping[str, Any]) -> ColumnRule:
    return ColumnRule(
        data["join"], data["group"], data["filter"], frozenset(data["aggregate"]), minimum_units=data.get("minimum")
    )


def _joins(data: Mapping[str, Any]) -> JoinRule:
    partners = tuple(JoinPartner(DatasetName(p["dataset"]), tuple(p["keys"].items())) for p in data["partners"])
    return JoinRule(JoinRequirement(data["required"]), frozenset(data["kinds"]), partners)


def write(value: AnalysisRule) -> dict[str, Json]:
    return {
        "dataset": value.dataset,
        "collaboration": value.collaboration,
        "aggregation_threshold": {"minimum": value.minimum_units, "small_groups": value.small_groups.value},
        "columns": {name: _write_column(rule) for name, rule in value.columns.items()},
        "count_rows": value.count_rows,
        "joins": _write_joins(value.joins),
        "functions": _sorted(value.functions),
        **_unless_none("literals", None if value.literals is None else _sorted(value.literals)),
        "aggregate_arguments": value.aggregate_arguments.value,
        "per_unit_analysis": value.per_unit_analysis,
        "analyses": value.analyses.value,
        "query_runners": _sorted(value.query_runners),
        "result_receivers": _sorted(value.result_receivers),
        **_unless_none("row_filter", _write_row_filter(value)),
    }


def _write_row_filter(value: AnalysisRule) -> Json:
    """The one condition, where no runner has another; None where there is none."""
    if not value.row_filters:
        return value.row_filter
    conditions: dict[str, Json] = {str(runner): text for runner, text in value.row_filters.items()}
    return conditions | _unless_none(ALL_OTHERS, value.row_filter)


def _unless_none(key: str, value: Json) -> dict[str, Json]:
    return {} if value is None else {key: value}


def _write_column(rule: ColumnRule) -> dict[str, Json]:
    return {
        "join": rule.join,
        "group": _write_use(rule.group),
        "filter": _write_use(rule.filter),
        "aggregate": _sorted(rule.aggregate),
        **_unless_none("minimum", rule.minimum_units),
    }


def _write_use(use: Use | None) -> Json:
    if use is None:
        return False
    return True if use.grain is Grain.INSTANT else {"grain": use.grain.value}


def _write_joins(joins: JoinRule) -> dict[str, Json]:
    partners: list[Json] = [{"dataset": p.dataset, "keys": dict(p.keys)} for p in joins.partners]
    return {"required": joins.required.value, "kinds": _sorted(joins.kinds), "with": partners}


def _sorted(words: frozenset[Any]) -> list[Json]:
    return sorted(words)


def with_grains(rule: AnalysisRule, dataset: Dataset) -> AnalysisRule:
    """The same rule, in which `group: true` and `filter: true` of a DATE say what they mean: its days."""
    days = {c.name for c in dataset.columns if c.type.kind is Kind.DATE}
    columns = {n: _in_days(c) if n in days else c for n, c in rule.columns.items()}
    return replace(rule, columns=columns)


def _in_days(rule: ColumnRule) -> ColumnRule:
    day = Use(Grain.DAY)
    return replace(
        rule,
        group=day if rule.group == Use() else rule.group,
        filter=day if rule.filter == Use() else rule.filter,
    )
