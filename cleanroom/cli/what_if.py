"""`cleanroom policy what-if`: a folder and the queries that were asked → what it would refuse and let through."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cleanroom.cli.folders import checked, read, together
from cleanroom.cli.options import folder_argument, home_option, opened, output_option
from cleanroom.cli.showing import print_json, printable
from cleanroom.domain.errors import NotFound
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.replay import MOST_QUERIES, Replay, Replayed, replay


@click.command("what-if")
@folder_argument
@click.option("--collaboration", required=True, metavar="C", help="Whose queries are judged again.")
@click.option(
    "--last",
    type=click.IntRange(1, MOST_QUERIES),
    default=100,
    show_default=True,
    help="How many of the last queries.",
)
@click.option(
    "--within",
    "limit_s",
    type=click.FloatRange(0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop then, and say how many were judged.",
)
@home_option
@output_option
def what_if(folder: Path, collaboration: str, last: int, limit_s: float, home: Path, output: str) -> None:
    """Judge the last queries, rejected ones too, under the rules that hold and as if DIR were applied. Nothing changes.

    Each as of the moment when it was asked, so that only the rules differ.
    """
    name = CollaborationName(collaboration)
    with opened(home) as open_home:
        standing = open_home.drawers.policies.folder()
        asked = open_home.drawers.queries.asked(name, limit=last)
    now = standing.policy(name)
    then = together(checked(read(folder), folder, standing), standing).policy(name)
    if now is None or then is None:
        raise NotFound("There is no such collaboration.")
    until_s = time.monotonic() + limit_s
    found = replay(asked, now, then, lambda: time.monotonic() < until_s)
    if output == "json":
        print_json(_json(found, len(asked)))
        return
    for line in _lines(found, len(asked)):
        click.echo(line)


def _json(found: Replay, asked: int) -> dict[str, Any]:
    return {
        "asked": asked,
        "replayed": found.replayed,
        "complete": found.complete,
        "unchanged": found.unchanged,
        "newly_refused": [_query_json(one) for one in found.newly_refused],
        "newly_accepted": [_query_json(one) for one in found.newly_accepted],
    }


def _query_json(one: Replayed) -> dict[str, Any]:
    query = one.query
    return {
        "id": query.id,
        "runner": query.principal.partner,
        "submitted_at": query.submitted_at.isoformat(),
        "sql": query.sql,
        "codes": list(one.codes),
    }


def _lines(found: Replay, asked: int) -> Iterator[str]:
    for sign, what, queries in (
        ("-", "would be refused", found.newly_refused),
        ("+", "would be accepted; refused now", found.newly_accepted),
    ):
        for one in queries:
            at = one.query.submitted_at.isoformat(sep=" ", timespec="seconds")
            yield f"{sign} {one.query.id} of {one.query.principal.partner}, {at}, {what}: {', '.join(one.codes)}"
            yield from (f"    {printable(line)}" for line in one.query.sql.splitlines())
    yield (
        f"{found.replayed} of {asked} queries judged: {len(found.newly_refused)} newly refused, "
        f"{len(found.newly_accepted)} newly accepted, {found.unchanged} unchanged."
    )
    if not found.complete:
        yield "Time ran out before the rest; the newest come first."
