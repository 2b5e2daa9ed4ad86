"""An analysis rule, alone and beside its dataset → what in it cannot hold together."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.documents.flaws import did_you_mean
from cleanroom.documents.rule_shape import ALL_OTHERS
from cleanroom.domain.errors import Problem
from cleanroom.domain.functions import AGGREGATES
from cleanroom.domain.grain import Grain
from cleanroom.domain.plan import JoinKind
from cleanroom.domain.policy import (
    AnalysisRule,
    ColumnRule,
    Dataset,
    DatasetColumn,
    JoinRequirement,
    SmallGroups,
    Use,
)
from cleanroom.domain.types import Kind

_FINER_THAN_DAY = frozenset({Grain.SECOND, Grain.MINUTE, Grain.HOUR})
_OF_NUMBERS = frozenset(name for name, aggregate in AGGREGATES.items() if aggregate.sensitive)
_MEETING = frozenset({JoinKind.INNER.value, JoinKind.SEMI.value})


def contradictions(rule: AnalysisRule) -> Iterator[Problem]:
    """What can be told from the rule alone."""
    for name, column in rule.columns.items():
        yield from _join_and(name, column)
        yield from _minimum(name, column, rule)
    yield from _requirement(rule)
    yield from _kinds(rule)
    yield from _pairs(rule)
    yield from _literals(rule)
    yield from _per_unit(rule)
    yield from _row_filters(rule)


def _join_and(name: str, column: ColumnRule) -> Iterator[Problem]:
    for use, allowed in (("group", column.group), ("filter", column.filter)):
        if column.join and allowed:
            yield _contradiction(
                f"`{name}` cannot be both `join` and `{use}`: a join key names people",
                f"columns.{name}.{use}",
                f"take `{use}` or `join` away from `{name}`",
            )


def _minimum(name: str, column: ColumnRule, rule: AnalysisRule) -> Iterator[Problem]:
    place = f"columns.{name}.minimum"
    if column.minimum_units is None:
        return
    if not column.aggregate:
        message = f"`{name}` has a `minimum` of its own and no aggregate that it would hold for"
        yield _contradiction(message, place, "list some under `aggregate`, or remove `minimum`")
    elif column.minimum_units <= rule.minimum_units:
        message = f"the `minimum` of `{name}` is not more than that of every row, and changes nothing"
        yield _contradiction(message, place, f"write {rule.minimum_units + 1} or more, or remove `minimum`")


def _requirement(rule: AnalysisRule) -> Iterator[Problem]:
    required = rule.joins.required
    if required in (JoinRequirement.ANY, JoinRequirement.ALL) and not rule.joins.partners:
        message = f"`required: {required}` asks for a join, and `with` lists none: every query would be refused"
        yield _contradiction(message, "joins.required", "list the pairs under `with`, or write required: none")
    if required is JoinRequirement.BLOCKED and rule.joins.partners:
        message = "`required: blocked` allows no join, and `with` lists some"
        yield _contradiction(message, "joins.required", "remove `with`, or write required: none")


def _kinds(rule: AnalysisRule) -> Iterator[Problem]:
    required, kinds = rule.joins.required, rule.joins.kinds
    beyond = sorted(kinds - {JoinKind.INNER.value})
    if beyond and not rule.joins.partners:
        message = f"`kinds` lists {' and '.join(beyond)}, and `with` lists no pair to join on"
        yield _contradiction(
            message, "joins.kinds", "list the pairs under `with`, with this dataset itself too, or leave `kinds` out"
        )
    elif required in (JoinRequirement.ANY, JoinRequirement.ALL) and not kinds & _MEETING:
        message = f"`required: {required}` is met by inner and semi joins, and `kinds` lists neither"
        yield _contradiction(message, "joins.kinds", "add inner or semi, or write required: none")


def _pairs(rule: AnalysisRule) -> Iterator[Problem]:
    for i, partner in enumerate(rule.joins.partners):
        for mine, _ in partner.keys:
            if not rule.column(mine).join:
                yield _contradiction(
                    f"`{mine}` is a key of a pair and blocked for joins",
                    f"joins.with[{i}].keys.{mine}",
                    f"write {mine}: {{join: true}} under `columns`",
                )


def _literals(rule: AnalysisRule) -> Iterator[Problem]:
    usable = [name for name, column in rule.columns.items() if column.filter or column.group]
    for name in sorted(rule.literals or ()):
        if name not in rule.columns:
            message = f"`literals` names `{name}`, which is not under `columns`"
            yield Problem("policy.unknown_name", message, field="literals", hint=did_you_mean(name, usable))
        elif name not in usable:
            message = f"`literals` names `{name}`, which may be neither filtered on nor grouped by"
            hint = "" if rule.column(name).join else f", or write {name}: {{filter: true}}"
            yield _contradiction(message, "literals", f"remove `{name}`{hint}")


def _per_unit(rule: AnalysisRule) -> Iterator[Problem]:
    if rule.per_unit_analysis and not rule.count_rows and not any(c.aggregate for c in rule.columns.values()):
        message = "`per_unit_analysis: true` computes for each person what no aggregate may then be asked of"
        hint = "write count_rows: true, list aggregates under `columns`, or write per_unit_analysis: false"
        yield _contradiction(message, "per_unit_analysis", hint)


def _row_filters(rule: AnalysisRule) -> Iterator[Problem]:
    """Conditions by runner are of those who may ask, and leave none of them without one."""
    for runner in sorted(rule.row_filters.keys() - rule.query_runners):
        message = f"`row_filter` names `{runner}`, which is not among `query_runners`"
        hint = f"add {runner} to `query_runners`, or take its condition away"
        yield _contradiction(message, f"row_filter.{runner}", hint)
    if rule.row_filters and rule.row_filter is None:
        for runner in sorted(rule.query_runners - rule.row_filters.keys()):
            message = f"`row_filter` says nothing for `{runner}`, which may ask"
            hint = f'write {runner}: "…", or {ALL_OTHERS}: "…" for every other runner; "TRUE" keeps all rows'
            yield _contradiction(message, "row_filter", hint)


def beside(rule: AnalysisRule, dataset: Dataset) -> Iterator[Problem]:
    """What can be told from the rule and the dataset it is about."""
    for name, column in rule.columns.items():
        declared = dataset.column(name)
        if declared is None:
            yield _undeclared(name, dataset)
            continue
        if name in dataset.privacy_units:
            yield from _unit(name, column)
        yield from _uses(declared, column)
        yield from _aggregates(declared, column)
    yield from _blank(rule, dataset)


def _undeclared(name: str, dataset: Dataset) -> Problem:
    message = f"`{name}` is not a column of {dataset.name}"
    hint = did_you_mean(name, (c.name for c in dataset.columns))
    return Problem("policy.unknown_name", message, field=f"columns.{name}", hint=hint)


def _unit(name: str, column: ColumnRule) -> Iterator[Problem]:
    for use, allowed in (("group", column.group), ("filter", column.filter)):
        if allowed:
            yield _contradiction(
                f"`{name}` names the protected people: `{use}` would single them out",
                f"columns.{name}.{use}",
                f"remove `{use}`; people can be counted with aggregate: [count_distinct]",
            )


def _uses(declared: DatasetColumn, column: ColumnRule) -> Iterator[Problem]:
    for use, allowed in (("group", column.group), ("filter", column.filter)):
        if allowed is None or allowed == Use():
            continue
        place = f"columns.{declared.name}.{use}"
        if not declared.type.is_moment:
            message = f"`{declared.name}` is a {declared.type}: only a DATE or TIMESTAMP has a grain"
            yield _contradiction(message, place, f"write {use}: true")
        elif declared.type.kind is Kind.DATE and allowed.grain in _FINER_THAN_DAY:
            message = f"`{declared.name}` is a DATE, which has no {allowed.grain}"
            yield _contradiction(message, place, "write {grain: day} or coarser")


def _aggregates(declared: DatasetColumn, column: ColumnRule) -> Iterator[Problem]:
    # The mean of a date is that of a difference of two: AVG(date_diff('day', a, b)).
    wrong = sorted(column.aggregate & _OF_NUMBERS - ({"avg"} if declared.type.is_moment else set()))
    if wrong and not declared.type.is_number:
        yield _contradiction(
            f"`{declared.name}` is a {declared.type}: {' and '.join(wrong)} cannot be asked of it",
            f"columns.{declared.name}.aggregate",
            f"take {' and '.join(wrong)} away; count and count_distinct can be asked of any column",
        )


def _blank(rule: AnalysisRule, dataset: Dataset) -> Iterator[Problem]:
    groupable = [column for column in dataset.columns if rule.column(column.name).group]
    if rule.small_groups is SmallGroups.BLANK and not any(column.values for column in groupable):
        message = (
            f"`blank` shows groups of a public domain, and no groupable column of {dataset.name} declares `values`"
        )
        hint = "declare the `values` of a groupable column in the dataset, or write small_groups: drop"
        yield _contradiction(message, "aggregation_threshold.small_groups", hint)


def _contradiction(message: str, field: str, hint: str) -> Problem:
    return Problem("policy.contradiction", message, field=field, hint=hint)
