"""`cleanroom collaboration …`: found, join, change and leave collaborations on a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click

from cleanroom.cli.options import output_option
from cleanroom.cli.showing import print_json, printable, rendered, table
from cleanroom.client import Client

Command = TypeVar("Command", bound=Callable[..., object])
Json = dict[str, Any]

_TEXT = "VARCHAR"


class Member(click.ParamType[tuple[str, list[str]]]):
    """PARTNER:ABILITY,ABILITY; without abilities it may look on."""

    name = "PARTNER:ABILITIES"

    def convert(
        self, value: Any, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, list[str]]:
        partner, _, abilities = str(value).partition(":")
        if not partner:
            self.fail("write PARTNER:ABILITY,ABILITY", param, context)
        return partner, [ability for ability in abilities.split(",") if ability]


def _asking(command: Command) -> Command:
    """The command takes `client`: the server and the token that the environment names."""
    url = click.option("--url", envvar="CLEANROOM_URL", default="http://127.0.0.1:8000", help="The server.")
    token = click.option("--token", envvar="CLEANROOM_TOKEN", help="Who asks (better in CLEANROOM_TOKEN).")
    return url(token(output_option(command)))


def _client(url: str, token: str | None) -> Client:
    if not token:
        raise click.UsageError("There is no token: set CLEANROOM_TOKEN.")
    return Client(url, token)


_name = click.argument("name", metavar="NAME")
_change = click.argument("change", metavar="CHANGE")
_invitation = click.argument("invitation", metavar="INVITATION")
_member = click.argument("member", metavar="PARTNER:ABILITIES", type=Member())


@click.group()
def collaboration() -> None:
    """Collaborations of your partner on a running server (CLEANROOM_URL, CLEANROOM_TOKEN).

    ABILITIES: contribute, query, receive_results, with commas between.
    """


@collaboration.command()
@_name
@click.option("--member", "members", metavar="PARTNER:ABILITIES", type=Member(), multiple=True, required=True)
@click.option("--description", default="", help="What it is for.")
@_asking
def create(
    name: str, members: tuple[tuple[str, list[str]], ...], description: str, url: str, token: str | None, output: str
) -> None:
    """Found NAME. Name your own partner too; all others are invited."""
    with _client(url, token) as client:
        _tell_collaboration(client.create_collaboration(name, members, description), output)


@collaboration.command("list")
@_asking
def listing(url: str, token: str | None, output: str) -> None:
    """The collaborations that your partner is in."""
    with _client(url, token) as client:
        found = client.collaborations()
    if output == "json":
        print_json(found)
        return
    columns = [("name", _TEXT), ("version", "INTEGER"), ("members", _TEXT), ("description", _TEXT)]
    rows = ((c["name"], c["version"], _partners(c["members"]), c["description"]) for c in found)
    click.echo(rendered(table(columns, rows)), nl=False)


@collaboration.command()
@_name
@_asking
def show(name: str, url: str, token: str | None, output: str) -> None:
    """Who is in NAME, whom its members invited, and what each may do."""
    with _client(url, token) as client:
        _tell_collaboration(client.collaboration(name), output)


@collaboration.command()
@_asking
def invitations(url: str, token: str | None, output: str) -> None:
    """What invites your partner, and on which terms."""
    with _client(url, token) as client:
        found = list(client.invitations())
    if output == "json":
        print_json(found)
        return
    for line in (line for one in found for line in _invitation_lines(one)) if found else ("Nobody invites you.",):
        click.echo(line)


@collaboration.command()
@_invitation
@click.option("--terms", help="The terms that you have read; without them, they are shown and you are asked.")
@_asking
def accept(invitation: str, terms: str | None, url: str, token: str | None, output: str) -> None:
    """Become a member, on the terms of INVITATION."""
    with _client(url, token) as client:
        _tell_collaboration(client.accept(invitation, terms or _agreed(client, invitation)), output)


@collaboration.command()
@_invitation
@_asking
def decline(invitation: str, url: str, token: str | None, output: str) -> None:
    """Do not become a member."""
    with _client(url, token) as client:
        client.decline(invitation)
    _tell_done("You have declined.", output)


@collaboration.command()
@_name
@_member
@_asking
def invite(name: str, member: tuple[str, list[str]], url: str, token: str | None, output: str) -> None:
    """Propose to invite a partner to NAME; it sees that once every member agreed."""
    _propose(name, {"kind": "invite", "partner": member[0], "abilities": member[1]}, url, token, output)


@collaboration.command("set-abilities")
@_name
@_member
@_asking
def set_abilities(name: str, member: tuple[str, list[str]], url: str, token: str | None, output: str) -> None:
    """Propose that a member of NAME may do this and nothing else."""
    _propose(name, {"kind": "set_abilities", "partner": member[0], "abilities": member[1]}, url, token, output)


@collaboration.command()
@_name
@click.argument("partner")
@_asking
def remove(name: str, partner: str, url: str, token: str | None, output: str) -> None:
    """Propose that PARTNER is in NAME no more; it is not asked."""
    _propose(name, {"kind": "remove", "partner": partner}, url, token, output)


@collaboration.command()
@_name
@click.argument("description")
@_asking
def describe(name: str, description: str, url: str, token: str | None, output: str) -> None:
    """Propose another description of NAME."""
    _propose(name, {"kind": "describe", "description": description}, url, token, output)


@collaboration.command()
@_name
@click.option("--state", type=click.Choice(["open", "applied", "rejected", "withdrawn", "superseded"]))
@_asking
def changes(name: str, state: str | None, url: str, token: str | None, output: str) -> None:
    """What was ever proposed of NAME, the newest first, and who voted how."""
    with _client(url, token) as client:
        found = list(client.changes(name, state))
    if output == "json":
        print_json(found)
        return
    for line in (line for one in found for line in _change_lines(one)) if found else ("Nothing was proposed.",):
        click.echo(line)


def _deciding(verb: str, text: str) -> click.Command:
    @click.command(verb, help=text)
    @_name
    @_change
    @_asking
    def decide(name: str, change: str, url: str, token: str | None, output: str) -> None:
        with _client(url, token) as client:
            _tell_change(client.decide(name, change, verb), output)

    return decide


collaboration.add_command(_deciding("approve", "Say yes to CHANGE in NAME. The last yes makes it hold."))
collaboration.add_command(_deciding("reject", "Say no to CHANGE in NAME, which ends it."))
collaboration.add_command(_deciding("withdraw", "Take back CHANGE in NAME, which your partner proposed."))


@collaboration.command()
@_name
@click.confirmation_option(
    prompt="Your rules there are removed and queries over your data stop. Leave?", help="Do not ask."
)
@_asking
def leave(name: str, url: str, token: str | None, output: str) -> None:
    """Leave NAME at once, and take your partner's data with you."""
    with _client(url, token) as client:
        client.leave(name)
    _tell_done(f"You have left {name}.", output)


def _propose(name: str, change: Json, url: str, token: str | None, output: str) -> None:
    with _client(url, token) as client:
        _tell_change(client.propose(name, change), output)


def _agreed(client: Client, invitation: str) -> str:
    """The terms that were shown and said yes to."""
    found = next((one for one in client.invitations() if one["id"] == invitation), None)
    if found is None:
        raise click.UsageError("There is no such invitation.")
    for line in _invitation_lines(found):
        click.echo(line)
    click.confirm("Accept?", abort=True)
    return str(found["terms"])


def _tell_collaboration(found: Json, output: str) -> None:
    if output == "json":
        print_json(found)
        return
    click.echo(f"{found['name']}, version {found['version']}: {printable(found['description'])}")
    for line in _member_lines(found["members"]):
        click.echo(line)


def _tell_change(found: Json, output: str) -> None:
    if output == "json":
        print_json(found)
        return
    for line in _change_lines(found):
        click.echo(line)


def _tell_done(text: str, output: str) -> None:
    if output == "json":
        print_json({"done": True})
    else:
        click.echo(text)


def _invitation_lines(found: Json) -> Iterator[str]:
    yield f"{found['id']}: {found['invited_by']} invites you to {found['collaboration']}: {printable(found['description'])}"
    yield from _member_lines(found["members"])
    yield f"  terms {found['terms']}"


def _member_lines(members: Iterable[Json]) -> Iterator[str]:
    for member in members:
        state = "" if member["state"] == "active" else " (invited)"
        yield f"  {member['partner']}{state}: {', '.join(member['abilities']) or 'looks on'}"


def _change_lines(found: Json) -> Iterator[str]:
    waiting = f", waiting for {', '.join(found['awaiting'])}" if found["awaiting"] else ""
    yield f"{found['id']}: {_said(found)} ({found['state']}{waiting})"
    for vote in found["votes"]:
        yield f"  {vote['partner']}: {vote['vote']}{'' if vote['counts'] else ' (counts no more)'}"


def _said(found: Json) -> str:
    abilities = ", ".join(found["abilities"] or ()) or "to look on"
    match found["kind"]:
        case "invite":
            return f"invite {found['partner']}: {abilities}"
        case "set_abilities":
            return f"set abilities of {found['partner']}: {abilities}"
        case "remove":
            return f"remove {found['partner']}"
        case _:
            return f"describe as: {printable(found['description'] or '')}"


def _partners(members: Iterable[Json]) -> str:
    return ", ".join(m["partner"] + ("" if m["state"] == "active" else " (invited)") for m in members)
