"""`cleanroom query`: SQL → a running server → rows on standard output or in a file, or the refusal with its reasons."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

import click

from cleanroom.cli.failures import Exit, Told
from cleanroom.cli.options import dialect_option
from cleanroom.cli.parameters import given_parameters, parameters_option, template_option
from cleanroom.cli.showing import finding_json, finding_lines, print_json, result_text
from cleanroom.client import ARROW, CSV, JSON, PARQUET, Client, Query

_MEDIA_TYPES = {"csv": CSV, "json": JSON, "parquet": PARQUET, "arrow": ARROW}


@click.command()
@click.option("--collaboration", required=True, metavar="C", help="Where to ask.")
@click.option("--sql", help="One SELECT statement.")
@click.option("--file", "sql_file", type=click.File(), help="A file with the statement, or - for standard input.")
@template_option
@parameters_option
@dialect_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *_MEDIA_TYPES]),
    default="table",
    show_default=True,
    help="Of the rows.",
)
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows here.")
@click.option("--url", envvar="CLEANROOM_URL", default="http://127.0.0.1:8000", show_default=True, help="The server.")
@click.option(
    "--token", envvar="CLEANROOM_TOKEN", help="Who asks (better in CLEANROOM_TOKEN: others see a command line)."
)
def query(  # noqa: PLR0913, PLR0917 - one parameter an option
    collaboration: str,
    sql: str | None,
    sql_file: IO[str] | None,
    template: str | None,
    parameters: tuple[str, ...],
    dialect: str,
    form: str,
    out: Path | None,
    url: str,
    token: str | None,
) -> None:
    """Ask a running server.

    The server and the token are read from CLEANROOM_URL and CLEANROOM_TOKEN.
    """
    if [sql, sql_file, template].count(None) != 2:
        raise click.UsageError("Give the statement with one of --sql, --file and --template.")
    given = given_parameters(parameters)
    if not token:
        raise click.UsageError("There is no token: set CLEANROOM_TOKEN.")
    text = _read(sql_file) if sql_file is not None else sql
    if form in ("parquet", "arrow") and out is None and sys.stdout.isatty():
        raise click.UsageError(f"{form} is not for a terminal: write it to a file with -o.")
    with Client(url, token) as client:
        answered = client.ask(collaboration, text, dialect=dialect, template=template, parameters=given)
        _require_success(answered, text or "", as_json=form == "json")
        if form == "table":
            _write(result_text(client.result(answered.id), answered.notices).encode(), out)
        else:
            _write(client.download(answered.id, _MEDIA_TYPES[form]), out)


def _read(file: IO[str]) -> str:
    try:
        return file.read()
    except UnicodeDecodeError:
        raise click.UsageError("The file is not UTF-8 text.") from None


def _require_success(answered: Query, sql: str, *, as_json: bool) -> None:
    if answered.state == "succeeded":
        return
    if answered.state == "rejected":
        refuse(answered, sql, as_json=as_json)
    reason = f" [{answered.failure}]" if answered.failure else ""
    click.echo(f"error: The query {answered.id} is {answered.state}.{reason}", err=True)
    raise Told(Exit.FAILED)


def refuse(answered: Query, sql: str, *, as_json: bool) -> None:
    """Every reason is printed; ends with exit code 3."""
    if as_json:
        print_json({"id": answered.id, "state": "rejected", "findings": [finding_json(f) for f in answered.findings]})
    else:
        count = len(answered.findings)
        click.echo(f"refused, for {count} reason{'' if count == 1 else 's'}:", err=True)
        for line in finding_lines(answered.findings, sql):
            click.echo(line, err=True)
    raise Told(Exit.REFUSED)


def _write(body: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(body)
        return
    try:
        out.write_bytes(body)
    except OSError as error:
        raise click.FileError(str(out), error.strerror) from None
