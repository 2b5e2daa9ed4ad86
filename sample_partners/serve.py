"""`make serve`: the server with the sample partners in it, on the default home, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cleanroom.bootstrap import Home, init_home, open_home
from cleanroom.cli.application import apply_folder
from cleanroom.cli.options import database_url
from cleanroom.domain.errors import CleanroomError
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Role
from sample_partners.running import POLICIES

PARTNERS = {
    PartnerName("publisher"): (Role.ANALYST, Role.DATA_OWNER),
    PartnerName("retailer"): (Role.DATA_OWNER, Role.AUDITOR),
}


def main(port: str = "8000") -> None:
    """Never returns: prints a token for each partner and becomes `cleanroom serve`."""
    path = Path(os.environ.get("CLEANROOM_HOME") or ".cleanroom")
    try:
        home = open_home(path, database_url()) if path.exists() else init_home(path, database_url())
        try:
            print("Tokens (each run of this command issues new ones and ends the old):")
            for partner, token in prepare(home).items():
                print(f"  {partner:<10} {token}")
        finally:
            home.close()
    except CleanroomError as error:
        sys.exit(f"error: {error.message} [{error.code}]")
    print(
        "  In another terminal: export CLEANROOM_TOKEN=… and ask with `cleanroom query`, as README.md shows.",
        flush=True,
    )
    command = [sys.executable, "-m", "cleanroom", "--home", str(path), "serve", "--port", port]
    os.execv(sys.executable, command)  # noqa: S606 - the project's own command


def prepare(home: Home) -> dict[PartnerName, str]:
    """The sample collaboration holds in the home, and each partner has one token: these."""
    apply_folder(home, POLICIES, prune=False)
    with home.database.begin() as transaction:
        return {
            partner: home.drawers.tokens.create(
                transaction, partner, roles, at=home.clock.now(), name="sample", replace=True
            )[0]
            for partner, roles in PARTNERS.items()
        }


if __name__ == "__main__":
    main(*sys.argv[1:])
