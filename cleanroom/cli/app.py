"""Words on the command line → one command. Wires the groups together and catches whatever they raise."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from cleanroom.bootstrap import configure_logs
from cleanroom.cli import (
    agreements,
    asking,
    auditing,
    collaborations,
    homes,
    issuers,
    people,
    planning,
    policies,
    quotas,
    serving,
    versions,
    what_if,
)
from cleanroom.cli.failures import Exit, exit_code, tell
from cleanroom.cli.keys import keys
from cleanroom.cli.secrets import secret
from cleanroom.cli.upgrading import upgrade


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cleanroom")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CLEANROOM_HOME",
    default=Path(".cleanroom"),
    show_default=True,
    help="Where the server keeps its state.",
)
@click.pass_context
def cleanroom(context: click.Context, home: Path) -> None:
    """A data clean room: partners keep their data, analysts get groups, nobody gets a row.

    Exit codes: 0 done, 2 wrong usage or input, 3 refused by a rule, 4 failed, 5 not permitted,
    6 changes pending.

    The database is what CLEANROOM_DATABASE_URL says; SQLite in the home where it is not set.
    """
    context.obj = home


cleanroom.add_command(homes.init)
cleanroom.add_command(homes.token)
homes.token.add_command(people.list_tokens)
homes.token.add_command(people.revoke_token)
cleanroom.add_command(people.partner)
cleanroom.add_command(people.principal)
cleanroom.add_command(issuers.issuer)
cleanroom.add_command(upgrade)
cleanroom.add_command(keys)
cleanroom.add_command(secret)
cleanroom.add_command(planning.plan)
cleanroom.add_command(planning.apply)
cleanroom.add_command(policies.check)
cleanroom.add_command(policies.policy)
policies.policy.add_command(agreements.effective)
policies.policy.add_command(agreements.readiness)
policies.policy.add_command(versions.history)
policies.policy.add_command(versions.show)
policies.policy.add_command(versions.rollback)
policies.policy.add_command(what_if.what_if)
cleanroom.add_command(serving.serve)
cleanroom.add_command(quotas.quota)
cleanroom.add_command(asking.query)
cleanroom.add_command(collaborations.collaboration)
cleanroom.add_command(auditing.audit)


def main() -> None:
    """Runs the words of this process's command line, and exits."""
    configure_logs()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command; what there is to say has been said, and never as a traceback."""
    try:
        code = cleanroom.main(list(arguments), prog_name="cleanroom", standalone_mode=False)
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code if isinstance(error, click.UsageError) else Exit.FAILED
    except BrokenPipeError:
        sys.stdout = None  # whoever read it is gone; Python would complain at its end
        return Exit.DONE
    except Exception as error:
        tell(error)
        return exit_code(error)
    return code if isinstance(code, int) else Exit.DONE
