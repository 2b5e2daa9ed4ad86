"""Chance → one SELECT of groups over joined rows: legal in most of its parts, and neighbours that are not."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TABLES = {"c": "retailer.customers", "o": "retailer.orders", "i": "publisher.impressions"}
UNITS = {"c": "user_id", "o": "user_id", "i": "email_sha256"}
C = "retailer.customers c"
ON_CO, ON_CI = "c.user_id = o.user_id", "c.email_sha256 = i.email_sha256"
LATEST_O = (
    "(SELECT user_id, category, ts, amount_usd FROM retailer.orders"
    " QUALIFY ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY ts DESC) = 1)"
)

FROMS = {
    "c": C,
    "o": "retailer.orders o",
    "i": "publisher.impressions i",
    "co": f"{C} JOIN retailer.orders o ON {ON_CO}",
    "ci": f"{C} JOIN publisher.impressions i USING (email_sha256)",
    "cio": f"{C}, publisher.impressions i, retailer.orders o WHERE {ON_CI} AND o.user_id = c.user_id",
    "coc": "retailer.orders o JOIN retailer.orders c ON o.user_id = c.user_id",  # a dataset with itself
    "ix": f"publisher.impressions i, {C}",  # no equality: refused
    "c left o": f"{C} LEFT JOIN retailer.orders o ON {ON_CO}",
    "c left i": f"{C} LEFT JOIN publisher.impressions i ON {ON_CI} AND i.campaign_id = 100",
    "o right c": f"retailer.orders o RIGHT JOIN {C} ON o.user_id = c.user_id",
    "o left c": f"retailer.orders o LEFT JOIN {C} ON o.user_id = c.user_id",
    "c left latest o": f"{C} LEFT JOIN {LATEST_O} o ON {ON_CO}",
    "c latest o": f"{C} JOIN {LATEST_O} o ON {ON_CO}",
    "c left i left o": f"{C} LEFT JOIN publisher.impressions i ON {ON_CI} LEFT JOIN retailer.orders o ON {ON_CO}",
    "c semi": f"{C} SEMI JOIN publisher.impressions i ON {ON_CI}",
    "c anti": f"{C} ANTI JOIN retailer.orders o ON {ON_CO}",
    "o anti": f"retailer.orders o ANTI JOIN {C} ON o.user_id = c.user_id",
    "c left o both": f"{C} LEFT JOIN retailer.orders o ON {ON_CO} AND c.region = 'north'",  # over both sides: refused
    "c full o": f"{C} FULL JOIN retailer.orders o ON {ON_CO}",
    "o on category": "retailer.orders o JOIN retailer.orders p ON o.category = p.category",
}
ALIASES = {"coc": "o", "c semi": "c", "c anti": "c", "o anti": "o", "o on category": "o", "ix": "ci"}
OPTIONAL = {"c left o": "o", "c left i": "i", "o right c": "o", "c left latest o": "o", "o left c": "c"}
KEYS = {
    "c": ("c.region", "c.age_band", "upper(c.loyalty_tier)", "CASE WHEN c.region = 'atoll' THEN 'far' ELSE 'near' END"),
    "o": ("o.category", "date_trunc('month', o.ts)", "EXTRACT(month FROM o.ts)", "coalesce(o.category, 'none')"),
    "i": ("i.campaign_id", "i.ad_format", "CAST(i.ts AS DATE)", "strftime(i.ts, '%Y-%m')", "date_trunc('week', i.ts)"),
}
PREDICATES = {
    "c": ("c.region <> 'atoll'", "c.age_band IN ('18-24')", "NOT (c.loyalty_tier = 'gold')", "c.region IS NULL"),
    "o": ("o.category = 'toys'", "o.ts >= TIMESTAMP '2026-02-01'", "date_trunc('month', o.ts) = DATE '2026-01-01'"),
    "i": ("i.campaign_id BETWEEN 100 AND 101", "i.ad_format LIKE 'b%'", "i.ts < DATE '2026-02-10'", "i.device = 'tv'"),
}
NUMBERS = {"c": "c.lifetime_value", "o": "o.amount_usd", "i": "i.cost_usd"}
MEASURES = {
    "c": ("COUNT(DISTINCT c.user_id)", "SUM(c.lifetime_value)", "AVG(c.lifetime_value)", "COUNT(c.lifetime_value)"),
    "o": ("COUNT(DISTINCT o.user_id)", "SUM(o.amount_usd)", "COUNT(DISTINCT o.amount_usd)", "AVG(o.amount_usd)"),
    "i": ("COUNT(DISTINCT i.email_sha256)", "SUM(i.cost_usd)", "SUM(i.clicked)", "COUNT(i.clicked)"),
}
ILLEGAL_KEYS = ("c.notes", "c.user_id", "o.ts", "i.email_sha256", "c.lifetime_value", "o.order_id")
ILLEGAL_PREDICATES = (
    "c.user_id = 3",
    "o.amount_usd > 2",
    "c.region = c.age_band",
    "i.ts > TIMESTAMP '2026-01-05 10:00:00'",
)
ILLEGAL_MEASURES = (
    "MAX(c.lifetime_value)",
    "SUM(c.user_id)",
    "COUNT(c.notes)",
    "SUM(o.amount_usd * o.amount_usd)",
    "MIN(o.ts)",
    "MEDIAN(i.cost_usd)",
    "SUM(i.cost_usd % 2)",
    "ANY_VALUE(c.region)",
    "SUM(DISTINCT o.amount_usd)",
)
ARITHMETIC = ("SUM({x} * 2 + 1)", "AVG(3 - {x})", "SUM({x} / 4)", "SUM(-{x})", "SUM(2 * ({x} + 1))", "COUNT({x} + 1)")
CLAMPS = (
    "SUM(LEAST({x}, 3.1))",
    "AVG(GREATEST({x}, 1.1))",
    "SUM(COALESCE({x}, 0))",
    "AVG(COALESCE({x}, 2))",
    "SUM(LEAST(GREATEST({x}, 1.1), 5.1))",
    "STDDEV(LEAST({x}, 3.1))",
)
SPREADS = ("STDDEV({x})", "VARIANCE({x})", "CORR({x}, {x})", "COVAR_SAMP({x}, {x})", "STDDEV_POP({x})")
BRANCHES = (
    "SUM(CASE WHEN {p} THEN {x} WHEN {q} THEN 2 ELSE 0 END)",
    "AVG(CASE WHEN {p} THEN {x} ELSE 1 END)",
    "SUM(CASE WHEN {p} THEN 1 WHEN {q} THEN 2 END)",
    "COUNT(CASE WHEN {p} THEN {x} WHEN {q} THEN 1 END)",
    "AVG(CASE WHEN {p} THEN {x} ELSE 0 END)",
    "SUM(CASE WHEN {p} THEN LEAST({x}, 3.1) ELSE {x} END)",
    "COUNT(DISTINCT CASE WHEN {p} THEN {u} ELSE NULL END)",
)
OUTER = (
    "SELECT * FROM ({q}) t",
    "SELECT k0, m0 FROM ({q}) t WHERE m0 IS NOT NULL ORDER BY m0 DESC, k0",
    "WITH t AS ({q}) SELECT count(*) AS groups, sum(m0) AS total FROM t",
    "WITH t AS ({q}) SELECT k0, m0 * 2 AS twice, m0 / NULLIF(m0 - 1, 0) AS ratio FROM t",
    "WITH t AS ({q}) SELECT k0, m0, sum(m0) OVER (PARTITION BY 1) AS s, rank() OVER (ORDER BY m0, k0) AS r FROM t",
    "WITH t AS ({q}) SELECT max(m0) FILTER (WHERE m0 > 2) AS some, sum(CASE WHEN m0 > 99 THEN m0 ELSE 0 END) AS few FROM t",
    "SELECT a.k0, a.m0, b.m0 AS again FROM ({q}) a JOIN ({q}) b ON a.k0 = b.k0",
    "SELECT k0, m0, m0 - lag(m0) OVER (ORDER BY m0, k0) AS step FROM ({q}) t",
    "SELECT k0, m0 FROM ({q}) t WHERE m0 > (SELECT avg(m0) FROM ({q}) s)",
)


@dataclass(slots=True)
class Dice:
    """Chance, and a note of the constructs that it chose."""

    chance: random.Random
    constructs: set[str] = field(default_factory=set)

    def one_in(self, number: int) -> bool:
        return self.chance.randrange(number) == 0

    def pick(self, options: Sequence[str]) -> str:
        return self.chance.choice(options)

    def note(self, construct: str) -> None:
        self.constructs.add(construct)

    def noted(self, options: Mapping[str, str]) -> str:
        """One of the texts, its name noted."""
        name = self.chance.choice(list(options))
        self.note(name)
        return options[name]

    def some(self, legal: Sequence[str], illegal: Sequence[str], most: int) -> list[str]:
        """Up to so many different ones, now and then an illegal one."""
        wild = bool(illegal) and self.one_in(25)
        pool = illegal if wild else legal
        return self.chance.sample(list(pool), min(self.chance.randint(0, most), len(pool)))


# --- groups of joined rows -----------------------------------------------------------------------------------------


def flat(dice: Dice) -> str:
    """Groups and aggregates of joined rows."""
    simple = ("c", "o", "i", "co", "ci", "cio")
    shape = dice.pick(simple) if dice.one_in(2) else dice.pick(tuple(FROMS))
    if shape not in simple:
        dice.note(shape)
    written = f" {FROMS[shape]} ".replace(",", " ")
    aliases = list(ALIASES.get(shape, [alias for alias in "cio" if f" {alias} " in written]))
    asked = predicates(dice, aliases)
    if shape in OPTIONAL and dice.one_in(4):
        dice.note("missing match")
        side = OPTIONAL[shape]
        asked.append(f"{side}.{UNITS[side]} IS {dice.pick(('', 'NOT '))}NULL")
    return select(dice, FROMS[shape], aliases, asked)


def audience(dice: Dice) -> str:
    """People chosen by what another table, or the same, says of them."""
    shape = dice.pick(("c", "o", "i", "co", "ci"))
    alias = dice.pick(shape)
    chosen = [membership(dice, alias) for _ in range(1 if dice.one_in(2) else dice.chance.randint(1, 2))]
    return select(dice, FROMS[shape], list(shape), [*chosen, *predicates(dice, list(shape))])


def membership(dice: Dice, alias: str) -> str:
    other = dice.pick({"c": ("o", "i", "c"), "o": ("c", "o"), "i": ("c", "i")}[alias])
    key = UNITS[alias] if UNITS[alias] == UNITS[other] else "email_sha256"
    inner = [text.replace(f"{other}.", "x.") for text in dice.some(PREDICATES[other], (), 1)]
    both = "".join(f" AND {text}" for text in inner)
    where = f" WHERE {' AND '.join(inner)}" if inner else ""
    table, mine = TABLES[other], f"{alias}.{key}"
    return dice.noted(
        {
            "in": f"{mine} IN (SELECT x.{key} FROM {table} x{where})",
            "not in": f"{mine} NOT IN (SELECT x.{key} FROM {table} x{where})",
            "exists": f"EXISTS (SELECT 1 FROM {table} x WHERE x.{key} = {mine}{both})",
            "not exists": f"NOT EXISTS (SELECT 1 FROM {table} x WHERE x.{key} = {mine}{both})",
            "not exists again": f"NOT EXISTS (SELECT * FROM {table} x WHERE {mine} = x.{key}{both})",
            "in per unit": f"{mine} IN (SELECT x.{key} FROM {table} x{where} GROUP BY x.{key} HAVING COUNT(*) >= 2)",
            "not in per unit": f"{mine} NOT IN (SELECT x.{key} FROM {table} x{where} GROUP BY x.{key} HAVING COUNT(*) >= 2)",
            **_illegal_memberships(dice, alias, mine, key, table),
        }
    )


def _illegal_memberships(dice: Dice, alias: str, mine: str, key: str, table: str) -> dict[str, str]:
    if not dice.one_in(6):
        return {}
    return {
        "exists with <": f"EXISTS (SELECT 1 FROM {table} x WHERE x.{key} < {mine})",
        "in or": f"({mine} IN (SELECT x.{key} FROM {table} x) OR {PREDICATES[alias][0]})",
        "in a few": f"{mine} IN (SELECT x.{key} FROM {table} x LIMIT 2)",
        "exists of anything": f"EXISTS (SELECT 1 FROM {table} x)",
        "in another column": f"{KEYS[alias][0]} IN (SELECT x.{key} FROM {table} x)",
        "correlated condition": f"EXISTS (SELECT 1 FROM {table} x WHERE x.{key} = {mine} AND {PREDICATES[alias][0]})",
    }


def predicates(dice: Dice, aliases: Sequence[str]) -> list[str]:
    if dice.one_in(2):
        return []
    legal = [text for alias in aliases for text in PREDICATES[alias]]
    chosen = dice.some(legal, _of(ILLEGAL_PREDICATES, aliases), 2)
    return [*chosen, membership(dice, dice.pick(aliases))] if dice.one_in(6) else chosen


def _of(texts: Sequence[str], aliases: Sequence[str]) -> list[str]:
    return [text for text in texts if any(f"{alias}." in text for alias in aliases)]


def select(dice: Dice, source: str, aliases: Sequence[str], asked: Sequence[str]) -> str:
    keys = dice.some([k for a in aliases for k in KEYS[a]], _of(ILLEGAL_KEYS, aliases), 2)
    measures = _measures(dice, aliases)
    columns = [f"{key} AS k{n}" for n, key in enumerate(keys)] + [f"{m} AS m{n}" for n, m in enumerate(measures)]
    text = f"SELECT {', '.join(columns)} FROM {source}"
    glue = " AND " if " WHERE c." in source else " WHERE "
    text += "".join((glue if n == 0 else " AND ") + predicate for n, predicate in enumerate(asked))
    text += grouping(dice, keys)
    if dice.one_in(5):
        dice.note("having")
        text += dice.pick((" HAVING COUNT(*) > 2", " HAVING m0 IS NOT NULL"))
    if keys and dice.one_in(4):
        dice.note("outer")
        return dice.pick(OUTER).replace("{q}", text)
    if dice.one_in(5) and len(columns) > 1:
        dice.note("limit")
        text += " ORDER BY ALL LIMIT 3"
    return text


def _measures(dice: Dice, aliases: Sequence[str]) -> list[str]:
    legal = [m for a in aliases for m in MEASURES[a]]
    if dice.one_in(4):
        numbers = [NUMBERS[a] for a in aliases]
        kind, texts = dice.chance.choice(
            [("arithmetic", ARITHMETIC), ("clamp", CLAMPS), ("spread", SPREADS), ("branches", BRANCHES)]
        )
        dice.note(kind)
        parts = [text for a in aliases for text in PREDICATES[a]]
        filled = {"p": dice.pick(parts), "q": dice.pick(parts), "u": f"{aliases[0]}.{UNITS[aliases[0]]}"}
        legal = [dice.pick(texts).format(x=dice.pick(numbers), **filled), *legal[:3]]
    measures = dice.some(legal, _of(ILLEGAL_MEASURES, aliases), 3) or ["COUNT(*)"]
    if dice.one_in(3):
        measures.append("COUNT(*)")
    return [text for measure in measures for text in _perhaps_conditional(dice, measure, aliases)]


def _perhaps_conditional(dice: Dice, measure: str, aliases: Sequence[str]) -> list[str]:
    """The measure as it is, under a condition, or taken apart: all of it beside those for whom something holds."""
    kind = dice.pick(("plain",) * 5 + ("conditional", "total and part", "part and rest", "all three"))
    parts = dice.some([t for a in aliases for t in PREDICATES[a]], _of(ILLEGAL_PREDICATES, aliases), 2)
    condition = dice.pick((" AND ", " OR ")).join(parts)
    if kind == "plain" or not condition:
        return [measure]
    dice.note("condition")
    part, rest = (_under(dice, measure, text) for text in (condition, f"NOT ({condition})"))
    return {
        "conditional": [part],
        "total and part": [measure, part],
        "part and rest": [part, rest],
        "all three": [part, measure, rest],
    }[kind]


def _under(dice: Dice, measure: str, condition: str) -> str:
    """The measure of those rows on which the condition is TRUE, in one of its spellings."""
    function, _, argument = measure[:-1].partition("(")
    distinct = "DISTINCT " if argument.startswith("DISTINCT ") else ""
    value = "1" if argument == "*" else argument.removeprefix("DISTINCT ")
    spellings = [f"{measure} FILTER (WHERE {condition})"]
    if "," not in argument:
        spellings.append(f"{function}({distinct}CASE WHEN {condition} THEN {value} END)")
    if function == "SUM" or argument == "*":
        spellings.append(f"SUM(CASE WHEN {condition} THEN {value} ELSE 0 END)")
        spellings.append(f"SUM(IF({condition}, {value}, NULL))")
    return dice.pick(spellings)


def grouping(dice: Dice, keys: Sequence[str]) -> str:
    if not keys:
        return ""
    names = ", ".join(keys)
    if dice.one_in(5):
        sets = {
            "rollup": f" GROUP BY ROLLUP ({names})",
            "cube": f" GROUP BY CUBE ({names})",
            "grouping sets": f" GROUP BY GROUPING SETS (({names}), ())",
            "sets beside": f" GROUP BY GROUPING SETS ({', '.join(f'({k})' for k in keys)})",
        }
        return dice.noted(sets)
    return " GROUP BY " + dice.pick(
        (names, ", ".join(str(n + 1) for n in range(len(keys))), "ALL", ", ".join(f"k{n}" for n in range(len(keys))))
    )
