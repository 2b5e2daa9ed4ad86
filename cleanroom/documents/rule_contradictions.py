"""An analysis rule, alone and beside its dataset → what in it cannot hold together."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.documents.flaws import did_you_mean
from cleanroom.domain.errors import Problem
from cleanroom.domain.grain import Grain
from cleanroom.domain.policy import AnalysisRule, ColumnRule, Dataset, DatasetColumn, JoinRequirement, Use
from cleanroom.domain.types import Kind

_FINER_THAN_DAY = frozenset({Grain.SECOND, Grain.MINUTE, Grain.HOUR})


def contradictions(rule: AnalysisRule) -> Iterator[Problem]:
    """What can be told from the rule alone."""
    for name, column in rule.columns.items():
        yield from _join_and(name, column)
    yield from _requirement(rule)
    yield from _pairs(rule)


def _join_and(name: str, column: ColumnRule) -> Iterator[Problem]:
    for use, allowed in (("group", column.group), ("filter", column.filter)):
        if column.join and allowed:
            yield _contradiction(
                f"`{name}` cannot be both `join` and `{use}`: a join key names people",
                f"columns.{name}.{use}",
                f"take `{use}` or `join` away from `{name}`",
            )


def _requirement(rule: AnalysisRule) -> Iterator[Problem]:
    required = rule.joins.required
    if required in (JoinRequirement.ANY, JoinRequirement.ALL) and not rule.joins.partners:
        message = f"`required: {required}` asks for a join, and `with` lists none: every query would be refused"
        yield _contradiction(message, "joins.required", "list the pairs under `with`, or write required: none")
    if required is JoinRequirement.BLOCKED and rule.joins.partners:
        message = "`required: blocked` allows no join, and `with` lists some"
        yield _contradiction(message, "joins.required", "remove `with`, or write required: none")


def _pairs(rule: AnalysisRule) -> Iterator[Problem]:
    for i, partner in enumerate(rule.joins.partners):
        for mine, _ in partner.keys:
            if not rule.column(mine).join:
                yield _contradiction(
                    f"`{mine}` is a key of a pair and blocked for joins",
                    f"joins.with[{i}].keys.{mine}",
                    f"write {mine}: {{join: true}} under `columns`",
                )


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
    wrong = sorted(column.aggregate & {"sum", "avg"})
    if wrong and not declared.type.is_number:
        yield _contradiction(
            f"`{declared.name}` is a {declared.type}: {' and '.join(wrong)} cannot be asked of it",
            f"columns.{declared.name}.aggregate",
            f"take {' and '.join(wrong)} away; count and count_distinct can be asked of any column",
        )


def _contradiction(message: str, field: str, hint: str) -> Problem:
    return Problem("policy.contradiction", message, field=field, hint=hint)
