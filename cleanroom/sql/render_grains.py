"""Private step among others of the same rows → what the rows shown beside it and beneath it leave of its groups."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from cleanroom.domain.expression import AggregateCall, Field
from cleanroom.domain.steps import (
    PrivateStep,
    contains,
    distinct_counts,
    remainder_name,
    shared_minimum_name,
    withheld_beside_name,
)
from cleanroom.sql.render_counts import (
    Base,
    Table,
    arguments_of,
    distinct,
    enough,
    grouped,
    least_classes,
    same,
)
from cleanroom.sql.render_expression import render_expression
from cleanroom.sql.render_rows import made_from, provided
from cleanroom.sql.render_text import name_of, quoted


def grained(base: Base, step: PrivateStep, carried: Sequence[Field]) -> Base:
    """The same rows (of columns `carried`), each with h<i>: the shown group of the finer set i that it is in, or 0.

    Afterwards there is a table `_every` of the rows with all keys of all sets.
    ValueError: sets that are not as `PrivateStep` has them.
    """
    own = step.aggregate.keys
    if not all(keys and contains(keys, own) for keys in step.finer):
        raise ValueError("a finer set of keys that lacks some of the step's")
    if any(contains(keys, own) or contains(own, keys) for keys in step.beside):
        raise ValueError("sets of keys beside each other of which one contains the other")
    names = _key_names(step)
    columns = [f"{text} AS {name}" for text, name in names.items()]
    every = f"SELECT {', '.join([*columns, *map(name_of, carried)])} FROM ({base.source})"
    shown = [_shown(step, number) for number in range(len(_sets(step)))]
    return Base(
        (*base.tables, Table("_every", every, materialized=True), *shown),
        _flagged(step, range(len(step.finer))),
        tuple((name, names[text]) for name, text in base.keys),
    )


def grain_base(step: PrivateStep, base: Base) -> Iterator[Table]:
    """Keys, distinct measures' arguments x<id>, units u<j> and h<i>, where values are to be sorted into classes."""
    measures = distinct_counts(step)
    if step.finer and measures:
        columns = [f"{text} AS {quoted(name)}" for name, text in base.keys]
        columns += [f"{next(arguments_of(cast(AggregateCall, m.origin)))} AS x{m.id}" for m in measures]
        columns += [f"{name_of(unit)} AS u{j}" for j, unit in enumerate(step.units)]
        columns += [f"h{i}" for i in range(len(step.finer))]
        yield Table("_base", f"SELECT {', '.join(columns)} FROM ({base.source})", materialized=True)


def remainders(step: PrivateStep) -> dict[str, str]:
    """Distinct units of a group's rows in no shown group of a finer set."""
    if not step.finer:
        return {}
    rest = _rest(range(len(step.finer)))
    return {remainder_name(j): f"{distinct(unit)}{rest}" for j, unit in enumerate(step.units)}


def grain_counts(step: PrivateStep, base: Base) -> Iterator[Table]:
    """What a step with finer key sets, or some beside it, counts besides what its own groups hold."""
    yield from (_shared(step, measure, base.names) for measure in (distinct_counts(step) if step.finer else ()))
    if step.beside:
        crossing = range(len(step.finer), len(_sets(step)))
        withheld = [f"({_withheld(i, _names(step, _sets(step)[i]))}) AS w{i}" for i in crossing]
        total = " + ".join(f"w{i}.few" for i in crossing)
        query = f"SELECT ({total}) AS w FROM {' CROSS JOIN '.join(withheld)}"
        yield Table("_beside", query, keyed=False, outputs={withheld_beside_name(): "_beside.w"})


def _withheld(number: int, names: Sequence[str]) -> str:
    groups = f"SELECT 1 AS one FROM _every{grouped(names)}"
    both = f"(SELECT count(*) AS n FROM ({groups})) AS g CROSS JOIN (SELECT count(*) AS n FROM _shown{number}) AS s"
    return f"SELECT (g.n - s.n) AS few FROM {both}"


def _sets(step: PrivateStep) -> list[tuple[Field, ...]]:
    """The sets whose shown groups matter: the finer ones, then those beside the step's own and itself, containing ones first."""
    if not step.beside:
        return [*step.finer]
    crossing = sorted(step.beside, key=lambda keys: len(_names(step, keys)), reverse=True)
    return [*step.finer, *crossing, step.aggregate.keys]


def _shown(step: PrivateStep, number: int) -> Table:
    """The shown groups of a set, numbered: enough units, and none or enough of what finer sets before it leave."""
    sets = _sets(step)
    keys = _names(step, sets[number])
    below = [i for i in range(number) if contains(sets[i], sets[number])]
    kept = enough(step, [distinct(unit) for unit in step.units])
    left = [f"{distinct(unit)}{_rest(below)}" for unit in step.units] if below else []
    kept += [f"(({count} = 0) OR ({count} >= {int(step.minimum_units)}))" for count in left]
    having = f" HAVING {' AND '.join(kept)}" if kept else ""
    columns = ", ".join([*keys, "row_number() OVER () AS id"])
    query = f"SELECT {columns} FROM ({_flagged(step, below)}){grouped(keys)}{having}"
    # Once: numbered anew at each reading, groups would not be the same.
    return Table(f"_shown{number}", query, materialized=True)


def _flagged(step: PrivateStep, sets: Sequence[int]) -> str:
    """The rows with h<i> for these finer sets."""
    tables = {i: same(_names(step, _sets(step)[i]), "_every", f"_shown{i}") for i in sets}
    joins = "".join(f" LEFT JOIN _shown{i} ON ({on})" for i, on in tables.items())
    flags = "".join(f", coalesce(_shown{i}.id, 0) AS h{i}" for i in sets)
    return f"SELECT _every.*{flags} FROM _every{joins}"


def _rest(sets: Sequence[int]) -> str:
    return f" FILTER (WHERE {' AND '.join(f'(h{i} = 0)' for i in sets)})"


def _shared(step: PrivateStep, measure: Field, names: Sequence[str]) -> Table:
    """The least class of values: those of the measure's argument that occur in exactly the same shown groups."""
    sets = range(len(step.finer))
    places = [f"list_sort(list(DISTINCT h{i}) FILTER (WHERE (h{i} > 0)))" for i in sets]
    elsewhere = f"bool_or({' OR '.join(f'(h{i} = 0)' for i in sets)})"
    made = [shared_minimum_name(measure, j) for j in range(len(step.units))]
    least = [f"min(u{j}) AS {quoted(name)}" for j, name in enumerate(made)]
    table = f"_shared{measure.id}"
    query = least_classes(measure, len(made), names, [*places, elsewhere], least)
    return Table(table, query, outputs={name: f"{table}.{name}" for name in made})


def _names(step: PrivateStep, keys: Sequence[Field]) -> list[str]:
    names = _key_names(step)
    return list(dict.fromkeys(names[text] for text in _texts(step, keys)))


def _key_names(step: PrivateStep) -> dict[str, str]:
    """What a key of any of the sets is computed from → its name k<i>; keys are the same where that is."""
    keys = [key for keys in (step.aggregate.keys, *step.finer, *step.beside) for key in keys]
    return {text: f"k{i}" for i, text in enumerate(dict.fromkeys(_texts(step, keys)))}


def _texts(step: PrivateStep, keys: Sequence[Field]) -> list[str]:
    carried = provided(step.aggregate.input)
    return [render_expression(made_from(key, carried)) for key in keys]
