"""A dialect's date format → the strftime format that prints the same; None where any of its signs has no equal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never

from cleanroom.domain.functions import STRFTIME_GRAINS
from cleanroom.sql.dialects import Formats

_PERCENT = {
    **{letter: f"%{letter}" for letter in "YymdbajHpfSI%"},
    "M": "%B",
    "W": "%A",
    "i": "%M",
    "s": "%S",
    "h": "%I",
    "v": "%V",
    "x": "%G",
    "T": "%H:%M:%S",
}
MYSQL_SIGNS = frozenset(_PERCENT) - {"%"}
"""The signs of DATE_FORMAT, as written, that are read: the parser's own translation of others is lost or ambiguous."""
_MYSQL = {**{letter: f"%{letter}" for letter in "YymdbajHpfSIBMA"}, "v": "%V", "x": "%G"}
_BIGQUERY = {
    **{letter: f"%{letter}" for letter in "YymdbBaAjuHIpMSVGUW%"},
    "F": "%Y-%m-%d",
    "T": "%H:%M:%S",
}
_TEMPLATE = {
    "YYYY": "%Y",
    "YY": "%y",
    "MM": "%m",
    "DD": "%d",
    "HH24": "%H",
    "HH12": "%I",
    "MI": "%M",
    "SS": "%S",
}
_JAVA = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "MMM": "%b",
    "MMMM": "%B",
    "dd": "%d",
    "DDD": "%j",
    "E": "%a",
    "EEE": "%a",
    "EEEE": "%A",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "ss": "%S",
    "a": "%p",
    "SSSSSS": "%f",
}
_PLAIN = re.compile(r"[-/.,:; _]+")
_TEMPLATE_SIGN = re.compile(r"YYYY|YY|MM|MI|DD(?!D)|HH24|HH12|SS(?!S)", re.IGNORECASE)
_TEMPLATE_QUOTED = re.compile(r'"([A-Za-z]+)"')
_JAVA_LETTERS = re.compile(r"([A-Za-z])\1*")
_JAVA_QUOTED = re.compile(r"'([A-Za-z]+)'")


def strftime_format(text: str, spelling: Formats) -> str | None:
    """The format in strftime's directives, each a known one."""
    match spelling:
        case Formats.STRFTIME:
            return _of_percents(text, {letter: f"%{letter}" for letter in STRFTIME_GRAINS})
        case Formats.BIGQUERY:
            return _of_percents(text, _BIGQUERY)
        case Formats.PERCENT:
            return _of_percents(text, _PERCENT)
        case Formats.MYSQL:
            return _of_percents(text, _MYSQL)
        case Formats.TEMPLATE:
            return _of_template(text)
        case Formats.JAVA:
            return _of_java(text)
        case _ as never:
            assert_never(never)


def _of_percents(text: str, known: Mapping[str, str]) -> str | None:
    plain, *rest = re.split(r"%(.|\Z)", text, flags=re.DOTALL)
    signs, between = rest[::2], rest[1::2]
    if not text or any(sign not in known for sign in signs):
        return None
    return plain + "".join(known[sign] + more for sign, more in zip(signs, between, strict=True))


def _of_template(text: str) -> str | None:
    """to_char: signs of numbers, punctuation, and text in double quotes; words (Month, Dy) are padded or cased there."""
    made, at = "", 0
    while at < len(text):
        if sign := _TEMPLATE_SIGN.match(text, at):
            made, at = made + _TEMPLATE[sign[0].upper()], sign.end()
        elif plain := _PLAIN.match(text, at):
            made, at = made + plain[0], plain.end()
        elif quoted := _TEMPLATE_QUOTED.match(text, at):
            made, at = made + quoted[1], quoted.end()
        else:
            return None
    return made or None


def _of_java(text: str) -> str | None:
    made, at = "", 0
    while at < len(text):
        if plain := _PLAIN.match(text, at):
            made, at = made + plain[0], plain.end()
        elif quoted := _JAVA_QUOTED.match(text, at):
            made, at = made + quoted[1], quoted.end()
        elif (letters := _JAVA_LETTERS.match(text, at)) and letters[0] in _JAVA:
            made, at = made + _JAVA[letters[0]], letters.end()
        else:
            return None
    return made or None
