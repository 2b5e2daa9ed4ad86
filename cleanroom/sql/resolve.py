"""Syntax tree + policy → our own plan. Every name is a dataset's column or Missing; the tree is not used again."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp

from cleanroom.domain.expression import Column, Missing, walk
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import fold
from cleanroom.domain.parameters import Parameters
from cleanroom.domain.plan import Plan, Relation, carried, expressions, inputs_of, relations, scans
from cleanroom.domain.policy import Policy
from cleanroom.sql.dialects import DIALECTS
from cleanroom.sql.extent import too_large
from cleanroom.sql.parse import ParsedQuery
from cleanroom.sql.resolution import Resolution, TooLarge
from cleanroom.sql.select import translate_select
from cleanroom.sql.set_operations import read_set_operation
from cleanroom.sql.sources import Cte, Environment, Tables


@dataclass(frozen=True, slots=True)
class Resolved:
    """The plan, as far as there is one, and what could not be resolved. Made by `resolve` alone."""

    plan: Plan | None
    findings: tuple[Finding, ...]


def resolve(
    parsed: ParsedQuery, policy: Policy, now: datetime.datetime, parameters: Parameters = MappingProxyType({})
) -> Resolved:
    """What the query, asked at the (aware) time `now`, means over the policy's datasets; each `:name` is the literal that
    `parameters` has for it, in places where a literal could be written. Findings: sql.unsupported,
    sql.too_large, name.*, type.mismatch, output.not_aggregate, rule.row_filter. A plan beside findings is for the
    rules to judge the rest, never to run.
    """
    resolution = Resolution(policy, now, DIALECTS[parsed.dialect], parameters)
    unused: list[Relation] = []
    try:
        root = _select(parsed.tree, {}, resolution, unused)
        limit = next((found for r in (root, *unused) if r is not None and (found := too_large(r))), None)
        if limit is not None:
            raise TooLarge(limit)
    except (TooLarge, RecursionError) as error:
        limit = str(error) if isinstance(error, TooLarge) else "expressions may nest only so deep"
        return Resolved(None, (Finding("sql.too_large", f"The query is too large: {limit}."),))
    if parsed.unlisted is not None and not resolution.findings:
        resolution.refuse("sql.unsupported", "A function of this name is not known.", parsed.unlisted)
    if not resolution.findings and (misplaced := resolution.misplaced(parsed.tree)) is not None:
        resolution.refuse("sql.unsupported", "A parameter stands where no literal could.", misplaced)
    if root is not None and not resolution.findings:
        _refuse_unfinished(root, resolution)
    return Resolved(Plan(root, (*unused, *resolution.unread)) if root is not None else None, tuple(resolution.findings))


def _refuse_unfinished(root: Relation, resolution: Resolution) -> None:
    """A plan without findings reads a dataset and knows what every expression means: whatever is unknown is refused."""
    if not scans(root):
        resolution.refuse("sql.unsupported", "The query reads no dataset.")
    for relation in relations(root):
        known = {f.id for below in inputs_of(relation) for f in (*below.fields, *carried(below))}
        for expression in expressions(relation):
            for node in walk(expression):
                if isinstance(node, Missing):
                    resolution.refuse("sql.unsupported", "A part of the query has no meaning here.", node.at)
                elif isinstance(node, Column) and node.field.id not in known:
                    resolution.refuse(
                        "sql.unsupported",
                        f"{node.field.name} is a column of rows that are not there.",
                        node.at,
                        hint="A table of which only absence is asked has no values; nor has what a sub-query reads.",
                    )


def _select(tree: exp.Expr, outer: Environment, resolution: Resolution, unused: list[Relation]) -> Relation | None:
    """One SELECT with its common table expressions; each is read even where nothing uses it, and then kept in `unused`."""
    relation = None
    if type(tree) not in (exp.Select, exp.Union, exp.Intersect, exp.Except):
        resolution.unsupported(tree, hint="Write each part as a SELECT.")
        return None
    environment = _environment(tree, outer, resolution)

    def below(inner: exp.Expr, names: Environment) -> Relation | None:
        return _select(inner, names, resolution, unused)

    if isinstance(tree, exp.SetOperation):
        relation = read_set_operation(tree, lambda side: below(side, environment), resolution)
    elif isinstance(tree, exp.Select):
        relation = translate_select(tree, Tables(resolution, environment, below))
    inherited = set(outer.values())
    for cte in environment.values():
        if cte not in inherited and not cte.used:
            found = below(cte.tree, cte.environment)
            unused += [] if found is None else [found]
    return relation


def _environment(tree: exp.Expr, outer: Environment, resolution: Resolution) -> Environment:
    clause = tree.args.get("with_")
    if clause is None:
        return outer
    resolution.read_whole(clause, "expressions")
    names: dict[str, Cte] = dict(outer)
    own: set[str] = set()
    for cte in clause.expressions:
        resolution.read_whole(cte, "this", "alias", "materialized")
        alias = cte.args["alias"]
        if alias.args.get("columns"):
            resolution.unsupported(alias, "A column list behind a name in WITH", "Rename columns in its SELECT.")
        name = fold(str(alias.this.this))
        if name in own:
            resolution.refuse("name.ambiguous", "Two common table expressions have one name.", alias)
        own.add(name)
        names = {**names, name: Cte(cte.this, names)}
    return names
