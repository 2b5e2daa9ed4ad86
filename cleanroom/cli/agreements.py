"""`cleanroom policy effective` and `policy readiness`: a folder, or the home, → what its rules amount to together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from cleanroom.cli.failures import Exit, Told
from cleanroom.cli.folders import read_checked
from cleanroom.cli.options import home_option, opened, output_option
from cleanroom.cli.showing import print_json, printable, rendered, table
from cleanroom.domain.errors import NotFound
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.policy import Policy, PolicyFolder
from cleanroom.rules.readiness import Backing
from cleanroom.rules.readiness import readiness as readiness_of
from cleanroom.rules.told import effective_json, readiness_json
from cleanroom.sql.template_text import templates_read
from cleanroom.store.backing import backings, given_secrets

Command = TypeVar("Command", bound=Callable[..., object])
Json = dict[str, Any]


def _folder_argument(command: Command) -> Command:
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.argument("folder", metavar="[DIR]", type=kind, required=False)(command)


def _collaboration_option(command: Command) -> Command:
    return click.option("--collaboration", required=True, metavar="C", help="Where the rules hold.")(command)


@click.command()
@_folder_argument
@_collaboration_option
@click.option("--as", "runner", metavar="PARTNER", help="Only what this partner may ask.")
@home_option
@output_option
def effective(folder: Path | None, collaboration: str, runner: str | None, home: Path, output: str) -> None:
    """What holds in a collaboration once every owner's rule is counted in, and what contradicts what.

    Of the documents in DIR, or of those that the home holds. Needs no server and no data.
    """
    documents, _ = _documents(folder, home)
    policy = _policy(documents, collaboration)
    if runner is not None and not policy.collaboration.has(PartnerName(runner)):
        raise NotFound(f"{collaboration} has no such member.")
    found = effective_json(policy, PartnerName(runner) if runner else None)
    if output == "json":
        print_json(found)
        return
    for line in _effective_lines(found):
        click.echo(line)


@click.command()
@_folder_argument
@_collaboration_option
@home_option
@output_option
def readiness(folder: Path | None, collaboration: str, home: Path, output: str) -> None:
    """For each dataset of the members why it can or cannot be queried, every reason at once. Exit code 3: one cannot.

    Of the documents in DIR, or of those that the home holds; then also whether their data can be reached.
    """
    documents, behind = _documents(folder, home)
    policy = _policy(documents, collaboration)
    members = [d.name for d in documents.datasets if policy.collaboration.has(d.partner)]
    found = readiness_of(policy, members, behind, templates_read(policy))
    if output == "json":
        print_json(readiness_json(collaboration, found))
    else:
        for line in _readiness_lines(readiness_json(collaboration, found)["datasets"]):
            click.echo(line)
    if not all(one.ready for one in found):
        raise Told(Exit.REFUSED)


def _documents(folder: Path | None, home: Path) -> tuple[PolicyFolder, Mapping[DatasetName, Backing]]:
    if folder is not None:
        return read_checked(folder), {}
    with opened(home) as there:
        documents = there.drawers.policies.folder()
        return documents, backings(documents, there.drawers.roots, given_secrets(there.drawers.secrets, os.environ))


def _policy(documents: PolicyFolder, collaboration: str) -> Policy:
    policy = documents.policy(CollaborationName(collaboration))
    if policy is None:
        raise NotFound("There is no such collaboration.")
    return policy


def _effective_lines(found: Json) -> Iterator[str]:
    yield f"What holds in {found['collaboration']}:"
    for dataset in found["datasets"]:
        yield from ("", _table(dataset["name"], _dataset_rows(dataset)))
    if found["joins"]:
        yield from ("", _table("joins that both sides allow", (_join_row(join) for join in found["joins"])))
    else:
        yield from ("", "No join is allowed by both sides.")
    contradictions = found["contradictions"]
    yield from ("", "What contradicts itself:" if contradictions else "Nothing contradicts itself.")
    for one in contradictions:
        yield f"  {one['code']}: {one['message']}"
        if "hint" in one:
            yield f"    hint: {one['hint']}"


def _dataset_rows(dataset: Json) -> Iterator[tuple[str, str]]:
    columns = dataset["columns"]
    yield "who may ask", _names(dataset["askable"])
    yield "who may receive", _names(dataset["receivers"])
    yield "people behind a row", f"{dataset['minimum_units']}, smaller groups: {dataset['small_groups']}"
    yield "alone", "yes" if dataset["alone"] else f"no, a join is required: {dataset['required']}"
    if dataset["templates_only"]:
        yield "read by", "approved templates alone"
    yield "joined on", _names(columns["join"])
    yield "grouped by", _names(_at_grain(columns["group"]))
    yield "filtered on", _names(_at_grain(columns["filter"]))
    yield "aggregated", _names(f"{name} ({', '.join(how)})" for name, how in columns["aggregate"].items())
    yield "COUNT(*)", "yes" if dataset["count_rows"] else "no"
    yield "functions", _names(dataset["functions"])


def _join_row(join: Json) -> tuple[str, str]:
    (left, right), keys = join["datasets"], join["keys"]
    on = " AND ".join(f"{mine} = {theirs}" for mine, theirs in keys)
    more = "" if join["sufficient"] else "; more must be joined"
    how = f"{_names(join['kinds'])}; {join['minimum_units']} people; asked by {_names(join['runners'])}{more}"
    return f"{left}, {right} ON {on}", how


def _readiness_lines(datasets: Iterable[Json]) -> Iterator[str]:
    for one in datasets:
        state = f"ready for {_names(one['askable'])}" if one["ready"] else "cannot be queried"
        yield f"{printable(one['dataset'])}: {state}"
        for reason in one["reasons"]:
            who = f"{reason['by']} acts" if "by" in reason else f"the {reason['who']} act"
            mark = "-" if reason["blocks"] else "."
            yield f"  {mark} {reason['code']}: {reason['message']} ({who})"


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    return rendered(table(((title, "VARCHAR"), ("", "VARCHAR")), rows)).rstrip("\n")


def _at_grain(columns: Mapping[str, str]) -> Iterator[str]:
    return (name if grain == "instant" else f"{name} (by {grain})" for name, grain in columns.items())


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
