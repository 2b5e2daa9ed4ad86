"""Chance → a query by way of single people: one row each first, sets of them, what each did before."""

from __future__ import annotations

from tests.random_select import KEYS, MEASURES, NUMBERS, PREDICATES, TABLES, UNITS, C, Dice, grouping, predicates

# --- tables of single people ---------------------------------------------------------------------------------------

UNIT_MEASURES = {
    "c": ("COUNT(*) AS n", "MAX(c.lifetime_value) AS top", "SUM(c.lifetime_value) AS s", "MIN(c.region) AS first"),
    "o": (
        "COUNT(*) AS n",
        "SUM(o.amount_usd) AS s",
        "MIN(o.ts) AS seen",
        "MAX(o.category) AS first",
        "COUNT(DISTINCT o.category) AS kinds",
        "SUM(o.amount_usd) FILTER (WHERE o.category = 'toys') AS part",
        "COUNT(*) FILTER (WHERE o.category = 'toys') AS few",
        "MIN(date_trunc('month', o.ts)) AS cohort",
        "LEAST(SUM(o.amount_usd), 9.1) AS capped",
        "ARG_MAX(o.category, o.ts) AS first",
    ),
    "i": (
        "COUNT(*) AS n",
        "SUM(i.cost_usd) AS s",
        "MIN(i.ts) AS seen",
        "MAX(i.ad_format) AS first",
        "COUNT(DISTINCT i.campaign_id) AS kinds",
        "SUM(i.clicked) AS clicks",
        "SUM(i.cost_usd) FILTER (WHERE i.device = 'tv') AS part",
        "SUM(CASE WHEN i.campaign_id = 100 THEN 1 ELSE 0 END) AS few",
        "LEAST(COUNT(*), 2) AS capped",
    ),
}
UNIT_KEYS = {
    "n": (
        "u.n",
        "COALESCE(u.n, 0)",
        "u.n IS NULL",
        "LEAST(u.n, 3)",
        "CASE WHEN u.n >= 3 THEN 'many' WHEN u.n >= 2 THEN 'two' ELSE 'one' END",
        "u.n > 1",
    ),
    "s": ("CASE WHEN u.s > 5.1 THEN 'big' ELSE 'small' END", "u.s", "u.s > 5"),
    "seen": ("date_trunc('month', u.seen)", "EXTRACT(month FROM u.seen)", "u.seen"),
    "first": ("u.first", "upper(u.first)"),
    "kinds": ("u.kinds",),
    "part": ("CASE WHEN u.part > 2.1 THEN 'some' ELSE 'none' END", "u.part IS NULL"),
    "few": ("u.few", "u.few > 0"),
    "cohort": ("u.cohort",),
    "capped": ("u.capped",),
    "clicks": ("u.clicks", "CASE WHEN u.clicks > 0 THEN 'clicked' ELSE 'not' END"),
    "top": ("u.top",),
}
UNIT_CELLS = {
    "n": (
        "SUM(u.n)",
        "AVG(u.n)",
        "AVG(COALESCE(u.n, 0))",
        "SUM(CASE WHEN u.n >= 2 THEN u.n ELSE 0 END)",
        "COUNT(u.n)",
        "SUM(LEAST(u.n, 2))",
        "COUNT(*) FILTER (WHERE u.n >= 2)",
        "MAX(u.n)",
        "SUM(u.n * 2)",
    ),
    "s": ("SUM(u.s)", "AVG(u.s)", "SUM(LEAST(u.s, 9.1))", "SUM(COALESCE(u.s, 0))", "SUM(u.s) FILTER (WHERE u.n >= 2)"),
    "seen": ("MIN(u.seen)", "COUNT(u.seen)"),
    "first": ("COUNT(DISTINCT u.first)", "COUNT(*) FILTER (WHERE u.first = 'toys')"),
    "kinds": ("AVG(u.kinds)", "SUM(u.kinds)"),
    "part": ("SUM(u.part)", "AVG(u.part)", "COUNT(u.part)", "SUM(COALESCE(u.part, 0))"),
    "few": ("SUM(u.few)", "AVG(u.few)", "COUNT(*) FILTER (WHERE u.few > 0)"),
    "cohort": ("COUNT(u.cohort)",),
    "capped": ("SUM(u.capped)", "AVG(u.capped)"),
    "clicks": ("SUM(u.clicks)", "AVG(u.clicks)"),
    "top": ("SUM(u.top)", "AVG(u.top)"),
}


def per_unit(dice: Dice) -> str:
    """One row a person first, then groups of people by what is known of each."""
    alias = dice.pick("oooiiic")
    unit, group = UNITS[alias], {"o": "category", "i": "ad_format", "c": "region"}[alias]
    inner, names = _one_row_each(dice, alias, group)
    source, others = _with_others(dice, alias)
    keys = [k for n in names for k in UNIT_KEYS[n]] + [k for a in others for k in KEYS[a]]
    if f"{alias}.{group}," in inner:
        keys += [f"u.{group}"] * 2
    keys = list(dict.fromkeys(dice.some(keys, (), 2)))
    cells = [m for n in names for m in UNIT_CELLS[n]] + [m for a in others for m in MEASURES[a]]
    measures = dice.some([*cells, f"COUNT(DISTINCT u.{unit})", "COUNT(*)"], (), 3) or ["COUNT(*)"]
    listed = [f"{k} AS k{i}" for i, k in enumerate(keys)] + [f"{m} AS m{i}" for i, m in enumerate(measures)]
    text = f"WITH {inner} SELECT {', '.join(listed)} FROM {source}"
    if dice.one_in(4):
        dice.note("derived predicate")
        text += " WHERE " + dice.pick(("u.n >= 2", "u.n BETWEEN 1 AND 2", "u.n = 1", "COALESCE(u.n, 0) < 2"))
    return text + grouping(dice, keys)


def _one_row_each(dice: Dice, alias: str, group: str) -> tuple[str, list[str]]:
    """The table u of a person's measures, and their names: at once, for each kind of event, or in two steps."""
    columns = dice.chance.sample(UNIT_MEASURES[alias], dice.chance.randint(1, 3))
    if not any(column.endswith(" AS n") for column in columns):
        columns.append("COUNT(*) AS n")
    conditions = predicates(dice, [alias])
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    unit, rows = f"{alias}.{UNITS[alias]}", f"FROM {TABLES[alias]} {alias}{where}"
    if dice.one_in(8):
        dice.note("two steps")
        first = f"SELECT {unit}, {alias}.{group}, COUNT(*) AS n0, SUM({NUMBERS[alias]}) AS s0 {rows} GROUP BY 1, 2"
        cells = dice.pick(("SUM(t.n0)", "COUNT(*)", "MAX(t.n0)", "AVG(t.n0)")), dice.pick(("SUM(t.s0)", "MAX(t.s0)"))
        second = f"SELECT t.{UNITS[alias]}, {cells[0]} AS n, {cells[1]} AS s FROM t GROUP BY 1"
        return f"t AS ({first}), u AS ({second})", ["n", "s"]
    names = list(dict.fromkeys(column.rpartition(" AS ")[2] for column in columns))
    columns = [next(c for c in columns if c.endswith(f" AS {name}")) for name in names]
    having = " HAVING COUNT(*) >= 2" if dice.one_in(5) else ""
    if dice.one_in(5):
        dice.note("rows by kind")
        listed = f"{unit}, {alias}.{group}, {', '.join(columns)}"
        return f"u AS (SELECT {listed} {rows} GROUP BY {unit}, {alias}.{group}{having})", names
    return f"u AS (SELECT {unit}, {', '.join(columns)} {rows} GROUP BY {unit}{having})", names


def moments(dice: Dice) -> str:
    """How long after one event of theirs people did another."""
    seen = f"(SELECT email_sha256, {dice.pick(('MIN', 'MAX'))}(ts) AS seen, COUNT(*) AS n FROM publisher.impressions GROUP BY 1)"
    bought = f"(SELECT user_id, {dice.pick(('MIN', 'MAX'))}(ts) AS bought FROM retailer.orders GROUP BY 1)"
    part = dice.pick(("day", "day", "month", "week", "hour"))
    apart = f"date_diff('{part}', f.seen, b.bought)"
    keys = (
        f"CASE WHEN {apart} < 7 THEN 'week' WHEN {apart} < 30 THEN 'month' ELSE 'later' END",
        f"{apart} > 0",
        apart,
        "date_trunc('month', f.seen)",
        "c.region",
    )
    cells = (
        "COUNT(DISTINCT c.user_id)",
        "COUNT(*)",
        f"AVG({apart})",
        "SUM(f.n)",
        f"COUNT(*) FILTER (WHERE {apart} > 7)",
    )
    chosen, measures = dice.some(keys, (), 2), dice.some(cells, (), 2) or ["COUNT(*)"]
    listed = [f"{k} AS k{i}" for i, k in enumerate(chosen)] + [f"{m} AS m{i}" for i, m in enumerate(measures)]
    one, other = dice.pick(("JOIN", "JOIN", "LEFT JOIN")), dice.pick(("JOIN", "JOIN", "LEFT JOIN"))
    joins = f"{one} {seen} f ON f.email_sha256 = c.email_sha256 {other} {bought} b ON b.user_id = c.user_id"
    return f"SELECT {', '.join(listed)} FROM {C} {joins}{grouping(dice, chosen)}"


def _with_others(dice: Dice, alias: str) -> tuple[str, list[str]]:
    """What the table of single people stands beside, and the aliases that this adds."""
    if alias == "c" or dice.one_in(3):
        return "u", []
    key = UNITS[alias]
    other = "i" if alias == "o" else "o"
    counted = f"(SELECT {UNITS[other]}, COUNT(*) AS n2 FROM {TABLES[other]} GROUP BY 1) v ON v.{UNITS[other]} = c.{UNITS[other]}"
    sources = {
        "per unit and c": (f"u JOIN {C} ON c.{key} = u.{key}", ["c"]),
        "c left per unit": (f"{C} LEFT JOIN u ON u.{key} = c.{key}", ["c"]),
        "two per unit": (f"{C} JOIN u ON u.{key} = c.{key} JOIN {counted}", ["c"]),
        "c left two per unit": (f"{C} LEFT JOIN u ON u.{key} = c.{key} LEFT JOIN {counted}", ["c"]),
        "per unit and its rows": (f"u JOIN {TABLES[alias]} {alias} ON {alias}.{key} = u.{key}", [alias]),
        "per unit anti": (f"u ANTI JOIN {C} ON c.{key} = u.{key}", []),
        "per unit semi": (f"u SEMI JOIN {C} ON c.{key} = u.{key}", []),
    }
    name = dice.pick(list(sources))
    dice.note(name)
    return sources[name]


def distinct_people(dice: Dice) -> str:
    """Sets of people, and how they meet."""
    alias = dice.pick("oiic")
    unit, table = UNITS[alias], TABLES[alias]
    a, b = (
        f"SELECT DISTINCT {alias}.{unit} FROM {table} {alias} WHERE {text}"
        for text in dice.chance.sample(PREDICATES[alias], 2)
    )
    cell = dice.pick(("COUNT(*)", f"COUNT(DISTINCT a.{unit})", "COUNT(*), COUNT(*)"))
    on = f"ON b.{unit} = a.{unit}"
    bodies = {
        "one set": f"SELECT {cell} FROM a",
        "overlap": f"SELECT {cell} FROM a JOIN b {on}",
        "left is null": f"SELECT {cell} FROM a LEFT JOIN b {on} WHERE b.{unit} IS NULL",
        "anti join": f"SELECT {cell} FROM a ANTI JOIN b {on}",
        "semi join": f"SELECT {cell} FROM a SEMI JOIN b {on}",
        "not in set": f"SELECT {cell} FROM a WHERE {unit} NOT IN (SELECT {unit} FROM b)".replace("a.", ""),
        "left count": f"SELECT COUNT(*), COUNT(b.{unit}), COUNT(DISTINCT b.{unit}) FROM a LEFT JOIN b {on}",
        "left key": f"SELECT b.{unit} IS NULL AS k0, {cell} FROM a LEFT JOIN b {on} GROUP BY 1",
        "union of people": "SELECT COUNT(*) FROM (SELECT * FROM a UNION SELECT * FROM b) t",
        "except of people": "SELECT COUNT(*) FROM (SELECT * FROM a EXCEPT SELECT * FROM b) t",
        "a few people": f"SELECT {cell} FROM (SELECT * FROM a LIMIT 3) a",
        "using": f"SELECT COUNT(*) FROM a JOIN b USING ({unit})",
    }
    return f"WITH a AS ({a}), b AS ({b}) {dice.noted(bodies)}"


def windowed(dice: Dice) -> str:
    """What one person did first, last, before."""
    alias = dice.pick("oi")
    unit, table, number = UNITS[alias], TABLES[alias], NUMBERS[alias].partition(".")[2]
    group = "category" if alias == "o" else "ad_format"
    partition = dice.pick((unit,) * 8 + (group, f"{unit}, {group}"))
    over = (
        f"OVER (PARTITION BY {partition} ORDER BY ts{dice.pick((' DESC', ''))})"
        if not dice.one_in(12)
        else "OVER (ORDER BY ts)"
    )
    where = f" WHERE {dice.pick(PREDICATES[alias])}".replace(f"{alias}.", "") if dice.one_in(3) else ""
    rows = f"SELECT {unit}, {group}, ts, {number}"
    inner = dice.noted(
        {
            "qualify": f"{rows} FROM {table}{where} QUALIFY ROW_NUMBER() {over} = 1",
            "row number": f"{rows} FROM ({rows}, ROW_NUMBER() {over} AS rn FROM {table}{where}) t WHERE rn = 1",
            "row numbers": f"{rows} FROM {table}{where} QUALIFY ROW_NUMBER() {over} <= 2",
            "lag": f"{rows}, LAG({group}) {over} AS other FROM {table}{where}",
            "lead": f"{rows}, LEAD({group}) {over} AS other FROM {table}{where}",
            "first value": f"{rows}, FIRST_VALUE({group}) {over} AS other FROM {table}{where}",
            "rank": f"{rows}, RANK() {over} AS other FROM {table}{where}",
            "window sum": f"{rows}, SUM({number}) OVER (PARTITION BY {unit}) AS other FROM {table}{where}",
            "window count": f"{rows}, COUNT(*) OVER (PARTITION BY {unit}) AS other FROM {table}{where}",
        }
    )
    keys = [f"w.{group}", "date_trunc('month', w.ts)"]
    keys += ["w.other", f"coalesce(CAST(w.other AS VARCHAR), '-') || w.{group}"] if " AS other" in inner else []
    chosen = dice.some(keys, (), 2)
    measures = [
        f"COUNT(DISTINCT w.{unit})",
        "COUNT(*)",
        f"SUM(w.{number})",
        f"AVG(w.{number})",
        f"COUNT(*) FILTER (WHERE w.{group} = 'toys')",
    ]
    cells = dice.some(measures, (), 3) or ["COUNT(*)"]
    source = "w"
    if dice.one_in(3):
        dice.note("window and c")
        source = f"w JOIN {C} ON c.{unit} = w.{unit}"
        chosen += dice.some(KEYS["c"], (), 1)
        cells += dice.some(MEASURES["c"], (), 1)
    listed = [f"{k} AS k{n}" for n, k in enumerate(chosen)] + [f"{m} AS m{n}" for n, m in enumerate(cells)]
    return f"WITH w AS ({inner}) SELECT {', '.join(listed)} FROM {source}{grouping(dice, chosen)}"
