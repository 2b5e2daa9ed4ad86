"""AnalysisRule documents ↔ what an owner allows with one dataset in one collaboration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from marshmallow import ValidationError, fields

from cleanroom.documents.fields import (
    ByName,
    Choice,
    Flag,
    JsonSchema,
    Part,
    Several,
    Shape,
    Strict,
    Text,
    Whole,
    column_name,
    dataset_name,
    kind_of,
    resource,
)
from cleanroom.documents.flaws import Flaw, refused
from cleanroom.domain.events import Json
from cleanroom.domain.functions import AGGREGATES, DEFAULT_FUNCTIONS, LISTABLE_AGGREGATES, LISTABLE_FUNCTIONS, SCALARS
from cleanroom.domain.grain import DECLARABLE_GRAINS, Grain
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.policy import (
    AggregateArguments,
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

MOST_UNITS = 1_000_000_000
_NEVER_RELEASED = (
    "min",
    "max",
    "median",
    "mode",
    "any_value",
    "first",
    "last",
    "quantile",
    "arg_min",
    "arg_max",
    "list",
)
_AGGREGATES_HINT = f"write {', '.join(sorted(LISTABLE_AGGREGATES))}"
_FUNCTIONS_HINT = f"write {', '.join(sorted(LISTABLE_FUNCTIONS))}"


class AggregateName(Choice):
    """An aggregate that an owner can list; those that would carry a person's value out are refused for good."""

    def __init__(self) -> None:
        later = dict.fromkeys((*AGGREGATES, "stddev_samp", "stddev_pop", "var_samp", "var_pop"), _AGGREGATES_HINT)
        super().__init__(
            tuple(sorted(LISTABLE_AGGREGATES)), later=later | {"count_rows": "write count_rows: true beside `columns`"}
        )

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if value in self.words:
            return str(value)
        if isinstance(value, str) and value in _NEVER_RELEASED:
            flaw = Flaw(
                "policy.never_allowed",
                f"cannot be `{value}`, in any version: its result is one person's value",
                _AGGREGATES_HINT,
            )
            raise ValidationError([flaw])
        return super()._deserialize(value, *args, **kwargs)


class UseOf(Strict, fields.Field[Any]):
    """true, false or {grain: …} → how a column may be used, or None."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Use | None:
        match value:
            case True:
                return Use()
            case False:
                return None
            case Mapping():
                return Use(Grain(GrainShape().load(value)["grain"]))
            case _:
                raise refused(f"must be true, false or {{grain: …}}, not {kind_of(value)}", "write {grain: month}")

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"type": "boolean"}, GrainShape().json_schema()]}


class GrainShape(Shape):
    grain = Choice(tuple(DECLARABLE_GRAINS), required=True)


class ThresholdShape(Shape):
    minimum = Whole(
        2,
        MOST_UNITS,
        reason="one person would be a group",
        required=True,
        metadata={"description": "distinct privacy units behind every released row"},
    )
    small_groups = Choice(
        tuple(SmallGroups),
        load_default=SmallGroups.DROP.value,
        later={
            "pool": "write drop: groups below the minimum are left out",
            "blank": "write drop: groups below the minimum are left out",
        },
        metadata={"description": "what becomes of smaller groups"},
    )


class ColumnRuleShape(Shape):
    later = {"aggregation_threshold": "one threshold holds for all columns; write the largest beside `columns`"}
    join = Flag(load_default=False, metadata={"description": "may be a key of the pairs under `joins`"})
    group = UseOf(load_default=None, metadata={"description": "may be grouped by and shown; dates cut to the grain"})
    filter = UseOf(load_default=None, metadata={"description": "may be compared with literals; dates at the grain"})
    aggregate = Several(
        AggregateName(), load_default=list, metadata={"description": "aggregates that may be asked of it"}
    )


class JoinPartnerShape(Shape):
    dataset = dataset_name(required=True, metadata={"description": "the dataset to join with"})
    keys = ByName(
        column_name(),
        column_name(),
        required=True,
        least=1,
        metadata={"description": "mine: theirs; all hold together"},
    )


_INNER = "write kinds: [inner], or leave the key out"


class JoinsShape(Shape):
    required = Choice(tuple(JoinRequirement), load_default=JoinRequirement.NONE.value)
    kinds = Several(
        Choice(("inner",), later=dict.fromkeys(("left", "semi", "anti"), _INNER)), least=1, load_default=["inner"]
    )
    partners = Several(
        Part(JoinPartnerShape),
        data_key="with",
        load_default=list,
        metadata={"description": "alternatives; both owners must list the pair"},
    )


class AnalysisRuleShape(Shape):
    dataset = dataset_name(required=True, metadata={"description": "the owner's dataset"})
    collaboration = resource("collaboration", required=True, metadata={"description": "where the rule holds"})
    aggregation_threshold = Part(ThresholdShape, required=True)
    columns = ByName(
        column_name(), Part(ColumnRuleShape), required=True, metadata={"description": "a column not named is blocked"}
    )
    count_rows = Flag(load_default=False, metadata={"description": "whether COUNT(*) may be asked"})
    joins = Part(JoinsShape, load_default=lambda: JoinsShape().load({}))
    functions = Several(
        Choice(
            tuple(sorted(LISTABLE_FUNCTIONS)),
            later={n: _FUNCTIONS_HINT for n in SCALARS if n not in LISTABLE_FUNCTIONS},
        ),
        load_default=lambda: list(DEFAULT_FUNCTIONS),
        metadata={"description": "functions on group and filter columns"},
    )
    aggregate_arguments = Choice(
        tuple(AggregateArguments),
        load_default=AggregateArguments.COLUMNS.value,
        metadata={"description": "columns: bare columns; expressions: FILTER and CASE too"},
    )
    per_unit_analysis = Flag(load_default=False, later="write false, or leave the key out")
    query_runners = Several(resource("partner"), load_default=list, metadata={"description": "who may ask"})
    result_receivers = Several(resource("partner"), load_default=list, metadata={"description": "who may see answers"})
    analyses = Choice(
        ("free",),
        load_default="free",
        later={"templates": "write free, or leave the key out: every query is held against the rule"},
    )
    row_filter = Text(most=10_000, metadata={"description": "the owner's own SQL condition, always applied"})


def build(data: Mapping[str, Any]) -> AnalysisRule:
    threshold = data["aggregation_threshold"]
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
        row_filter=data.get("row_filter"),
        aggregate_arguments=AggregateArguments(data["aggregate_arguments"]),
    )


def _column(data: Mapping[str, Any]) -> ColumnRule:
    return ColumnRule(data["join"], data["group"], data["filter"], frozenset(data["aggregate"]))


def _joins(data: Mapping[str, Any]) -> JoinRule:
    partners = tuple(JoinPartner(DatasetName(p["dataset"]), tuple(p["keys"].items())) for p in data["partners"])
    return JoinRule(JoinRequirement(data["required"]), frozenset(data["kinds"]), partners)


def write(value: AnalysisRule) -> dict[str, Json]:
    row_filter: dict[str, Json] = {"row_filter": value.row_filter} if value.row_filter else {}
    return {
        "dataset": value.dataset,
        "collaboration": value.collaboration,
        "aggregation_threshold": {"minimum": value.minimum_units, "small_groups": value.small_groups.value},
        "columns": {name: _write_column(rule) for name, rule in value.columns.items()},
        "count_rows": value.count_rows,
        "joins": _write_joins(value.joins),
        "functions": _sorted(value.functions),
        "aggregate_arguments": value.aggregate_arguments.value,
        "query_runners": _sorted(value.query_runners),
        "result_receivers": _sorted(value.result_receivers),
        **row_filter,
    }


def _write_column(rule: ColumnRule) -> dict[str, Json]:
    return {
        "join": rule.join,
        "group": _write_use(rule.group),
        "filter": _write_use(rule.filter),
        "aggregate": _sorted(rule.aggregate),
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
