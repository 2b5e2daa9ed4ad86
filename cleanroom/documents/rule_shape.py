"""The keys of an AnalysisRule document → plain values, each right by itself."""

from __future__ import annotations

from collections.abc import Mapping
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
from cleanroom.domain.functions import DEFAULT_FUNCTIONS, LISTABLE_AGGREGATES, LISTABLE_FUNCTIONS, SCALARS
from cleanroom.domain.grain import DECLARABLE_GRAINS, Grain
from cleanroom.domain.plan import JoinKind
from cleanroom.domain.policy import AggregateArguments, Analyses, JoinRequirement, SmallGroups, Use

MOST_UNITS = 1_000_000_000
ALL_OTHERS = "default"
"""The key of a `row_filter` by runner that stands for every runner without one of its own."""

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
_SYNONYMS = {
    "stddev_samp": "stddev",
    "var_samp": "variance",
    "var_pop": "variance_pop",
    "covar_samp": "covar",
}
_AGGREGATES_HINT = f"write {', '.join(sorted(LISTABLE_AGGREGATES))}"
_FUNCTIONS_HINT = f"write {', '.join(sorted(LISTABLE_FUNCTIONS))}"


class AggregateName(Choice):
    """An aggregate that an owner can list; those that would carry a person's value out are refused for good."""

    def __init__(self) -> None:
        words = tuple(sorted(LISTABLE_AGGREGATES))
        super().__init__(words, later={"count_rows": "write count_rows: true beside `columns`"})

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if isinstance(value, str) and value in _NEVER_RELEASED:
            flaw = Flaw(
                "policy.never_allowed",
                f"cannot be `{value}`, in any version: its result is one person's value",
                _AGGREGATES_HINT,
            )
            raise ValidationError([flaw])
        if isinstance(value, str) and value in _SYNONYMS:
            raise refused("has a value that is not known", f"write {_SYNONYMS[value]}, which is the same")
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


class RowFilters(Strict, fields.Field[Any]):
    """One condition, or {runner: condition, default: condition} → conditions by runner; the one is that of `default`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.condition = Text(most=10_000)
        self.by_runner = ByName(resource("partner"), Text(most=10_000), least=1)

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> dict[str, str]:
        match value:
            case str():
                return {ALL_OTHERS: self.condition.deserialize(value)}
            case Mapping():
                conditions: dict[str, str] = self.by_runner.deserialize(value)
                return conditions
            case _:
                message = f"must be a condition, or a mapping of partners to conditions, not {kind_of(value)}"
                raise refused(message, 'write "consent = TRUE", or {publisher: "consent = TRUE"}')

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [self.condition.json_schema(), self.by_runner.json_schema()]}


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
        metadata={
            "description": "what becomes of smaller groups: left out; shown empty, where all keys have a public domain; "
            "merged into one"
        },
    )


class ColumnRuleShape(Shape):
    later = {
        "aggregation_threshold": "write minimum: … here, for the aggregates of this column",
        "literals": "write literals: [column, …] beside `columns`: the columns that any literal may be compared with",
    }
    join = Flag(load_default=False, metadata={"description": "may be a key of the pairs under `joins`"})
    group = UseOf(load_default=None, metadata={"description": "may be grouped by and shown; dates cut to the grain"})
    filter = UseOf(load_default=None, metadata={"description": "may be compared with literals; dates at the grain"})
    aggregate = Several(
        AggregateName(), load_default=list, metadata={"description": "aggregates that may be asked of it"}
    )
    minimum = Whole(
        2,
        MOST_UNITS,
        reason="one person would be a group",
        metadata={
            "description": "distinct privacy units behind every shown aggregate of it, where more than the rule's"
        },
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


_KINDS = tuple(kind.value for kind in JoinKind if kind is not JoinKind.FULL)


class JoinsShape(Shape):
    required = Choice(tuple(JoinRequirement), load_default=JoinRequirement.NONE.value)
    kinds = Several(
        Choice(_KINDS),
        least=1,
        load_default=lambda: [JoinKind.INNER.value],
        metadata={"description": "how it may be joined; both owners must list the kind"},
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
    literals = Several(
        column_name(),
        metadata={"description": "columns that may be compared with literals; without it all that may be filtered on"},
    )
    aggregate_arguments = Choice(
        tuple(AggregateArguments),
        load_default=AggregateArguments.COLUMNS.value,
        metadata={"description": "columns: bare columns; expressions: FILTER and CASE too"},
    )
    per_unit_analysis = Flag(
        load_default=False, metadata={"description": "whether rows may first be brought to one for each privacy unit"}
    )
    query_runners = Several(resource("partner"), load_default=list, metadata={"description": "who may ask"})
    result_receivers = Several(resource("partner"), load_default=list, metadata={"description": "who may see answers"})
    analyses = Choice(
        tuple(Analyses),
        load_default=Analyses.FREE.value,
        metadata={
            "description": "which queries it may stand in: free, any that the rule allows; templates, approved ones"
        },
    )
    row_filter = RowFilters(
        metadata={"description": "the owner's own SQL condition, always applied; or one for each runner, and a default"}
    )
