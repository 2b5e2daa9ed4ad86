"""Calls to try on both engines: for every scalar function the argument tuples that are likeliest to be got wrong."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from itertools import product
from math import inf, nan

from cleanroom.domain.expression import Value

D = Decimal
Arguments = tuple[Value, ...]

TEXTS = ("", "a", "A", "straße", "ÀÉİ", "a%b", "a_b", "a\\%b", "  x\ty ", "x\ny", "👍🏽", "abcabc", "ŉ")
DAYS = (date(1969, 12, 31), date(2020, 1, 5), date(2020, 2, 29), date(2021, 1, 3), date(2024, 12, 30))
TIMES = (
    datetime(1960, 1, 1, 23, 59, 0, 900000),
    datetime(2020, 1, 1, 0, 0),
    datetime(2021, 1, 3, 13, 14, 15, 123),
    datetime(2026, 6, 30, 23, 59, 59, 999999),
    datetime(21, 1, 3, 12, 0),
)
EDGES = (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), date(2024, 2, 29), date(2025, 8, 31))
GRAINS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
PARTS = (*GRAINS, "isoyear", "dayofweek", "isodow", "dayofyear", "epoch")
FORMATS = ("%Y-%m-%d", "%y %G %b %B %V %W %U", "%a %A %j %u %w", "%H:%I %p %M %S %f", "100%%, %%Y", "plain")
INTEGERS = (0, 1, -1, 2, -2, 7, -7, 50)
DECIMALS = (D("0.00"), D("1.50"), D("-1.50"), D("2.25"), D("-7.55"), D("12.345"))
DOUBLES = (0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1.005, 2.675, 1e10, 1e-7)
ODD = (nan, inf, -inf)
NUMBERS: tuple[Value, ...] = (*INTEGERS, *DECIMALS, *DOUBLES)
MIDNIGHTS: tuple[Value, ...] = (datetime(2020, 1, 1), date(2020, 1, 1), datetime(2020, 1, 1, 1))
MIXED: tuple[Value, ...] = (1, D("1.50"), 1.5)
POWERS: tuple[Value, ...] = (0, 1, -2, 2.5, D("1.50"), 10)
EXPONENTS: tuple[Value, ...] = (0, -1, 2, 3, 0.5, 400)
MOMENTS: tuple[Value, ...] = (*DAYS, *TIMES, None)
TRUTHS = (True, False, None)

SAME_TYPE: list[Arguments] = [
    *product((1, 2, None), repeat=2),
    *product((D("1.50"), D("1.5"), D("-2.25"), None), repeat=2),
    *product((1.5, nan, inf, -0.0, 0.0, None), repeat=2),
    *product(("a", "B", "é", "z", "😀", "｡", "", None), repeat=2),
    *product((date(2020, 1, 1), date(2020, 1, 2), None), repeat=2),
    *product(MIDNIGHTS, repeat=2),
    *product(MIXED, repeat=2),
    *product((True, False, None), repeat=2),
]
PAIRS: list[Arguments] = [*product(NUMBERS, repeat=2), (None, 1), (1, None), (None, None), (2.5, nan), (inf, 2.0)]
ONE_NUMBER: list[Arguments] = [(n,) for n in (*NUMBERS, *ODD, None)]
POSITIVE: list[Arguments] = [(n,) for n in (1, 2, 50, D("1.50"), D("12.345"), 0.5, 1e10, 1e-7, nan, inf, None)]
ONE_TEXT: list[Arguments] = [(text,) for text in (*TEXTS, None)]
PATTERNS = ("", "%", "a%", "%B", "_", "a_b", "a\\%b", "A%", "straSSe", "STRAẞE", "x%y", ".*", None)
CUTS: list[Arguments] = [*product(("hello", "", "héé", None), (0, 1, 2, -1, -3, 5, 20, -20, None))]

ENDS: list[Arguments] = [*product(DAYS, repeat=2), *product(TIMES, repeat=2), (None, DAYS[0]), (DAYS[0], None)]
ENDS += [(DAYS[0], TIMES[2]), (TIMES[1], DAYS[1])]
STEPS: list[Arguments] = [(grain, *ends) for grain in GRAINS for ends in ENDS]

SCALAR_CASES: dict[str, list[Arguments]] = {
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge", "distinct_from", "not_distinct_from"), SAME_TYPE),
    "and": [*product(TRUTHS, repeat=2), *product(TRUTHS, repeat=3)],
    "or": [*product(TRUTHS, repeat=2), *product(TRUTHS, repeat=3)],
    "not": [(t,) for t in TRUTHS],
    "is_null": [(True,), (None,), (0,), ("",)],
    "is_true": [(t,) for t in TRUTHS],
    "is_false": [(t,) for t in TRUTHS],
    "in": [(1, 2, None), (1, 1, None), (1, 2, 3), (None, 1, 2), ("a", "b", "a"), (1, D("1.0"), 2.5), (nan, nan, 1.0)],
    "like": [*product((*TEXTS, None), PATTERNS)],
    "ilike": [*product((*TEXTS, None), PATTERNS)],
    "lower": ONE_TEXT,
    "upper": ONE_TEXT,
    "trim": ONE_TEXT,
    "length": ONE_TEXT,
    "substring": [
        *CUTS,
        *(("hello", start, n) for start, n in product((0, 1, 2, -1, -3, 6, -10, 20), (-3, -1, 0, 2, 7))),
    ],
    "concat": [
        ("a", "b"),
        ("a", None),
        ("a", 1, True),
        ("a", D("1.50"), 1.0),
        ("a", 1e16, 1e-5, 1e10, 0.1),
        ("a", inf, nan, -0.0),
        ("a", date(2020, 1, 2)),
        ("a", datetime(2020, 1, 2, 3, 4, 5), datetime(2020, 1, 2, 3, 4, 5, 500100)),
    ],
    "coalesce": [(None, 1), (None, None, 3), (1, 2), ("a", "b"), (None, "b"), (1, 2.5), (None, D("1.50"), 2)],
    "nullif": [(1, 1), (1, 2), (None, 1), (1, None), ("a", "a"), (1, 1.0), (D("1.50"), 1.5), (nan, nan)],
    "date_trunc": [*product(GRAINS, MOMENTS)],
    "extract": [*product(PARTS, MOMENTS)],
    "strftime": [*product(MOMENTS, FORMATS)],
    "date_diff": STEPS,
    "date_add": [
        *product(GRAINS, (0, 1, -1, 13, -25), MOMENTS),
        *((grain, count, moment) for grain in GRAINS for count in (9_000, -9_000) for moment in (TIMES[0], EDGES[1])),
        *product(GRAINS, (1, -1, 40, -40), EDGES),
    ],
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "integer_divide", "modulo"), PAIRS),
    "negate": ONE_NUMBER,
    "abs": ONE_NUMBER,
    "round": [*ONE_NUMBER, *product((*NUMBERS, 12345, 12350, 1234.5, nan, inf, None), (-2, -1, 0, 1, 2))],
    "floor": ONE_NUMBER,
    "ceil": ONE_NUMBER,
    "sqrt": [(0,), (-0.0,), *POSITIVE],
    "ln": POSITIVE,
    "log10": POSITIVE,
    "exp": [*ONE_NUMBER, (1000,), (-1000,)],
    "power": [*product(POWERS, EXPONENTS), (None, 1), (nan, 1.0), (inf, -1.0)],
    "greatest": [*SAME_TYPE, (1, None, 3), (None, None, None), (1.0, nan, inf)],
    "least": [*SAME_TYPE, (1, None, 3), (None, None, None), (1.0, nan, -inf)],
    "left": CUTS,
    "right": CUTS,
    "replace": [
        ("abcabc", "b", "xx"),
        ("abc", "", "x"),
        ("aaa", "aa", "b"),
        (None, "a", "b"),
        ("a", None, "b"),
        ("a", "a", ""),
    ],
}

CAST_CASES: dict[str, list[Value]] = {
    "BOOLEAN": ["true", "T", "yes", "no", "0", "1", "2", "on", " true", "", 0, 2, 0.0, 0.5, D("0.50"), None],
    "TINYINT": ["127", "128", "-128", 127, 128, -129, 126.5, 127.5, D("127.50"), True, None],
    "INTEGER": [
        *("abc", " 12 ", "1.5", "2.5", "-5.5", "1e3", "1e-1", "+5", "", "1.", "1,5", "\uff11", "99999999999"),
        *(2.5, 3.5, -2.5, -0.4, nan, inf, 1e30, D("2.50"), D("-2.50"), True, None),
    ],
    "BIGINT": ["9223372036854775807", "9223372036854775808", 1e30, 1e18, None],
    "DOUBLE": ["1.5", "abc", "1e400", ".5", "NaN", "inf", "-infinity", " 1.5 ", "1,5", "", 7, D("1.25"), True, None],
    "FLOAT": [0.1, 1e300, "0.1", 16777217, D("1.10"), None],
    "DECIMAL(5,2)": [
        *("1.005", "-1.005", "12345.6", "1e2", " 1.5 ", "x", "999.994", "999.995"),
        *(1.005, 2.675, 0.125, -0.125, nan, 1e9, 12345, 7, D("1.255"), D("-1.255"), True, None),
    ],
    "VARCHAR": [True, 7, D("1.10"), 1e10, 1e15, 1e16, 1e22, 1e-4, 1e-5, 0.1, -0.0, inf, -inf, nan, *DAYS, *TIMES, None],
    "DATE": [
        *("2020-1-2", "2020-01-02 10:11:12", "2020/01/02", "2020-02-30", " 2020-02-03 ", "2020-01-02x", "x", ""),
        *(*DAYS, *TIMES, None),
    ],
    "TIMESTAMP": [
        *(
            "2020-01-02",
            "2020-01-02T10:11:12.5",
            "2020-01-02 10:11",
            "2020-01-02 25:00:00",
            "2020-01-02 10:11:12Z",
            "x",
        ),
        *(*DAYS, *TIMES, None),
    ],
}
