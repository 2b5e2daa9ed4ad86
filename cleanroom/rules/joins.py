"""Joins of people's rows → join.not_allowed, join.required."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import Column, SourceColumn
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.identifiers import DatasetName, SourceId, owner_of
from cleanroom.domain.plan import Aggregate, Join, JoinKind, Plan, Scan, relations, releases, scans
from cleanroom.domain.policy import JoinRequirement, Policy
from cleanroom.rules.uses import joins, source_column

Ends = tuple[SourceColumn, SourceColumn]


def join_not_allowed(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every join is an equality of bare columns of equal types, in pairs that both owners list, each entry whole."""
    for join in joins(plan):
        if not join.keys:
            yield _unlinked(join, policy)
        yield from _unlisted_kind(join, policy)
        by_sources: dict[tuple[SourceId, SourceId], list[Ends]] = {}
        for left, right in join.keys:
            ends = _ends(left, right)
            if ends is None or not _same_type(left, right):
                yield Finding(
                    "join.not_allowed",
                    "A join compares two bare columns of one type.",
                    at=left.at or join.at,
                    hint="Join on the columns themselves, without functions or casts.",
                )
            else:
                by_sources.setdefault((ends[0].source, ends[1].source), []).append(ends)
        for pairs in by_sources.values():
            yield from _listed(pairs, join, plan, policy)


_WORDS = {JoinKind.LEFT: "LEFT", JoinKind.SEMI: "SEMI", JoinKind.ANTI: "ANTI", JoinKind.FULL: "FULL"}


def _unlisted_kind(join: Join, policy: Policy) -> Iterator[Finding]:
    """The owners of both sides list the kind; IN and EXISTS are SEMI joins, NOT IN and NOT EXISTS are ANTI joins."""
    if join.kind is JoinKind.INNER:
        return
    ends = [found for pair in join.keys for column in pair if (found := source_column(column)) is not None]
    sides = [*scans(join.left), *scans(join.right)] if not ends else []
    for name in dict.fromkeys([*(column.dataset for column, _ in ends), *(scan.dataset for scan in sides)]):
        rule = policy.rules.get(name)
        if rule is not None and join.kind.value not in rule.joins.kinds:
            yield Finding(
                "join.not_allowed",
                f"{name} is not joined with {_WORDS[join.kind]} JOIN.",
                name,
                at=join.at,
                hint=f"Its owner allows {', '.join(sorted(kind.upper() for kind in rule.joins.kinds))} joins"
                f"{_also(join.kind)}.",
            )


def _also(kind: JoinKind) -> str:
    match kind:
        case JoinKind.SEMI:
            return "; IN and EXISTS are SEMI joins"
        case JoinKind.ANTI:
            return "; NOT IN, NOT EXISTS and LEFT JOIN … WHERE key IS NULL are ANTI joins"
    return ""


def _ends(left: Column, right: Column) -> Ends | None:
    one, other = source_column(left), source_column(right)
    return None if one is None or other is None else (one[0], other[0])


def _same_type(left: Column, right: Column) -> bool:
    return left.type == right.type


def _listed(pairs: list[Ends], join: Join, plan: Plan, policy: Policy) -> Iterator[Finding]:
    first, second = pairs[0]
    keys = {(one.column, other.column) for one, other in pairs}
    if first.dataset == second.dataset and keys == _own_units(first, plan):
        return
    one_sided = [
        mine
        for mine, theirs, used in (
            (first.dataset, second.dataset, keys),
            (second.dataset, first.dataset, {(b, a) for a, b in keys}),
        )
        if not _allows(policy, mine, theirs, used)
    ]
    for dataset in one_sided:
        other = second.dataset if dataset == first.dataset else first.dataset
        yield Finding(
            "join.not_allowed",
            f"{dataset} is not joined with {other} on these columns.",
            dataset,
            (first if dataset == first.dataset else second).column,
            join.at,
            _hint(policy, dataset),
        )


def _own_units(source: SourceColumn, plan: Plan) -> set[tuple[str, str]]:
    """The pairs on which a dataset may meet itself unlisted: its units and nothing else, any further pair is a condition."""
    scan = next(s for s in scans(plan.root) if s.source == source.source)
    return {(unit.name, unit.name) for unit in scan.units}


def _allows(policy: Policy, mine: DatasetName, theirs: DatasetName, used: set[tuple[str, str]]) -> bool:
    """Whether the owner lists every pair used, and at least one of its entries is used whole."""
    rule = policy.rules.get(mine)
    if rule is None or rule.joins.required is JoinRequirement.BLOCKED:
        return False
    entries = [set(p.keys) for p in rule.joins.partners if p.dataset == theirs]
    listed = {key for entry in entries for key in entry}
    usable = all(rule.column(mine_key).join for mine_key, _ in used)
    return usable and used <= listed and any(entry <= used for entry in entries)


def _unlinked(join: Join, policy: Policy) -> Finding:
    left, right = scans(join.left), scans(join.right)
    dataset = right[0].dataset if right else left[0].dataset
    return Finding(
        "join.not_allowed",
        "Rows are combined without an equality of join columns.",
        dataset,
        at=join.at,
        hint=_hint(policy, dataset),
    )


def _hint(policy: Policy, dataset: DatasetName) -> str:
    rule = policy.rules.get(dataset)
    ways = [
        f"{p.dataset} on {' and '.join(f'{mine} = {theirs}' for mine, theirs in p.keys)}"
        for p in (rule.joins.partners if rule is not None else ())
    ]
    return f"Its owner allows joins with {'; '.join(ways)}." if ways else "Its owner allows no join."


def join_required(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Each owner's requirement holds in every release that reads its dataset: any other owner, all listed, or no join.

    What counts is being joined, INNER or SEMI, directly or through other datasets: only then has every row a match.
    """
    for release in releases(plan.root):
        for scan in scans(release.input):
            others = _linked(scan, release)
            message = _unmet(scan, others, {s.dataset for s in scans(release.input) if s is not scan}, policy)
            if message is not None:
                yield Finding("join.required", message, scan.dataset, at=scan.at, hint=_hint(policy, scan.dataset))


def _linked(scan: Scan, release: Aggregate) -> set[DatasetName]:
    """The datasets that every row of the scan which gets into the release has a match in."""
    linked = {scan.source}
    found = [join for join in relations(release.input) if isinstance(join, Join)]
    while more := {source for join in found for source in _through(join, linked)} - linked:
        linked |= more
    return {s.dataset for s in scans(release.input) if s.source in linked and s.source != scan.source}


def _through(join: Join, linked: set[SourceId]) -> set[SourceId]:
    """The sources that rows of the linked ones have a match in by this join. A LEFT join gives its right rows one."""
    left, right = ({s.source for s in scans(side)} for side in (join.left, join.right))
    match join.kind:
        case JoinKind.INNER | JoinKind.SEMI:
            return left | right if linked & (left | right) else set()
        case JoinKind.LEFT:
            return left if linked & right else set()
    return set()


def _unmet(scan: Scan, linked: set[DatasetName], read: set[DatasetName], policy: Policy) -> str | None:
    rule = policy.rules.get(scan.dataset)
    if rule is None:
        return None
    match rule.joins.required:
        case JoinRequirement.ANY if not any(owner_of(o) != owner_of(scan.dataset) for o in linked):
            return f"{scan.dataset} is used only joined with a dataset of another partner."
        case JoinRequirement.ALL if missing := {p.dataset for p in rule.joins.partners} - linked:
            return f"{scan.dataset} is used only joined with {', '.join(sorted(missing))}."
        case JoinRequirement.BLOCKED if read:
            return f"{scan.dataset} is not joined with anything."
    return None
