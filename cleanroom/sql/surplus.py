"""The words of a query → a refusal of calls with more arguments than we read: the parser drops them without a word.

A call is counted where it is written, before the parser has read it. In what is accepted every call is of a function
that is listed here, with no more arguments than it is listed with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from sqlglot.tokenizer_core import Token, TokenType

from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding
from cleanroom.sql.dialects import Dialect

MANY = 1_000

_ARGUMENTS: Mapping[int, str] = {
    0: """NOW GETDATE GET_CURRENT_TIMESTAMP CURRENT_LOCALTIMESTAMP SYSDATE TODAY CURDATE UTC_TIMESTAMP
        ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST""",
    1: """CURRENT_DATE CURRENT_TIMESTAMP CURRENT_DATETIME LOCALTIMESTAMP
        SUM AVG MIN MAX MEDIAN STDDEV STDDEV_SAMP STDDEV_POP STDEV STD VARIANCE VARIANCE_SAMP VARIANCE_POP VAR_SAMP VAR_POP
        ANY_VALUE ARBITRARY APPROX_COUNT_DISTINCT APPROX_DISTINCT COUNT_IF COUNTIF NTILE FIRST_VALUE LAST_VALUE
        LOWER LCASE UPPER UCASE LENGTH LEN CHAR_LENGTH CHARACTER_LENGTH TEXTLEN
        ABS CEIL CEILING FLOOR SQRT LN LOG10 EXP ZEROIFNULL NULLIFZERO ISNULL
        CAST TRY_CAST SAFE_CAST EXTRACT DATE TIMESTAMP DATETIME TO_DATE TO_TIMESTAMP TRY_TO_DATE
        TS_OR_DS_TO_DATE TS_OR_DS_TO_TIMESTAMP TIME_STR_TO_TIME
        BOOLEAN TINYINT SMALLINT INT BIGINT FLOAT DOUBLE STRING
        YEAR QUARTER MONTH WEEK WEEKISO WEEKOFYEAR WEEK_OF_YEAR DAY DAYOFMONTH DAY_OF_MONTH DAYOFWEEK DAY_OF_WEEK DOW
        DAYOFWEEKISO DAYOFWEEK_ISO ISODOW DAYOFYEAR DAY_OF_YEAR DOY HOUR MINUTE SECOND""",
    2: """ARG_MIN ARG_MAX ARGMIN ARGMAX MIN_BY MAX_BY CORR COVAR_SAMP COVAR_POP
        ROUND POW POWER MOD LOG DIV DIV0 DIV0NULL SAFE_DIVIDE TRY_DIVIDE IFNULL NULLIF NVL DATEPART
        LEFT RIGHT TRIM LTRIM RTRIM BTRIM LIKE ILIKE
        DATE_TRUNC DATETRUNC DATETIME_TRUNC TIMESTAMP_TRUNC TRUNC DATE_PART TO_CHAR TO_VARCHAR STRFTIME DATE_FORMAT
        FORMAT_DATE FORMAT_DATETIME FORMAT_TIMESTAMP TIME_TO_STR
        DATE_SUB DATETIME_ADD DATETIME_SUB TIMESTAMP_ADD TIMESTAMP_SUB""",
    3: """LAG LEAD REPLACE SUBSTR SUBSTRING IF IFF IIF NVL2 DATEFROMPARTS DATE_FROM_PARTS MAKE_DATE
        DATEADD DATE_ADD TIMESTAMPADD TS_OR_DS_ADD
        DATEDIFF DATE_DIFF DATETIME_DIFF TIMESTAMPDIFF TIMESTAMP_DIFF TS_OR_DS_DIFF""",
    MANY: "COUNT COALESCE GREATEST LEAST GREATEST_IGNORE_NULLS LEAST_IGNORE_NULLS CONCAT GROUPING GROUPING_ID",
}
ARGUMENTS: Mapping[str, int] = MappingProxyType(
    {name: most for most, names in _ARGUMENTS.items() for name in names.split()}
)
"""The most arguments that each function we read has, in whatever dialect reads it."""

_IN_DIALECTS: Mapping[tuple[str, str], int] = {("mysql", "DATEDIFF"): 2, ("bigquery", "DATE"): 3}

_LANGUAGE = """SELECT DISTINCT ALL ANY FROM JOIN ON USING AS WHERE HAVING QUALIFY ROLLUP CUBE LIMIT OFFSET FETCH
    NEXT UNION INTERSECT EXCEPT EXISTS IN NOT AND OR IS BETWEEN CASE WHEN THEN ELSE OVER FILTER GROUP
    MATERIALIZED INTERVAL VALUES"""
_NO_CALLS = frozenset(_LANGUAGE.split())
_NAMING = {TokenType.ALIAS, TokenType.DCOLON}
_SELECTS = {TokenType.SELECT, TokenType.WITH}
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_HINTS = {0: "Write it without arguments.", 1: "Write one argument."}


def refuse_surplus(tokens: Sequence[Token], dialect: Dialect) -> Finding | None:
    """The finding for the first listed function that is called with more arguments than it is listed with."""
    for name, given in _calls(tokens):
        word = name.text.upper()
        most = most_arguments(word, dialect)
        if most is not None and given > most:
            return Finding(
                "sql.unsupported",
                f"{word} with {given} arguments is not supported.",
                at=_place(name),
                hint=_HINTS.get(most, f"Write at most {most} of them."),
            )
    return None


def unlisted_call(tokens: Sequence[Token]) -> Place | None:
    """Where the first call of a function stands that is not listed, and that no accepted query may therefore hold."""
    return next((_place(name) for name, _ in _calls(tokens) if name.text.upper() not in ARGUMENTS), None)


def most_arguments(name: str, dialect: Dialect) -> int | None:
    """The most arguments of the function of this name in capitals; None where it is not listed."""
    return _IN_DIALECTS.get((dialect.name, name), ARGUMENTS.get(name))


def _calls(tokens: Sequence[Token]) -> Iterator[tuple[Token, int]]:
    """The name of each call, and how many arguments stand between its parentheses."""
    opened: list[list[int]] = []
    begun: dict[int, int] = {}
    for index, token in enumerate(tokens):
        kind = token.token_type
        if kind in _OPENING:
            opened.append([index, 0])
        elif kind is TokenType.COMMA and opened:
            opened[-1][1] += 1
        elif kind in _CLOSING and opened:
            start, commas = opened.pop()
            begun[index] = start
            if _is_call(tokens, start) and not _is_alias(tokens, start, begun):
                yield tokens[start - 1], commas + (index > start + 1)


def _is_call(tokens: Sequence[Token], start: int) -> bool:
    """Whether a word stands before this parenthesis that may call: one that is none of the language."""
    if start == 0 or tokens[start].token_type is not TokenType.L_PAREN:
        return False
    name = tokens[start - 1]
    quoted = name.token_type is TokenType.IDENTIFIER
    # A word of the language may be several: GROUPING SETS.
    word = name.text.upper()
    is_name = (word[:1].isalpha() or word[:1] == "_") and word not in _NO_CALLS and len(word.split()) == 1
    return quoted or is_name


def _is_alias(tokens: Sequence[Token], start: int, begun: Mapping[int, int]) -> bool:
    """Whether the word before this parenthesis is a type or the name of a table: it comes after AS, :: or a sub-select."""
    if start < 2:
        return False
    sub_select = start - 2 in begun and tokens[begun[start - 2] + 1].token_type in _SELECTS
    return sub_select or tokens[start - 2].token_type in _NAMING


def _place(token: Token) -> Place:
    return Place(token.line, max(1, token.col - (token.end - token.start)))
