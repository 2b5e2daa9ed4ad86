"""A dialect's name → what its readers and ours disagree about. A text means here what it means there, or is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from sqlglot.dialects.bigquery import BigQuery
from sqlglot.dialects.dialect import Dialect as Reader
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.redshift import Redshift
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.dialects.spark import Spark
from sqlglot.dialects.trino import Trino

from cleanroom.domain.functions import EXTRACT_GRAINS
from cleanroom.domain.types import DOUBLE, HUGEINT, DataType, Kind

# Date formats are read by `formats`: the parser's own mapping lets through what it does not know. (MySQL's own cannot be
# put aside: `spelling` looks at its formats first.)


class _Postgres(Postgres):
    TIME_MAPPING: dict[str, str] = {}


class _Redshift(Redshift):
    TIME_MAPPING: dict[str, str] = {}


class _Trino(Trino):
    TIME_MAPPING: dict[str, str] = {}


class _Spark(Spark):
    TIME_MAPPING: dict[str, str] = {}


class _Snowflake(Snowflake):
    TIME_MAPPING: dict[str, str] = {}


class _BigQuery(BigQuery):
    TIME_MAPPING: dict[str, str] = {}
    FORMAT_MAPPING: dict[str, str] = {}


class Formats(StrEnum):
    """How a date format is spelled."""

    STRFTIME = "strftime"
    BIGQUERY = "bigquery"
    PERCENT = "percent"  # Trino's date_format, which has MySQL's signs
    MYSQL = "mysql"  # the same, half translated by the parser
    TEMPLATE = "template"  # to_char
    JAVA = "java"  # Spark's date_format


class Difference(StrEnum):
    """What a difference of two moments counts: boundaries passed, or whole units elapsed; NONE: no such function."""

    BOUNDARIES = "boundaries"
    ELAPSED = "elapsed"
    NONE = "none"


_PARTS = {"year", "quarter", "month", "day", "hour", "minute"}


def _parts(*same: str, **words: str) -> Mapping[str, str]:
    return MappingProxyType({part: part for part in _PARTS | set(same)} | words)


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect. The defaults are DuckDB's meaning, into which all others are read.

    `parts` are the words of EXTRACT and the part that each means here; `sunday_is_one` those that count the days of a
    week from 1, Sunday first. `decimal` is what DECIMAL alone means, None where it has no such bounds. `sizes` are types
    that are wider than their names; `wide_sums`: a sum of BIGINTs is a DECIMAL. `keeps_dates`: a date moved by days is a
    date; `truncates_to_dates`: so is one cut.
    """

    name: str
    reader: type[Reader]
    formats: Formats = Formats.STRFTIME
    differences: Difference = Difference.BOUNDARIES
    parts: Mapping[str, str] = field(default_factory=dict)
    sunday_is_one: frozenset[str] = frozenset()
    whole_division: bool = False
    scaled_division: bool = False
    wide_sums: bool = False
    whole_averages: bool = False
    concat_skips_null: bool = False
    length_in_bytes: bool = False
    trims_all_whitespace: bool = False
    dates_plus_numbers: bool = False
    dates_subtract: bool = False
    keeps_dates: bool = False
    truncates_to_dates: bool = False
    iso_weeks: bool = True
    zoned_timestamp: bool = False
    short_timestamp: bool = False
    char_is_text: bool = False
    short_text: bool = False
    truncates_to_integers: bool = False
    decimal: tuple[int, int] | None = None
    sizes: Mapping[Kind, DataType] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        return self.name == "duckdb"


DUCKDB = Dialect(
    "duckdb",
    DuckDB,
    parts=MappingProxyType(
        {part: part for part in EXTRACT_GRAINS}
        | {"dow": "dayofweek", "doy": "dayofyear", "weekday": "dayofweek", "day_of_week": "dayofweek"}
    ),
    concat_skips_null=True,
    dates_plus_numbers=True,
    dates_subtract=True,
    decimal=(18, 3),
)
_POSTGRES = Dialect(
    "postgres",
    _Postgres,
    formats=Formats.TEMPLATE,
    differences=Difference.NONE,
    parts=_parts("week", "isoyear", "isodow", dow="dayofweek", doy="dayofyear"),
    whole_division=True,
    wide_sums=True,
    concat_skips_null=True,
    dates_plus_numbers=True,
    dates_subtract=True,
)
_REDSHIFT = Dialect(
    "redshift",
    _Redshift,
    formats=Formats.TEMPLATE,
    parts=_parts(
        "week", "second", "epoch", "dayofweek", "dayofyear", dow="dayofweek", weekday="dayofweek", doy="dayofyear"
    ),
    whole_division=True,
    wide_sums=True,
    whole_averages=True,
    dates_plus_numbers=True,
    dates_subtract=True,
    short_text=True,
    truncates_to_integers=True,
    decimal=(18, 0),
)
_TRINO = Dialect(
    "trino",
    _Trino,
    formats=Formats.PERCENT,
    differences=Difference.ELAPSED,
    parts=_parts(
        "week",
        "second",
        dow="isodow",
        day_of_week="isodow",
        doy="dayofyear",
        day_of_year="dayofyear",
        day_of_month="day",
        year_of_week="isoyear",
        yow="isoyear",
    ),
    whole_division=True,
    scaled_division=True,
    trims_all_whitespace=True,
    keeps_dates=True,
    truncates_to_dates=True,
    short_timestamp=True,
    decimal=(38, 0),
)
_SPARK = Dialect(
    "spark",
    _Spark,
    formats=Formats.JAVA,
    differences=Difference.ELAPSED,
    parts=_parts("week", yearofweek="isoyear", doy="dayofyear", dow_iso="isodow", dayofweek_iso="isodow"),
    sunday_is_one=frozenset({"dayofweek", "dow"}),
    dates_plus_numbers=True,
    keeps_dates=True,
    zoned_timestamp=True,
    truncates_to_integers=True,
    decimal=(10, 0),
)
_SNOWFLAKE = Dialect(
    "snowflake",
    _Snowflake,
    formats=Formats.TEMPLATE,
    parts=_parts(
        "week",
        "second",
        "dayofweek",
        "dayofyear",
        dow="dayofweek",
        doy="dayofyear",
        dayofweekiso="isodow",
        dayofweek_iso="isodow",
        weekiso="week",
        week_iso="week",
        yearofweekiso="isoyear",
        epoch_second="epoch",
    ),
    dates_plus_numbers=True,
    dates_subtract=True,
    keeps_dates=True,
    truncates_to_dates=True,
    decimal=(38, 0),
    sizes=MappingProxyType(
        dict.fromkeys((Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT), HUGEINT) | {Kind.FLOAT: DOUBLE}
    ),
)
_BIGQUERY = Dialect(
    "bigquery",
    _BigQuery,
    formats=Formats.BIGQUERY,
    parts=_parts("second", "isoyear", "dayofyear", isoweek="week"),
    sunday_is_one=frozenset({"dayofweek"}),
    trims_all_whitespace=True,
    dates_plus_numbers=True,
    truncates_to_dates=True,
    iso_weeks=False,
    zoned_timestamp=True,
    decimal=(38, 9),
    sizes=MappingProxyType(dict.fromkeys((Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER), DataType(Kind.BIGINT))),
)
_MYSQL = Dialect(
    "mysql",
    MySQL,
    formats=Formats.MYSQL,
    parts=_parts("second"),
    sunday_is_one=frozenset({"dayofweek"}),
    length_in_bytes=True,
    keeps_dates=True,
    iso_weeks=False,
    short_timestamp=True,
    char_is_text=True,
    truncates_to_integers=True,
    decimal=(10, 0),
)
_ATHENA = replace(_TRINO, name="athena")
DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (DUCKDB, _POSTGRES, _SPARK, _TRINO, _ATHENA, _REDSHIFT, _SNOWFLAKE, _BIGQUERY, _MYSQL)
    }
)
