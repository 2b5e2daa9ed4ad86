"""Private step → its rows with the keys of groups of too few replaced, and whom its anti-joins took from each group."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterator, Sequence

from cleanroom.domain.expression import Field
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import PrivateStep, Removal, pooled_name, removed_name
from cleanroom.sql.render_counts import Base, Table, distinct, grouped, same, too_few
from cleanroom.sql.render_expression import render_expression
from cleanroom.sql.render_rows import Tables, made_from, provided, read_by, rows
from cleanroom.sql.render_text import name_of, quoted


def pools(step: PrivateStep) -> bool:
    """Whether groups of too few come as one row. Without keys there is one group, and nothing to put together."""
    return step.small_groups is SmallGroups.POOL and bool(step.aggregate.keys)


def pooled(base: Base, step: PrivateStep, carried: Sequence[Field]) -> Base:
    """The same rows, the keys of groups of too few NULL; one key more tells these from groups whose own keys are NULL.

    `carried` are the columns of the rows. Afterwards there is a table `_small` of the groups that were put together.
    """
    keys = _numbered(len(base.keys))
    columns = [f"{text} AS {key}" for key, (_, text) in zip(keys, base.keys, strict=True)]
    names = [name_of(f) for f in carried]
    every = f"SELECT {', '.join([*columns, *names])} FROM ({base.source})"
    small = f"SELECT {', '.join(keys)}, 1 AS few FROM _every{grouped(keys)} HAVING {too_few(step)}"
    replaced = tuple((name, key) for key, (name, _) in zip(keys, base.keys, strict=True))
    return Base(
        (*base.tables, Table("_every", every, materialized=True), Table("_small", small, materialized=True)),
        _replaced("_every", keys, names),
        (*replaced, ("pooled", "pooled")),
    )


def pool_count(step: PrivateStep) -> Iterator[Table]:
    """How many groups were put together, where the step asks for it."""
    if step.small_groups is SmallGroups.POOL:
        text = "CASE WHEN (_measures.pooled = 1) THEN _pool.groups ELSE 0 END" if pools(step) else "_pool.groups"
        query = "SELECT count(*) AS groups FROM _small" if pools(step) else "SELECT CAST(0 AS BIGINT) AS groups"
        yield Table("_pool", query, keyed=False, outputs={pooled_name(): text})


def removed_counts(step: PrivateStep, base: Base, tables: Tables) -> Iterator[Table]:
    """For each removal its distinct units, by the step's groups or of all of it."""
    for number, removal in enumerate(step.removals):
        if not set(removal.keys) <= set(step.aggregate.keys):
            raise ValueError("a removal by other keys than its step's")
        if pools(step) and len(removal.keys) not in (0, len(step.aggregate.keys)):
            raise ValueError("groups that are put together are not parted by some of their keys")
        yield _removed(step, number, removal, base, tables)


def _removed(step: PrivateStep, number: int, removal: Removal, base: Base, tables: Tables) -> Table:
    carried = provided(removal.relation)
    keys = [made_from(key, carried) for key in removal.keys]
    names = _numbered(len(keys))
    source = rows(removal.relation, read_by(keys) | set(removal.units), tables)
    columns = [f"{render_expression(key)} AS {name}" for key, name in zip(keys, names, strict=True)]
    units = [name_of(unit) for unit in dict.fromkeys(removal.units)]
    query = f"SELECT {', '.join([*columns, *units]) or '1 AS nothing'} FROM ({source})"
    if keys and pools(step):
        query, names = _replaced(f"({query})", names, units), [*names, "pooled"]
    counts = {removed_name(number, j): distinct(unit) for j, unit in enumerate(removal.units)}
    table = f"_removed{number}"
    own_names = base.names if pools(step) else [name_of(key) for key in removal.keys]
    made = [f"{name} AS {own}" for name, own in zip(names, own_names if keys else (), strict=True)]
    made += [f"{text} AS {quoted(name)}" for name, text in counts.items()]
    return Table(
        table,
        f"SELECT {', '.join(made)} FROM ({query}){grouped(names)}",
        keyed=bool(keys),
        on=tuple(own_names),
        outputs={name: f"coalesce({table}.{name}, 0)" for name in counts},
    )


def _replaced(source: str, keys: Sequence[str], others: Sequence[str]) -> str:
    made = [f"CASE WHEN (s.few = 1) THEN NULL ELSE e.{key} END AS {key}" for key in keys]
    made += ["coalesce(s.few, 0) AS pooled", *(f"e.{name} AS {name}" for name in others)]
    return f"SELECT {', '.join(made)} FROM {source} AS e LEFT JOIN _small AS s ON ({same(keys, 'e', 's')})"


def _numbered(count: int) -> list[str]:
    return [f"k{i}" for i in range(count)]
