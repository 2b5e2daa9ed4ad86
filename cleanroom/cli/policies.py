"""`cleanroom check` and `policy test`: a folder of documents → verdicts, without a home, a server or data."""

from __future__ import annotations

from pathlib import Path

import click

from cleanroom.cli.failures import Exit, Told
from cleanroom.cli.folders import read_checked
from cleanroom.cli.junit import junit_xml
from cleanroom.cli.options import dialect_option, folder_argument, output_option
from cleanroom.cli.parameters import given_parameters, parameters_option, template_option
from cleanroom.cli.showing import finding_json, finding_lines, print_json
from cleanroom.cli.verdicts import Outcome, may_lack, outcomes, shown, verdict_on
from cleanroom.domain.identifiers import CollaborationName, PartnerName, TemplateName
from cleanroom.sql.parameters import sent_parameters


@click.command()
@folder_argument
@click.option("--collaboration", required=True, metavar="C", help="Where the question is asked.")
@click.option("--as", "partner", required=True, metavar="PARTNER", help="Who asks.")
@click.option("--sql", help="One SELECT statement.")
@template_option
@parameters_option
@dialect_option
@output_option
def check(
    folder: Path,
    collaboration: str,
    partner: str,
    sql: str | None,
    template: str | None,
    parameters: tuple[str, ...],
    dialect: str,
    output: str,
) -> None:
    """The verdict on one query, or one template, under the rules in DIR; needs no server and no data."""
    if (sql is None) == (template is None):
        raise click.UsageError("Give the statement with one of --sql and --template.")
    verdict = verdict_on(
        read_checked(folder),
        CollaborationName(collaboration),
        PartnerName(partner),
        sql or "",
        dialect,
        sent_parameters(given_parameters(parameters)),
        None if template is None else TemplateName(template),
    )
    findings = shown(verdict)
    if output == "json":
        print_json(
            {
                "approved": verdict.approved,
                "findings": [finding_json(f) for f in findings],
                "datasets": list(verdict.datasets),
                "receivers": list(verdict.receivers),
                "notices": [{"code": n.code, "message": n.message} for n in may_lack(verdict)],
            }
        )
    elif verdict.approved:
        click.echo(f"approved; the answer goes to {', '.join(verdict.receivers)}")
        for notice in may_lack(verdict):
            click.echo(notice.message)
    else:
        count = len(findings)
        click.echo(f"refused, for {count} reason{'' if count == 1 else 's'}:")
        for line in finding_lines(findings, sql or ""):
            click.echo(line)
    if not verdict.approved:
        raise Told(Exit.REFUSED)


@click.group()
def policy() -> None:
    """Work on a folder of policy documents."""


@policy.command()
@folder_argument
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML here.")
@output_option
def test(folder: Path, junit: Path | None, output: str) -> None:
    """Run the cases of every PolicyTest in DIR; needs no server and no data."""
    found = outcomes(read_checked(folder))
    if junit is not None:
        junit.write_bytes(junit_xml(found))
    failed = [outcome for outcome in found if not outcome.passed]
    if output == "json":
        print_json([_outcome_json(outcome) for outcome in found])
    else:
        for outcome in failed:
            _print_failure(outcome)
        click.echo(f"{len(found) - len(failed)} of {len(found)} cases hold.")
    if failed:
        raise Told(Exit.FAILED)


def _outcome_json(outcome: Outcome) -> dict[str, object]:
    case = outcome.case
    return {
        "file": outcome.file,
        "line": case.line,
        "name": case.name,
        "passed": outcome.passed,
        "expected": "approved" if case.expect is None else list(case.expect),
        "found": list(outcome.codes) or "approved",
    }


def _print_failure(outcome: Outcome) -> None:
    case = outcome.case
    click.echo(f"{outcome.file}:{case.line}: {case.name}")
    click.echo(f"    expected: {', '.join(case.expect or ('approved',))}")
    click.echo(f"    found:    {', '.join(outcome.codes) or 'approved'}")
    for line in finding_lines(outcome.findings, case.sql):
        click.echo(f"    {line}")
