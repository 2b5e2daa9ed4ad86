"""Aggregates of releases → aggregate.not_allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Case,
    Column,
    Expression,
    Literal,
    SourceColumn,
    WindowCall,
    inputs,
    walk,
)
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.functions import AGGREGATES
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Plan, releases, scans
from cleanroom.domain.policy import AggregateArguments, AnalysisRule, Policy
from cleanroom.rules.columns import fine_dates
from cleanroom.rules.derived import through, uncounted
from cleanroom.rules.inner_conditions import made_below, side_by_side
from cleanroom.rules.removals import removed_under_conditions
from cleanroom.rules.uses import (
    derived,
    measures,
    occurrences,
    per_unit_tables,
    source_column,
    sources_read,
    write_out,
)

_SQL = {"count_rows": "COUNT(*)", "count_distinct": "COUNT(DISTINCT …)"}
_COUNTS = ("count", "count_distinct")


@dataclass(frozen=True, slots=True)
class Asked:
    """One aggregate of a release, and what it is judged by."""

    call: AggregateCall
    release: Aggregate
    plan: Plan
    policy: Policy

    @property
    def shown(self) -> str:
        return shown(self.call)


def shown(call: AggregateCall) -> str:
    """The function as SQL has it."""
    return _SQL.get(call.function, call.function.upper())


def aggregate_not_allowed(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every aggregate over rows is of a column whose owner lists the function, bare or in an expression that adds up a value
    for each row; COUNT(*) where all owners count rows.

    An expression or a condition needs the owners of all its columns to allow them, of COUNT(*) all owners.
    """
    for release, measure in measures(plan):
        call = measure.origin
        assert isinstance(call, AggregateCall)
        asked = Asked(call, release, plan, policy)
        if call.function == "count_rows":
            yield from _rows(asked)
        for part in (call.argument, call.second):
            if part is not None:
                yield from _value(write_out(part), asked)
        bare = all(isinstance(write_out(part), Column) for part in inputs(call))
        if call.condition is not None or call.lifted or not bare:
            yield from _only_columns(asked)
        if call.second is not None:
            yield from _of_one_row(asked)
        yield from made_below(call, release, policy)
    for release in releases(plan.root):
        yield from side_by_side(release)
        yield from removed_under_conditions(release, policy.datasets)
    for table in per_unit_tables(plan):
        for call in (measure.origin for measure in table.measures):
            if isinstance(call, AggregateCall) and not call.hidden and _chooses(call):
                yield from _only_columns(Asked(call, table, plan, policy))


def _chooses(call: AggregateCall) -> bool:
    """Whether the aggregate takes some rows, or values made of them, rather than a column as it is read."""
    argument = None if call.argument is None else write_out(call.argument)
    cases = argument is not None and any(isinstance(node, Case) for node in walk(argument))
    sums = call.function in ("sum", "avg", *_COUNTS) and not isinstance(argument, Column | None)
    return call.condition is not None or cases or sums


def _of_one_row(asked: Asked) -> Iterator[Finding]:
    """Both columns of CORR and COVAR stand in one row of one dataset: a product with another's picks out a person."""
    read = {source for part in inputs(asked.call) for source in sources_read(part, asked.release.input)}
    if len(read) > 1:
        yield Finding(
            "aggregate.not_allowed",
            f"{asked.shown} of columns of two datasets is not allowed.",
            at=asked.call.at,
            hint="Both columns must be read from one dataset.",
        )


def _only_columns(asked: Asked) -> Iterator[Finding]:
    for name in _concerned(asked):
        rule = asked.policy.rules.get(name)
        if rule is not None and rule.aggregate_arguments is AggregateArguments.COLUMNS:
            what = "under a condition" if asked.call.condition is not None else "of an expression"
            yield Finding(
                "aggregate.not_allowed",
                f"{asked.shown} {what} is not allowed of {name}.",
                name,
                at=asked.call.at,
                hint="Aggregate the column itself and filter in WHERE. "
                "FILTER, CASE and clamps need aggregate_arguments: expressions in its owner's rule.",
            )


def _concerned(asked: Asked) -> tuple[DatasetName, ...]:
    """The datasets that the aggregate tells about: of its columns; where it names none, all whose rows are counted."""
    named = dict.fromkeys(found.dataset for part in inputs(asked.call) for found in occurrences(part))
    if asked.call.argument is None or not named:
        return tuple(dict.fromkeys(scan.dataset for scan in scans(asked.release.input)))
    return tuple(named)


def _rows(asked: Asked) -> Iterator[Finding]:
    for scan in scans(asked.release.input):
        rule = asked.policy.rules.get(scan.dataset)
        if rule is not None and not rule.count_rows:
            units = [u.name for u in scan.units if "count_distinct" in rule.column(u.name).aggregate]
            yield Finding(
                "aggregate.not_allowed",
                f"Rows of {scan.dataset} may not be counted.",
                scan.dataset,
                at=asked.call.at or scan.at,
                hint=f"Use COUNT(DISTINCT {units[0]})." if units else None,
            )


def _value(argument: Expression, asked: Asked) -> Iterator[Finding]:
    """What is wrong with the argument, written out, as the one value that each row adds."""
    match argument:
        case Column(field=field):
            match field.origin:
                case SourceColumn() as column:
                    yield from _unlisted(column, asked)
                case AggregateCall() as inner:
                    yield from _of_one_person(inner, argument, asked)
                case _:
                    yield _no_value(argument, asked)
        case Call(function="least" | "greatest" | "coalesce", arguments=parts) if asked.call.function not in _COUNTS:
            values = [part for part in parts if not isinstance(part, Literal)]
            if len(values) == 1:
                yield from _value(values[0], asked)
            else:
                yield _no_value(argument, asked)
        case Case(branches=branches, default=default) if asked.call.function in ("sum", "avg"):
            given = [*(value for _, value in branches), *([] if default is None else [default])]
            for value in given:
                if not isinstance(value, Literal):
                    yield from _value(value, asked)
            if all(isinstance(value, Literal) for value in given):
                yield from _rows(asked)
        case Call(function="date_diff", arguments=(_, *dates)) if asked.call.function == "avg":
            for found in (found for date in dates for found in occurrences(date)):
                yield from _unlisted(found.column, asked)
            yield from fine_dates(argument, asked.policy)
            if any(isinstance(value.call, WindowCall) for value in derived(argument)):
                yield _no_value(argument, asked)
        case _:
            yield _no_value(argument, asked)


def _unlisted(column: SourceColumn, asked: Asked) -> Iterator[Finding]:
    rule = asked.policy.rules.get(column.dataset)
    if rule is not None and column.column in rule.columns and not _allows(rule, column.column, asked.call.function):
        yield Finding(
            "aggregate.not_allowed",
            f"{asked.shown} of {column.column} of {column.dataset} is not allowed.",
            column.dataset,
            column.column,
            asked.call.at,
            _hint(rule, column.column, asked.call),
        )


def _allows(rule: AnalysisRule, column: str, function: str) -> bool:
    use = rule.column(column)
    if not AGGREGATES[function].release or function not in use.aggregate:
        return False
    return not use.join or function in _COUNTS


def _of_one_person(inner: AggregateCall, argument: Column, asked: Asked) -> Iterator[Finding]:
    """A per-unit value as the argument: a count or a sum of each person, of rows or of a column as it is read."""
    simple = inner.argument is None or source_column(inner.argument) is not None
    function = asked.call.function
    if not AGGREGATES[function].release or function in _COUNTS or not simple:
        yield _no_value(argument, asked)
        return
    yield from uncounted(derived(argument), asked.plan, asked.policy)
    for found in occurrences(argument):
        rule = asked.policy.rules.get(found.dataset)
        way = through(found)
        if rule is not None and found.column.column in rule.columns and not (way and way.conditional):
            use = rule.column(found.column.column)
            match inner.function:
                case "count":
                    listed = "count" in use.aggregate
                case "count_distinct":
                    listed = "count_distinct" in use.aggregate and use.group is not None
                case "sum":
                    listed = not use.join and {"sum", function} <= use.aggregate
                case _:
                    listed = False
            if not listed:
                yield Finding(
                    "aggregate.not_allowed",
                    f"{asked.shown} of one person's {shown(inner)} of {found.column.column} is not allowed.",
                    found.dataset,
                    found.column.column,
                    asked.call.at,
                    _hint(rule, found.column.column, asked.call),
                )


def _no_value(argument: Expression, asked: Asked) -> Finding:
    first = next(occurrences(argument), None)
    return Finding(
        "aggregate.not_allowed",
        f"{asked.shown} takes a column, or an expression that adds one value for each row, not this.",
        first.dataset if first else None,
        first.column.column if first else None,
        asked.call.at,
        _value_hint(argument, asked),
    )


def _value_hint(argument: Expression, asked: Asked) -> str:
    if isinstance(argument, Case):
        return "In COUNT a CASE has one branch, THEN a column, and no ELSE. Or use FILTER."
    if asked.call.function in _COUNTS:
        return "Count a column, or rows with COUNT(*)."
    if asked.call.function not in ("sum", "avg"):
        return "Aggregate a column, or LEAST, GREATEST or COALESCE of it and a number."
    return (
        "Aggregate a column, a·x + b with numbers, LEAST, GREATEST or COALESCE of it and a number, or a CASE of such."
    )


def _hint(rule: AnalysisRule, column: str, call: AggregateCall) -> str:
    if call.lifted and call.function == "count":
        return f"What is added to each row of a SUM is added COUNT({column}) times: its owner would have to list count."
    listed = sorted(rule.column(column).aggregate)
    if listed:
        return f"Its owner allows {', '.join(_SQL.get(n, n.upper()) for n in listed)} of it."
    able = [name for name, use in rule.columns.items() if use.aggregate]
    return (
        f"Its owner allows aggregates of {', '.join(able)}." if able else "Its owner allows no aggregate of a column."
    )
