"""`cleanroom plan` and `apply`: a folder of documents → what it would change in a home, and the change."""

from __future__ import annotations

from pathlib import Path

import click

from cleanroom.cli.application import apply_folder, plan_folder
from cleanroom.cli.failures import Exit, Told
from cleanroom.cli.options import folder_argument, home_option, opened, output_option
from cleanroom.cli.plan_file import PlanFile, changes_json, read_plan, write_plan
from cleanroom.cli.showing import print_json, printable
from cleanroom.documents.changes import Changes

_SIGNS = {"created": "+", "replaced": "~", "removed": "-", "admitted": "+"}
_HEADER_LINES = 2  # of a unified diff: they name the document once more


@click.command()
@folder_argument
@click.option("--prune", is_flag=True, help="As if the documents that the folder omits were to be removed.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan, for `apply --plan`.")
@home_option
@output_option
def plan(folder: Path, *, prune: bool, out: Path | None, home: Path, output: str) -> None:
    """Show what `apply` would change; exit with 6 where that is something, with 0 where it is nothing."""
    with opened(home) as open_home:
        planned = plan_folder(open_home, folder, prune=prune)
    if out is not None:
        write_plan(out, planned.file)
    if output == "json":
        print_json(_plan_json(planned.file))
    else:
        _print_plan(planned.changes)
    if planned.changes:
        raise Told(Exit.CHANGES_PENDING)


@click.command()
@folder_argument
@click.option("--prune", is_flag=True, help="Also remove the documents that the folder omits.")
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Only if this is what would change: a file of `cleanroom plan --out`.",
)
@home_option
@output_option
def apply(folder: Path, *, prune: bool, plan_path: Path | None, home: Path, output: str) -> None:
    """Make the documents in DIR hold, all of them or none.

    This is the operator's act, and is logged as such: the folders of data that connections name are admitted.
    """
    if prune and plan_path is not None:
        raise click.UsageError("With --plan, the plan says whether to prune: leave --prune out.")
    planned = None if plan_path is None else read_plan(plan_path)
    with opened(home) as open_home:
        changes = apply_folder(open_home, folder, prune=planned.prune if planned else prune, plan=planned)
    if output == "json":
        made = [{"change": c.what.value, "kind": c.key.kind, "name": c.key.name} for c in changes.documents]
        print_json(made)
        return
    for change in changes.documents:
        click.echo(f"{_SIGNS[change.what]} {change.key.kind} {change.key.name} {change.what.value}")
    if not changes.documents:
        click.echo("Nothing changed: the home holds these documents already.")


def _plan_json(plan: PlanFile) -> dict[str, object]:
    return {"state": plan.state, "folder": plan.folder, "prune": plan.prune, "changes": plan.changes}


def _print_plan(changes: Changes) -> None:
    """Each change, and below it what the document's YAML gains and loses."""
    for change in changes_json(changes):
        click.echo(f"{_SIGNS[change['change']]} {change['kind']} {printable(change['name'])} {change['change']}")
        for line in change["diff"].splitlines()[_HEADER_LINES:]:
            click.echo(f"    {printable(line)}")
    count = len(changes.documents)
    if changes:
        click.echo(f"{count} document{'' if count == 1 else 's'} would change; nothing has.")
    else:
        click.echo("Nothing would change: the home holds these documents already.")
