"""A seed → a query of the language over the corpus' tables: legal in most of its parts, and neighbours that are not."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.random_people import distinct_people, moments, per_unit, windowed
from tests.random_select import KEYS, MEASURES, PREDICATES, TABLES, Dice, audience, flat


@dataclass(frozen=True, slots=True)
class Query:
    """A text and the names of what was put into it."""

    text: str
    constructs: frozenset[str]


def random_query(chance: random.Random) -> Query:
    """A query of one of the families."""
    dice = Dice(chance)
    families: tuple[Callable[[Dice], str], ...] = (
        flat,
        flat,
        flat,
        audience,
        per_unit,
        per_unit,
        distinct_people,
        windowed,
        moments,
        totals,
        put_together,
    )
    family = chance.choice(families)
    dice.note(family.__name__)
    text = family(dice)
    return Query(text, frozenset(dice.constructs))


# --- several releases ----------------------------------------------------------------------------------------------


def totals(dice: Dice) -> str:
    """Groups beside a total of the same rows, or of others."""
    alias = dice.pick("coi")
    key, second, measure = dice.pick(KEYS[alias]), dice.pick(KEYS[alias]), dice.pick((*MEASURES[alias], "COUNT(*)"))
    where = f" WHERE {dice.pick(PREDICATES[alias])}" if dice.one_in(3) else ""
    other = dice.pick((where, where, where, where, f" WHERE {dice.pick(PREDICATES[alias])}"))
    rows, others = f"FROM {TABLES[alias]} {alias}{where}", f"FROM {TABLES[alias]} {alias}{other}"
    grouped, total = f"SELECT {key} AS k0, {measure} AS m0 {rows} GROUP BY 1", f"(SELECT {measure} {others})"
    fine = f"SELECT {key} AS k0, {second} AS k1, {measure} AS m0 {rows} GROUP BY 1, 2"
    coarse = f"SELECT {key} AS k0, {measure} AS m0 {others} GROUP BY 1"
    return dice.noted(
        {
            "scalar total": f"SELECT {key} AS k0, {measure} AS m0, {total} AS t {rows} GROUP BY 1",
            "share of total": f"SELECT {key} AS k0, {measure} * 1.0 / NULLIF({total}, 0) AS m0 {rows} GROUP BY 1",
            "total alone": f"SELECT {total} AS t",
            "two totals": f"SELECT {total} AS t, (SELECT COUNT(*) {rows}) AS u",
            "joined grains": f"SELECT a.k0, a.m0, b.m0 AS m1 FROM ({fine}) a JOIN ({coarse}) b ON a.k0 = b.k0",
            "cross total": f"SELECT a.k0, a.m0, b.m0 AS m1 FROM ({grouped}) a CROSS JOIN (SELECT {measure} AS m0 {others}) b",
        }
    )


def put_together(dice: Dice) -> str:
    """Releases one below the other."""
    kind = dice.noted({name: name for name in ("union all", "union", "intersect", "except")}).upper()
    text = f" {kind} ".join(_release(dice, alias) for alias in dice.chance.choices("coi", k=2))
    if dice.one_in(4):
        return f"SELECT k0, SUM(m0) AS m0 FROM ({text}) t GROUP BY k0"
    return text + (" ORDER BY 1, 2 LIMIT 4" if dice.one_in(4) else "")


def _release(dice: Dice, alias: str) -> str:
    where = f" WHERE {dice.pick(PREDICATES[alias])}" if dice.one_in(3) else ""
    rows = f"FROM {TABLES[alias]} {alias}{where}"
    measure = dice.pick((*MEASURES[alias], "COUNT(*)"))
    if dice.one_in(4):
        return f"SELECT 'all' AS k0, {measure} AS m0 {rows}"
    return f"SELECT CAST({dice.pick(KEYS[alias])} AS VARCHAR) AS k0, {measure} AS m0 {rows} GROUP BY 1"
