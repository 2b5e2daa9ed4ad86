"""Joins of people's rows → join.not_allowed, join.required."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import Column, SourceColumn
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.identifiers import DatasetName, SourceId, owner_of
from cleanroom.domain.plan import Aggregate, Join, JoinKind, Plan, Relation, Scan, inputs_of, releases, scans
from cleanroom.domain.policy import AnalysisRule, JoinRequirement, Policy
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


_WORDS = {
    JoinKind.INNER: "INNER",
    JoinKind.LEFT: "LEFT",
    JoinKind.SEMI: "SEMI",
    JoinKind.ANTI: "ANTI",
    JoinKind.FULL: "FULL",
}


def _unlisted_kind(join: Join, policy: Policy) -> Iterator[Finding]:
    """The owners of both sides list the kind; IN and EXISTS are SEMI joins, NOT IN and NOT EXISTS are ANTI joins."""
    ends = [found for pair in join.keys for column in pair if (found := source_column(column)) is not None]
    sides = [*scans(join.left), *scans(join.right)] if not ends else []
    if join.kind is not JoinKind.INNER:  # who is on the other side has, or has not, a match in all that makes it up
        sides = list(scans(join.right))
    names = dict.fromkeys([*(column.dataset for column, _ in ends), *(scan.dataset for scan in sides)])
    if join.kind is JoinKind.INNER and len(names) < 2:
        return  # a dataset meets itself on its own unit, whatever its owner lists
    for name in names:
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
        read = scans(release.input)
        for scan in read:
            rule = policy.rules.get(scan.dataset)
            if rule is None or rule.joins.required is JoinRequirement.NONE:
                continue
            message = _unmet(scan, _linked(scan, release), {s.dataset for s in read if s is not scan}, rule)
            if message is not None:
                yield Finding("join.required", message, scan.dataset, at=scan.at, hint=_hint(policy, scan.dataset))


def _linked(scan: Scan, release: Aggregate) -> set[DatasetName]:
    """The datasets that every row of the scan which gets into the release has a match in."""
    beside = _beside(release.input)[0].get(scan.source, frozenset())
    return {s.dataset for s in scans(release.input) if s.source in beside and s.source != scan.source}


def _beside(relation: Relation) -> tuple[dict[SourceId, frozenset[SourceId]], frozenset[SourceId]]:
    """For each source those that are there wherever it is, and the sources that are there in every row."""
    match relation:
        case Scan(source=source):
            return {source: frozenset({source})}, frozenset({source})
        case Join(left=left, right=right, kind=kind, keys=keys):
            mine, always = _beside(left)
            theirs, other = _beside(right)
            asked = frozenset(f[0].source for pair in keys for c in pair if (f := source_column(c)) is not None)
            match kind:
                case JoinKind.INNER | JoinKind.SEMI:
                    both = {**mine, **theirs}
                    every = frozenset(t for s in always | other | asked for t in both.get(s, frozenset()))
                    return {s: found | every for s, found in both.items()}, every
                case JoinKind.LEFT:
                    return {**mine, **{s: found | other | always for s, found in theirs.items()}}, always
                case _:
                    return {**theirs, **mine}, always
    below = [_beside(inner) for inner in inputs_of(relation)]
    return below[0] if len(below) == 1 else ({}, frozenset())


def _unmet(scan: Scan, linked: set[DatasetName], read: set[DatasetName], rule: AnalysisRule) -> str | None:
    match rule.joins.required:
        case JoinRequirement.ANY if not any(owner_of(o) != owner_of(scan.dataset) for o in linked):
            return f"{scan.dataset} is used only joined with a dataset of another partner."
        case JoinRequirement.ALL if missing := {p.dataset for p in rule.joins.partners} - linked:
            return f"{scan.dataset} is used only joined with {', '.join(sorted(missing))}."
        case JoinRequirement.BLOCKED if read:
            return f"{scan.dataset} is not joined with anything."
    return None
