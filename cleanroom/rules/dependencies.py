"""A release's joins → which columns determine which: closure under equalities and declared unique sets (SEMANTICS 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cleanroom.domain.expression import Column, Field, SourceColumn
from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.plan import Aggregate, Join, Scan, relations, scans
from cleanroom.domain.policy import Dataset
from cleanroom.domain.steps import Claim
from cleanroom.rules.uses import source_column

Node = tuple[SourceId, str]  # a column of a source


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What is known inside one release: its scans, the equalities of its inner joins, the unique sets of its datasets."""

    scans: tuple[Scan, ...]
    equalities: tuple[tuple[Node, Node], ...]
    datasets: Mapping[DatasetName, Dataset]

    def closure(self, start: frozenset[Node]) -> tuple[frozenset[Node], frozenset[Claim]]:
        """Every column that the start determines, and the unique sets of owners that this relies on.

        A unique set is used only where its columns are reached, so by an inner join's equality never with a NULL.
        """
        known, claims = set(start), set[Claim]()
        while True:
            before = len(known)
            for one, other in self.equalities:
                if one in known or other in known:
                    known |= {one, other}
            for scan in self.scans:
                columns = {column for source, column in known if source == scan.source}
                used = next((u for u in self.datasets[scan.dataset].unique if columns >= set(u)), None)
                if used is not None and any((scan.source, f.name) not in known for f in scan.fields):
                    known |= {(scan.source, f.name) for f in scan.fields}
                    claims.add(Claim(scan.dataset, used, unique=True))
            if len(known) == before:
                return frozenset(known), frozenset(claims)

    def row_of(self, scan: Scan) -> tuple[frozenset[Node], frozenset[Claim]]:
        """What one row of the scan determines."""
        return self.closure(frozenset((scan.source, f.name) for f in scan.fields))


def dependencies(release: Aggregate, datasets: Mapping[DatasetName, Dataset]) -> Dependencies:
    """What is known inside the release."""
    pairs = (
        (_node(left), _node(right))
        for relation in relations(release.input)
        if isinstance(relation, Join)
        for left, right in relation.keys
    )
    known = tuple((left, right) for left, right in pairs if left is not None and right is not None)
    return Dependencies(scans(release.input), known, datasets)


def equal_units(release: Aggregate, found: Dependencies) -> tuple[Field, ...]:
    """The units of the release's sources, one for each set that its joins make equal."""
    kept: list[Field] = []
    groups: list[frozenset[Node]] = []
    for scan in scans(release.input):
        for unit in scan.units:
            node = (scan.source, unit.name)
            if not any(node in group for group in groups):
                kept.append(unit)
                groups.append(_equal(node, found.equalities))
    return tuple(kept)


def _equal(start: Node, equalities: tuple[tuple[Node, Node], ...]) -> frozenset[Node]:
    same = {start}
    while True:
        more = {n for one, other in equalities if one in same or other in same for n in (one, other)}
        if more <= same:
            return frozenset(same)
        same |= more


def _node(column: Column) -> Node | None:
    found = source_column(column)
    return None if found is None else (found[0].source, found[0].column)


def repeated_by(column: SourceColumn, found: Dependencies) -> tuple[Scan, ...]:
    """The sources that may repeat the rows which `column` is read from: one row of it does not determine one of theirs."""
    own = next(scan for scan in found.scans if scan.source == column.source)
    determined, _ = found.row_of(own)
    return tuple(
        scan
        for scan in found.scans
        if scan.source != column.source and any((scan.source, f.name) not in determined for f in scan.fields)
    )
