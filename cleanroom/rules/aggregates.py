"""Aggregates of releases → aggregate.not_allowed."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import AggregateCall, Case, Expression, inputs
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.functions import AGGREGATES
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Plan, scans
from cleanroom.domain.policy import AggregateArguments, AnalysisRule, Policy
from cleanroom.rules.uses import measures, occurrences, source_column, write_out

_SQL = {"count_rows": "COUNT(*)", "count_distinct": "COUNT(DISTINCT …)"}


def aggregate_not_allowed(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every aggregate over rows is of a bare column whose owner lists the function; COUNT(*) where all owners count rows.

    Under a condition it is so only where the owners of all its columns allow that, of COUNT(*) all owners.
    """
    for release, measure in measures(plan):
        call = measure.origin
        assert isinstance(call, AggregateCall)
        if call.function == "count_rows":
            yield from _rows(call, release, policy)
        else:
            yield from _column(call, policy)
        if call.condition is not None:
            yield from _conditional(call, release, policy)


def _conditional(call: AggregateCall, release: Aggregate, policy: Policy) -> Iterator[Finding]:
    for name in _concerned(call, release):
        rule = policy.rules.get(name)
        if rule is not None and rule.aggregate_arguments is AggregateArguments.COLUMNS:
            yield Finding(
                "aggregate.not_allowed",
                f"{_shown(call)} under a condition is not allowed of {name}.",
                name,
                at=call.at,
                hint="Filter in WHERE. FILTER and CASE need aggregate_arguments: expressions in its owner's rule.",
            )


def _concerned(call: AggregateCall, release: Aggregate) -> tuple[DatasetName, ...]:
    """The datasets that the aggregate tells about: of its columns; of COUNT(*) all whose rows are counted."""
    if call.argument is None:
        return tuple(dict.fromkeys(scan.dataset for scan in scans(release.input)))
    return tuple(dict.fromkeys(found.dataset for part in inputs(call) for found in occurrences(part)))


def _shown(call: AggregateCall) -> str:
    return _SQL.get(call.function, call.function.upper())


def _rows(call: AggregateCall, release: Aggregate, policy: Policy) -> Iterator[Finding]:
    for scan in scans(release.input):
        rule = policy.rules.get(scan.dataset)
        if rule is not None and not rule.count_rows:
            units = [u.name for u in scan.units if "count_distinct" in rule.column(u.name).aggregate]
            yield Finding(
                "aggregate.not_allowed",
                f"Rows of {scan.dataset} may not be counted.",
                scan.dataset,
                at=call.at or scan.at,
                hint=f"Use COUNT(DISTINCT {units[0]})." if units else None,
            )


def _column(call: AggregateCall, policy: Policy) -> Iterator[Finding]:
    assert call.argument is not None
    found = source_column(call.argument)
    mentioned = list(occurrences(call.argument))
    shown = _shown(call)
    if found is None:
        first = mentioned[0] if mentioned else None
        yield Finding(
            "aggregate.not_allowed",
            f"{shown} takes a bare column, not an expression.",
            first.dataset if first else None,
            first.column.column if first else None,
            call.at,
            _bare_hint(call.argument),
        )
        return
    column, _ = found
    rule = policy.rules.get(column.dataset)
    if rule is not None and column.column in rule.columns and not _allows(rule, column.column, call.function):
        yield Finding(
            "aggregate.not_allowed",
            f"{shown} of {column.column} of {column.dataset} is not allowed.",
            column.dataset,
            column.column,
            call.at,
            _hint(rule, column.column),
        )


def _allows(rule: AnalysisRule, column: str, function: str) -> bool:
    use = rule.column(column)
    if not AGGREGATES[function].release or function not in use.aggregate:
        return False
    return not use.join or function in ("count", "count_distinct")


def _bare_hint(argument: Expression) -> str:
    if isinstance(write_out(argument), Case):
        return "A CASE has one branch, THEN a column, and no ELSE; in SUM it may have THEN 1 and ELSE 0. Or use FILTER."
    return "Aggregate the column; do arithmetic on the aggregates."


def _hint(rule: AnalysisRule, column: str) -> str:
    listed = sorted(rule.column(column).aggregate)
    if listed:
        return f"Its owner allows {', '.join(_SQL.get(n, n.upper()) for n in listed)} of it."
    able = [name for name, use in rule.columns.items() if use.aggregate]
    return (
        f"Its owner allows aggregates of {', '.join(able)}." if able else "Its owner allows no aggregate of a column."
    )
