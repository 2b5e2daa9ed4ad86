"""Several readings of one dataset in one answer → release.overlap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from cleanroom.domain.dependencies import Facts, column, facts
from cleanroom.domain.expression import AggregateCall, inputs
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.plan import Aggregate, Join, JoinKind, Plan, Scan, relations, releases, scans
from cleanroom.domain.policy import Policy
from cleanroom.domain.steps import Claim, contains
from cleanroom.rules.cells import condition_of
from cleanroom.rules.populations import families, in_words_of
from cleanroom.rules.uses import derived, occurrences


def release_overlap(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A dataset feeds the cells of one scan in one release, or of releases over the same rows that are checked together.

    Within a release its other scans may restrict and give keys (SEMANTICS 0). What two releases over other rows show of
    it could be subtracted.
    """
    for release in releases(plan.root):
        for feeding in _by_dataset(_feeding(release, facts(release.input, policy.datasets))).values():
            if len(feeding) > 1:
                yield _overlap(feeding[-1], "feeds two aggregates of one answer through different aliases")
    found = families(plan)
    for family in found:
        others = {s.dataset for other in found if other is not family for r in other for s in scans(r.input)}
        read = [scan for release in family for scan in scans(release.input)]
        for scan in {s.dataset: s for s in read if s.dataset in others}.values():
            yield _overlap(scan, "is read by more than one aggregate query of one answer, over different rows")
        yield from _unchecked(family, policy)


def _unchecked(family: tuple[Aggregate, ...], policy: Policy) -> Iterator[Finding]:
    """Releases over the same rows stand together where every cell of theirs stands for all of its row's people."""
    first = family[0]
    if len(family) == 1:
        return
    known = facts(first.input, policy.datasets)
    scan = scans(first.input)[0]
    if any(in_words_of(release, other) is None for release in family for other in family):
        yield _overlap(scan, "is read by several aggregate queries of one answer whose groups do not compare")
    if _crossing(family):
        yield _overlap(scan, "is grouped in ways that cross each other, and not by all of their keys at once")
    conditional = any(
        condition_of(m.origin, facts(release.input, policy.datasets)) is not None
        for release in family
        for m in release.measures
        if isinstance(m.origin, AggregateCall)
    )
    absent = any(isinstance(r, Join) and r.kind is JoinKind.ANTI for r in relations(first.input))
    if conditional or absent or any(unit.optional for unit in known.units):
        yield Finding(
            "release.overlap",
            f"{scan.dataset} is aggregated at several grains, under conditions that are not checked across grains.",
            scan.dataset,
            at=first.at or scan.at,
            hint="At several grains use aggregates of columns that are never NULL, without FILTER, CASE, LEFT JOIN and NOT IN.",
        )


def _crossing(family: tuple[Aggregate, ...]) -> bool:
    """Whether two releases are grouped so that neither's groups are made of the other's, and none by the keys of all.

    Where groups of several meet there may be few people, whom only a release by all of these keys would count.
    """
    sets = [keys for release in family if (keys := in_words_of(family[0], release)) is not None]
    every = tuple(key for keys in sets for key in keys)
    crosses = any(not contains(one, other) and not contains(other, one) for one, other in combinations(sets, 2))
    return crosses and not any(contains(keys, every) for keys in sets)


def _feeding(release: Aggregate, known: Facts) -> tuple[Scan, ...]:
    """The scans whose rows the release's cells are made of; COUNT(*) counts the rows of all that make up a row.

    A condition on one cell feeds it like its argument: only what holds for all cells merely restricts. Where each person
    has one row, COUNT(*) counts the people of one scan.
    """
    calls = [m.origin for m in release.measures if isinstance(m.origin, AggregateCall)]
    parts = [part for call in calls for part in inputs(call)]
    sources = {found.column.source for part in parts for found in occurrences(part)}
    for value in (value for part in parts for value in derived(part) if value.call.function == "count_rows"):
        sources |= {scan.source for row in known.owners.get(value.field.id, known.rows) for scan in known.scans[row]}
    if not calls or any(call.argument is None for call in calls):
        sources |= counted_people(known)[0]
    return tuple(scan for scan in scans(release.input) if scan.source in sources)


def counted_people(known: Facts) -> tuple[frozenset[SourceId], frozenset[Claim]]:
    """The sources that COUNT(*) counts rows of, and the promises that rests on: of one, where it counts its people."""
    for unit in known.units:
        reached, claims = known.closure(frozenset({column(unit.field)}))
        if not unit.optional and known.rows <= reached and any(unit.scan in known.scans[row] for row in known.rows):
            return frozenset({unit.scan.source}), claims
    return frozenset(scan.source for row in known.rows for scan in known.scans[row]), frozenset()


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
