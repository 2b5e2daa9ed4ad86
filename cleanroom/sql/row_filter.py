"""An owner's row filter text → a predicate over the columns of its own dataset, or the findings that say why not."""

from __future__ import annotations

import datetime

from cleanroom.domain.expression import Expression, Field, Missing, SourceColumn
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import CollaborationName, SourceId
from cleanroom.domain.policy import AnalysisRule, Collaboration, Dataset, Policy
from cleanroom.sql.expressions import condition
from cleanroom.sql.parse import parse_condition
from cleanroom.sql.resolution import Resolution
from cleanroom.sql.scope import Member, Scope
from cleanroom.sql.terms import Terms

_SOME_MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""Whether a condition reads does not depend on when it is read."""


def resolve_row_filter(rule: AnalysisRule, fields: tuple[Field, ...], resolution: Resolution) -> Expression | None:
    """The rule's condition over the fields of a scan; None where the rule has none.

    A filter that does not read is the owner's to mend: the query is refused with the one code rule.row_filter. So is one
    under a rule that was not brought to its runner (`for_runner`): which of its filters holds is not known then.
    """
    if rule.row_filter is None and not rule.row_filters:
        return None
    private = Resolution(resolution.policy, resolution.now)
    found = _predicate(rule.row_filter or "FALSE", fields, private)
    if not private.findings and not rule.row_filters:
        return found
    return resolution.refuse(
        "rule.row_filter", "The owner's row filter cannot be applied.", dataset=rule.dataset, hint="Tell the owner."
    )


def check_row_filter(dataset: Dataset, text: str) -> tuple[Finding, ...]:
    """Why the text is no condition over the dataset's columns; nothing where it is one."""
    nobody = Policy(Collaboration(CollaborationName("-"), "", ()), {dataset.name: dataset}, {})
    resolution = Resolution(nobody, _SOME_MOMENT)
    fields = tuple(
        resolution.field(c.name, c.type, nullable=c.nullable, origin=SourceColumn(SourceId(0), dataset.name, c.name))
        for c in dataset.columns
    )
    _predicate(text, fields, resolution)
    return tuple(resolution.findings)


def _predicate(text: str, fields: tuple[Field, ...], resolution: Resolution) -> Expression:
    tree = parse_condition(text)
    if isinstance(tree, Finding):
        return resolution.refuse(tree.code, tree.message, tree.at, hint=tree.hint)
    scope = Scope((Member(None, None, fields),))
    try:
        return condition(tree, Terms(resolution, scope, "a row filter"))
    except RecursionError:
        return resolution.refuse("sql.too_large", "The condition nests too deep.") or Missing()
