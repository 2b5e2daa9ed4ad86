"""`cleanroom quota`: how much a partner may ask for at a time, set and shown by the operator."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click

from cleanroom.cli.options import home_option, opened, output_option, partner_name
from cleanroom.cli.showing import print_json
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.quota import Quota
from cleanroom.store.quotas import EVERY_PARTNER

_MOST = 1_000_000


def _partner(context: click.Context, parameter: click.Parameter, value: str | None) -> PartnerName:
    return partner_name(context, parameter, value) or EVERY_PARTNER


@click.group()
def quota() -> None:
    """How much a partner may ask for at a time."""


@quota.command("set")
@click.argument("partner", required=False, callback=_partner)
@click.option("--per-minute", type=click.IntRange(0, _MOST), help="Submissions and checks.")
@click.option("--most-unfinished", type=click.IntRange(0, _MOST), help="Queries that wait or run at once.")
@click.option("--most-running", type=click.IntRange(1, _MOST), help="Queries that run at once; others wait.")
@click.option(
    "--reset", is_flag=True, help="Nothing of its own: what holds for every partner holds, or what is built in."
)
@home_option
def set_quota(
    partner: PartnerName,
    per_minute: int | None,
    most_unfinished: int | None,
    most_running: int | None,
    *,
    reset: bool,
    home: Path,
) -> None:
    """Set the quota of PARTNER; without one, of every partner that has none of its own. What is not named stays."""
    named = {"per_minute": per_minute, "most_unfinished": most_unfinished, "most_running": most_running}
    wanted = {name: value for name, value in named.items() if value is not None}
    if reset == bool(wanted):
        raise click.UsageError(
            "Name at least one of --per-minute, --most-unfinished, --most-running; or --reset alone."
        )
    with opened(home) as open_home:
        drawer = open_home.drawers.quotas
        drawer.set(partner, None if reset else replace(drawer.of(partner), **wanted), open_home.clock.now())
        click.echo(_line(partner, drawer.of(partner)))


@quota.command()
@click.argument("partner", required=False, callback=_partner)
@home_option
@output_option
def show(partner: PartnerName, home: Path, output: str) -> None:
    """Print the quota of PARTNER; without one, every quota that was set, and what holds for all others."""
    with opened(home) as open_home:
        drawer = open_home.drawers.quotas
        shown = {partner: drawer.of(partner)} | (drawer.list() if partner == EVERY_PARTNER else {})
    if output == "json":
        print_json([{"partner": name, **asdict(value)} for name, value in shown.items()])
        return
    for name, value in shown.items():
        click.echo(_line(name, value))


def _line(partner: PartnerName, value: Quota) -> str:
    whose = "every other partner" if partner == EVERY_PARTNER else partner
    return (
        f"{whose}: {value.per_minute} requests a minute, {value.most_unfinished} unfinished queries,"
        f" {value.most_running} running at once"
    )
