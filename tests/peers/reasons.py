"""A case on which the two sides differ → the one reason from a closed list, told from finding codes and the query's shape."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from sqlglot import exp

from cleanroom.domain.finding import Finding
from cleanroom.domain.policy import Policy
from tests.peers import shape
from tests.peers.cases import Label, Peer
from tests.peers.names import tree_of
from tests.peers.verdicts import Judged


class Reason(StrEnum):
    """Why a query is refused here, or accepted, while the project says otherwise."""

    READS = "the project only reads it, it does not judge"
    NO_QUERY = "it is no query: it writes, prepares or sets"
    OWN = "it asks the project's own functions or catalogs"
    LACKING_TYPE = "it reads a column of a type that no dataset here has (TIME, INTERVAL)"
    BY_ITSELF = "it names columns without GROUP BY: the project groups by itself, here the query says so"
    ROWS = "it returns rows: never here"
    PER_PERSON = "it returns a row for each person or key: never here"
    EXTREME = "MIN, MAX and quantiles are one person's value: never of a release"
    KEY = "a person's key is no group, condition or sum"
    COMPARES = "it compares two columns with each other"
    COMPUTED = "an aggregate of an expression over columns"
    FUNCTION = "it computes with a column before grouping by it"
    REPEATS = "the join may repeat the rows that SUM or AVG reads: nothing in the metadata says that it does not"
    OVERLAP = "two readings of one table are aggregated together"
    NO_EQUALITY = "rows are joined without an equality of columns"
    NOT_A_KEY = "it joins on a column that is grouped by or shown: here a column is one or the other"
    LEVEL = "the column's level does not say that it may be used so"
    CHOSEN = "ORDER BY or LIMIT over rows chooses people"
    TYPES = "it mixes types that the project does not check"
    UNNAMED = "it names a table or column that the metadata lacks"
    UNREAD = "the text is not read in this dialect"
    PARENTHESES = "unsupported syntax: a statement in parentheses"
    SET = "unsupported syntax: a set operation over rows"
    QUANTIFIED = "unsupported syntax: comparison with ANY or ALL"
    NO_FUNCTION = "unsupported syntax: a function, type or part of a date that is not here"
    WINDOW = "unsupported syntax: this window"
    SUBQUERY = "unsupported syntax: this sub-query as a value"
    FULL_JOIN = "unsupported syntax: a full join"
    NATURAL = "unsupported syntax: a natural join"
    NESTED_JOIN = "unsupported syntax: a join in parentheses"
    STAR = "unsupported syntax: a star over rows"

    ARITHMETIC = "arithmetic over released groups is free here; there it would scale the noise"
    NO_SYNTAX = "the project has no such syntax"
    GENERALISES = "the project groups and filters by a few fixed forms; here a threshold guards any form"
    BOUNDS = "the project needs bounds of what is aggregated for its noise; thresholds do not"
    KEYLESS = "the project needs the person's key in every sub-select; here it is carried unseen"


def reason_of(judged: Judged, peer: Peer) -> Reason | None:
    """Why the two differ, or why what the project says nothing of is refused; None where there is nothing to explain.

    Raises Unexplained where they differ and no reason of the list holds.
    """
    approved, label = judged.verdict.approved, judged.case.label
    if label is Label.REFUSES:
        found = _why_accepted(judged, peer) if approved else None
        return _told(found, judged) if approved else None
    return None if approved else _told(_why_refused(judged, peer), judged)


class Unexplained(Exception):
    """The two sides differ for a reason that is not on the list."""


def _told(found: Reason | None, judged: Judged) -> Reason:
    if found is None:
        raise Unexplained(f"{judged.case.label}, {sorted(judged.codes)}: {judged.case.sql}")
    return found


def _why_refused(judged: Judged, peer: Peer) -> Reason | None:
    if judged.case.label is Label.READS:
        return Reason.READS
    if not shape.is_query(judged.case.sql):
        return Reason.NO_QUERY
    if any(word in judged.case.sql.lower() for word in peer.own_words):
        return Reason.OWN
    tree = tree_of(judged.case.sql, peer.dialect)
    if tree is None:
        return Reason.UNREAD
    if "name.unknown" in judged.codes and shape.names(tree) & peer.lacking:
        return Reason.LACKING_TYPE
    if shape.returns_rows(tree):
        return Reason.BY_ITSELF if peer.groups_by_itself else Reason.ROWS
    return next((reason for reason, holds in _REFUSALS if holds(judged, tree)), None)


def _codes(*codes: str) -> Callable[[Judged, exp.Expr], bool]:
    return lambda judged, tree: bool(judged.codes & set(codes))


def _extreme(judged: Judged, tree: exp.Expr) -> bool:
    return bool(judged.codes & {"aggregate.not_allowed", "sql.unsupported"}) and shape.has_extreme(tree)


def _of_key(judged: Judged, tree: exp.Expr) -> bool:
    about = {"column.not_groupable", "column.not_filterable", "aggregate.not_allowed"}
    return any(f.code in about and _is_key(f, judged.verdict.policy) for f in judged.verdict.findings)


def _is_key(finding: Finding, policy: Policy) -> bool:
    if finding.dataset is None or finding.column is None:
        return False
    rule, dataset = policy.rules[finding.dataset], policy.datasets[finding.dataset]
    return rule.column(finding.column).join or finding.column in dataset.privacy_units


def _computed(judged: Judged, tree: exp.Expr) -> bool:
    about = {"aggregate.not_allowed", "function.not_allowed", "type.mismatch"}
    return bool(judged.codes & about) and shape.has_computed_argument(tree)


def _unlinked(judged: Judged, tree: exp.Expr) -> bool:
    return any(f.code == "join.not_allowed" and "without" in f.message for f in judged.verdict.findings)


def _joined(word: str) -> Callable[[Judged, exp.Expr], bool]:
    refused = {"join.not_allowed", "sql.unsupported"}
    return lambda judged, tree: bool(judged.codes & refused) and word in shape.joins(tree)


def _lacks(construct: str) -> Callable[[Judged, exp.Expr], bool]:
    return lambda judged, tree: "sql.unsupported" in judged.codes and shape.construct(tree) == construct


def _in_parentheses(judged: Judged, tree: exp.Expr) -> bool:
    return "sql.unsupported" in judged.codes and judged.case.sql.startswith("(")


def _set_of_rows(judged: Judged, tree: exp.Expr) -> bool:
    found = judged.codes & {"sql.unsupported", "output.not_aggregate"}
    return bool(found) and tree.find(exp.SetOperation) is not None


def _star(judged: Judged, tree: exp.Expr) -> bool:
    return any(f.code == "output.not_aggregate" and "star" in f.message for f in judged.verdict.findings)


_REFUSALS: tuple[tuple[Reason, Callable[[Judged, exp.Expr], bool]], ...] = (
    (Reason.EXTREME, _extreme),
    (Reason.KEY, _of_key),
    (Reason.COMPARES, _codes("predicate.compares_columns")),
    (Reason.COMPUTED, _computed),
    (Reason.FUNCTION, _codes("function.not_allowed")),
    (Reason.REPEATS, _codes("join.repeats_rows")),
    (Reason.OVERLAP, _codes("release.overlap")),
    (Reason.FULL_JOIN, _joined("FULL")),
    (Reason.NATURAL, _joined("NATURAL")),
    (Reason.TYPES, _codes("type.mismatch")),
    (Reason.NO_EQUALITY, _unlinked),
    (Reason.NOT_A_KEY, _codes("join.not_allowed")),
    (Reason.PARENTHESES, _in_parentheses),
    (Reason.SET, _set_of_rows),
    (Reason.STAR, _star),
    (Reason.PER_PERSON, _codes("output.not_aggregate")),
    (Reason.QUANTIFIED, _lacks("ANY or ALL")),
    (Reason.NO_FUNCTION, _lacks("function")),
    (Reason.WINDOW, _lacks("window")),
    (Reason.NESTED_JOIN, _lacks("join in parentheses")),
    (Reason.SUBQUERY, _lacks("sub-query as a value")),
    (Reason.LEVEL, _codes("column.not_groupable", "column.not_filterable", "column.blocked", "aggregate.not_allowed")),
    (Reason.CHOSEN, _codes("rows.chosen")),
    (Reason.UNNAMED, _codes("name.unknown", "name.ambiguous")),
    (Reason.UNREAD, _codes("sql.syntax")),
)
"""In order: what no query can have comes before what a mended text could, and what follows from something else comes last."""


def _why_accepted(judged: Judged, peer: Peer) -> Reason | None:
    said = judged.case.said
    for words, reason in _SAID:
        if any(word in said for word in words):
            return reason
    tree = tree_of(judged.case.sql, peer.dialect)
    if tree is not None and not said:
        return (
            Reason.BOUNDS if shape.has_computed_argument(tree) else Reason.KEYLESS if tree.find(exp.Subquery) else None
        )
    return None


_SAID: tuple[tuple[tuple[str, ...], Reason], ...] = (
    (("ArithmeticOnAggregationResult",), Reason.ARITHMETIC),
    (
        ("is not currently supported", "UnsupportedQuery", "UnsupportedConstruct", "Unsupported aggregate"),
        Reason.NO_SYNTAX,
    ),
    (("aggregate argument",), Reason.BOUNDS),
    (("eneralization", "Only equalities", "Simple constants"), Reason.GENERALISES),
)
"""Words of the error that the project expects → the reason."""
