"""`--param name=value` and `--template NAME` → what a query is asked with."""

from __future__ import annotations

import json

import click

from cleanroom.domain.parameters import WrittenNumber

template_option = click.option(
    "--template", metavar="NAME", help="A template of the collaboration, instead of a statement."
)
parameters_option = click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help='The value of :name. Numbers, true, false and "quoted" text are those; anything else is text.',
)


def given_parameters(written: tuple[str, ...]) -> dict[str, object]:
    """The values by name. UsageError where one has no name, or a name two values."""
    found: dict[str, object] = {}
    for text in written:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError("Write --param NAME=VALUE.")
        if name in found:
            raise click.UsageError("A parameter is given twice.")
        found[name] = _value(value)
    return found


def _value(text: str) -> object:
    try:
        value = json.loads(text, parse_float=WrittenNumber, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str | int | float) else text
