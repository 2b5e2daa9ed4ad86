"""`cleanroom policy history`, `show` and `rollback`: a document's key → its versions, and an earlier one again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cleanroom.cli.options import home_option, opened, output_option
from cleanroom.cli.rollback import roll_back
from cleanroom.cli.showing import print_json, printable, rendered, table, when
from cleanroom.documents import to_document
from cleanroom.documents.yaml_text import to_yaml
from cleanroom.domain.document import DOCUMENT_KINDS, DocumentKey, VersionEntry, parse_key
from cleanroom.domain.errors import NotFound

_NUMBER = click.IntRange(1, 2**31 - 1)


class KeyType(click.ParamType[DocumentKey]):
    """`kind:name`, as `plan`, `policy history` and the log have it."""

    name = "key"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> DocumentKey:
        found = value if isinstance(value, DocumentKey) else parse_key(str(value))
        if found is None:
            kinds = ", ".join(DOCUMENT_KINDS)
            self.fail(
                f"write kind:name, such as rule:retail-media/retailer.customers; kinds: {kinds}.", parameter, context
            )
        return found


_key_argument = click.argument("key", metavar="KEY", type=KeyType())


@click.command()
@_key_argument
@home_option
@output_option
def history(key: DocumentKey, home: Path, output: str) -> None:
    """List the versions of the document KEY, such as rule:retail-media/retailer.customers, the newest first."""
    with opened(home) as open_home:
        found = open_home.drawers.history.of(key)
    if not found:
        raise _nothing()
    if output == "json":
        print_json([_entry_json(entry) for entry in found])
        return
    columns = tuple((name, "VARCHAR") for name in ("version", "written", "author", "digest", ""))
    click.echo(rendered(table(columns, [_row(entry) for entry in found])), nl=False)
    if not any(entry.current for entry in found):
        click.echo("None of them holds: the document was removed.")


@click.command()
@_key_argument
@click.option("--version", type=_NUMBER, help="The number of the version; the current one where not given.")
@home_option
@output_option
def show(key: DocumentKey, version: int | None, home: Path, output: str) -> None:
    """Print the document KEY as a policy folder has it, with every default spelled out."""
    with opened(home) as open_home:
        found = open_home.drawers.history.at(key, version)
    if found is None:
        raise _nothing()
    document = to_document(found.value)
    if output == "json":
        print_json({"document": str(key), "version": found.version, "body": document})
        return
    for line in to_yaml(document).splitlines():
        click.echo(printable(line))


@click.command()
@_key_argument
@click.option("--to", "version", type=_NUMBER, required=True, help="The number of the version that shall hold again.")
@home_option
@output_option
def rollback(key: DocumentKey, version: int, home: Path, output: str) -> None:
    """Write what an earlier version of the document KEY said as a new one, where it still fits the others.

    This is the operator's act, and is logged as such.
    """
    with opened(home) as open_home:
        number = roll_back(open_home, key, version)
    if output == "json":
        print_json({"document": str(key), "rolled_back_to": version, "version": number})
    elif number is None:
        click.echo("Nothing changed: this is what the current version says.")
    else:
        click.echo(f"{key} says again what version {version} said, as version {number}.")


def _nothing() -> NotFound:
    return NotFound("There is no such document, or no such version of it.")


def _entry_json(entry: VersionEntry) -> dict[str, object]:
    return {
        "version": entry.version,
        "author": entry.author,
        "written_at": when(entry.written_at),
        "digest": entry.digest,
        "current": entry.current,
    }


def _row(entry: VersionEntry) -> tuple[object, ...]:
    at = when(entry.written_at)
    return entry.version, at, entry.author or "the operator", entry.digest, "current" if entry.current else ""
