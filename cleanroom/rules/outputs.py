"""The shape of the query → output.not_aggregate, rows.chosen, window.over_rows, release.overlap."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import AggregateCall, Place, WindowCall, inputs, walk
from cleanroom.domain.expression import Column as ColumnNode
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Limit, Plan, Scan, Sort, Window, relations, releases, scans
from cleanroom.domain.policy import Policy
from cleanroom.rules.uses import occurrences


def output_not_aggregate(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """What comes out describes groups: the last relation is a released one."""
    if not plan.root.released:
        yield Finding(
            "output.not_aggregate",
            "The query returns rows of people, not groups.",
            at=_first_place(plan),
            hint="Aggregate, for instance with COUNT(DISTINCT …), and GROUP BY columns that describe groups.",
        )


def _first_place(plan: Plan) -> Place | None:
    for field in plan.root.fields:
        for part in inputs(field.origin):
            for node in walk(part):
                if isinstance(node, ColumnNode) and node.at is not None:
                    return node.at
    return None


def rows_chosen(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """ORDER BY, LIMIT and OFFSET stand over groups: over rows they choose people."""
    for relation in relations(plan.root):
        if isinstance(relation, Limit | Sort) and not relation.released:
            what = "LIMIT" if isinstance(relation, Limit) else "ORDER BY"
            at = relation.at if isinstance(relation, Limit) else None
            yield Finding(
                "rows.chosen", f"{what} over rows of people is not accepted.", at=at, hint="Order and limit the groups."
            )


def window_over_rows(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Window functions stand over groups."""
    for relation in relations(plan.root):
        if isinstance(relation, Window) and not relation.released:
            for call in relation.calls:
                at = call.origin.at if isinstance(call.origin, WindowCall) else None
                yield Finding(
                    "window.over_rows",
                    "A window function over rows of people is not accepted.",
                    at=at,
                    hint="Aggregate first; windows over the groups are free.",
                )


def release_overlap(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A dataset feeds the cells of one scan in one release: what two show of it could be subtracted.

    Within that release its other scans may restrict and give keys (SEMANTICS 0).
    """
    found = releases(plan.root)
    for release in found:
        for dataset, feeding in _by_dataset(_feeding(release)).items():
            if len(feeding) > 1:
                yield _overlap(feeding[-1], "feeds two aggregates of one answer through different aliases")
            elif any(s.dataset == dataset for other in found if other is not release for s in scans(other.input)):
                yield _overlap(feeding[-1], "is read by more than one aggregate query of one answer")


def _feeding(release: Aggregate) -> tuple[Scan, ...]:
    """The scans whose rows the release's cells are made of; COUNT(*) counts the rows of all.

    A condition on one cell feeds it like its argument: only what holds for all cells merely restricts.
    """
    calls = [m.origin for m in release.measures if isinstance(m.origin, AggregateCall)]
    every = not calls or any(call.argument is None for call in calls)
    sources = {found.column.source for call in calls for part in inputs(call) for found in occurrences(part)}
    return tuple(scan for scan in scans(release.input) if every or scan.source in sources)


def _by_dataset(found: tuple[Scan, ...]) -> dict[DatasetName, list[Scan]]:
    return {name: [s for s in found if s.dataset == name] for name in dict.fromkeys(s.dataset for s in found)}


def _overlap(scan: Scan, how: str) -> Finding:
    return Finding(
        "release.overlap",
        f"{scan.dataset} {how}.",
        scan.dataset,
        at=scan.at,
        hint="Aggregate it once, with all the keys you need; several aggregates of it can stand in one SELECT.",
    )
