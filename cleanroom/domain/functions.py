"""The closed list of functions, operators and aggregates that a plan may hold, each with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scalar:
    """A function or operator.

    `listed`: an owner allows it on private columns by this name in `functions`; None for plain syntax (comparison,
    AND, CASE …), always allowed where the column itself is. `private`: whether it may run over private columns at all.
    """

    listed: str | None
    private: bool
    least_arguments: int
    most_arguments: int | None  # None: any number


def _syntax(least: int, most: int | None = -1) -> Scalar:
    return Scalar(None, True, least, least if most == -1 else most)


def _listed(name: str, least: int, most: int | None = -1) -> Scalar:
    return Scalar(name, True, least, least if most == -1 else most)


def _released(least: int, most: int | None = -1) -> Scalar:
    return Scalar(None, False, least, least if most == -1 else most)


SCALARS: dict[str, Scalar] = {
    # comparison and logic
    "eq": _syntax(2),
    "ne": _syntax(2),
    "lt": _syntax(2),
    "le": _syntax(2),
    "gt": _syntax(2),
    "ge": _syntax(2),
    "distinct_from": _syntax(2),
    "not_distinct_from": _syntax(2),
    "and": _syntax(2, None),
    "or": _syntax(2, None),
    "not": _syntax(1),
    "is_null": _syntax(1),
    "is_true": _syntax(1),
    "is_false": _syntax(1),
    "in": _syntax(2, None),  # the first argument among the others
    "like": _syntax(2),
    "ilike": _syntax(2),
    # listed by owners, never raising
    "lower": _listed("lower", 1),
    "upper": _listed("upper", 1),
    "trim": _listed("trim", 1),
    "length": _listed("length", 1),
    "substring": _listed("substring", 2, 3),
    "concat": _listed("concat", 2, None),  # NULL where any part is NULL, as || has it
    "coalesce": _listed("coalesce", 1, None),
    "nullif": _listed("nullif", 2),
    "date_trunc": _listed("date_trunc", 2),  # (grain literal, moment) → TIMESTAMP
    "extract": _listed("extract", 2),  # (part literal, moment) → BIGINT
    "strftime": _listed("strftime", 2),  # (moment, format literal) → VARCHAR
    "date_diff": _listed("date_diff", 3),  # (part literal, from, to) → BIGINT
    "greatest": _listed("greatest", 2, None),  # NULLs are passed over
    "least": _listed("least", 2, None),
    "round": _listed("round", 1, 2),
    "floor": _listed("floor", 1),
    "ceil": _listed("ceil", 1),
    # over released values alone
    "add": _released(2),
    "subtract": _released(2),
    "multiply": _released(2),
    "divide": _released(2),  # as DOUBLE; NULL on zero
    "integer_divide": _released(2),  # NULL on zero
    "modulo": _released(2),  # NULL on zero
    "negate": _released(1),
    "abs": _released(1),
    "sqrt": _released(1),  # NULL below zero
    "ln": _released(1),  # NULL at and below zero
    "log10": _released(1),
    "exp": _released(1),
    "power": _released(2),
    "left": _released(2),
    "right": _released(2),
    "replace": _released(3),
    "date_add": _released(
        3
    ),  # (grain literal, whole number literal, moment) → TIMESTAMP; months clamp to their last day
}

LISTABLE_FUNCTIONS = frozenset(s.listed for s in SCALARS.values() if s.listed) | {"cast"}
"""The names that `functions` of an analysis rule may hold."""

DEFAULT_FUNCTIONS = ("lower", "upper", "coalesce", "date_trunc", "extract", "cast")

EXTRACT_GRAINS = {
    "year": "year",
    "isoyear": "week",
    "quarter": "quarter",
    "month": "month",
    "week": "week",
    "day": "day",
    "dayofweek": "day",
    "isodow": "day",
    "dayofyear": "day",
    "hour": "hour",
    "minute": "minute",
    "second": "second",
    "epoch": "instant",
}
"""Part of EXTRACT → the finest calendar grain that it tells about."""

STRFTIME_GRAINS = {
    "Y": "year",
    "y": "year",
    "G": "week",
    "m": "month",
    "b": "month",
    "B": "month",
    "V": "week",
    "W": "day",
    "U": "day",
    "d": "day",
    "a": "day",
    "A": "day",
    "j": "day",
    "u": "day",
    "w": "day",
    "H": "hour",
    "I": "hour",
    "p": "hour",
    "M": "minute",
    "S": "second",
    "f": "instant",
    "%": None,
}
"""Directive of a strftime format → the grain that it tells about; a directive not here is not accepted."""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """An aggregate function.

    `release`: whether an owner can list it for private columns. `unit`: whether it may stand inside a privacy unit, over
    the rows of one person. `sensitive`: whether repeating a row of the argument's source changes the value beyond a count
    (SUM, AVG). `arguments`: how many it takes.
    """

    release: bool
    sensitive: bool
    unit: bool = True
    arguments: int = 1


AGGREGATES: dict[str, Aggregation] = {
    "count_rows": Aggregation(release=True, sensitive=False, arguments=0),
    "count": Aggregation(release=True, sensitive=False),
    "count_distinct": Aggregation(release=True, sensitive=False),
    "sum": Aggregation(release=True, sensitive=True),
    "avg": Aggregation(release=True, sensitive=True),
    "min": Aggregation(release=False, sensitive=False),
    "max": Aggregation(release=False, sensitive=False),
    # The first argument where the second is least; of several the least, too. Rows where either is NULL are passed over.
    "arg_min": Aggregation(release=False, sensitive=False, arguments=2),
    "arg_max": Aggregation(release=False, sensitive=False, arguments=2),  # likewise the greatest of the greatest
    "median": Aggregation(release=False, sensitive=False, unit=False),
    "stddev": Aggregation(release=True, sensitive=True, unit=False),  # of a sample, as the next
    "variance": Aggregation(release=True, sensitive=True, unit=False),
    "stddev_pop": Aggregation(release=True, sensitive=True, unit=False),
    "variance_pop": Aggregation(release=True, sensitive=True, unit=False),
    "covar": Aggregation(release=True, sensitive=True, unit=False, arguments=2),  # of a sample
    "covar_pop": Aggregation(release=True, sensitive=True, unit=False, arguments=2),
    "corr": Aggregation(release=True, sensitive=True, unit=False, arguments=2),
    "any_value": Aggregation(release=False, sensitive=False, unit=False),
}

MOMENT_BOUND = 1e140
"""STDDEV, VARIANCE, COVAR, CORR and their kin are NULL where an argument is not a number of less than this magnitude (of
pairs: where both are there), and where they are not defined (CORR without spread): no square of a value overflows."""

LISTABLE_AGGREGATES = frozenset(n for n, a in AGGREGATES.items() if a.release and n != "count_rows")

WINDOWS: dict[str, tuple[int, int]] = {
    # ranking and position: least and most arguments
    "row_number": (0, 0),
    "rank": (0, 0),
    "dense_rank": (0, 0),
    "percent_rank": (0, 0),
    "cume_dist": (0, 0),
    "ntile": (1, 1),
    "lag": (1, 3),
    "lead": (1, 3),
    "first_value": (1, 1),
    "last_value": (1, 1),
    # aggregates over a frame
    "count_rows": (0, 0),
    "count": (1, 1),
    "sum": (1, 1),
    "avg": (1, 1),
    "min": (1, 1),
    "max": (1, 1),
}
