"""What is known of where a dataset's data is kept: its connection, the operator's admission, its secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.bootstrap import init_home
from cleanroom.domain.identifiers import ConnectionName, PartnerName
from cleanroom.domain.policy import Connection, ConnectionType, PolicyFolder
from cleanroom.rules.readiness import Backing
from cleanroom.store.backing import backings, given_secrets
from tests.rules.agreements import DATASETS, ORDERS, PRESS, SHOP

ADMITTED = "/data/shop"
VARIABLE = "CLEANROOM_SECRET_SHOP_LAKE"


def connection(root: str, secret: str | None = None, partner: PartnerName = SHOP) -> Connection:
    return Connection(ConnectionName("lake"), partner, ConnectionType.FILES, {"root": root}, secret)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (connection(ADMITTED), Backing(True, True, None)),
        (connection(f"{ADMITTED}/below"), Backing(True, True, None)),
        (connection(f"{ADMITTED}-other"), Backing(True, False, None)),
        (connection("/data"), Backing(True, False, None)),
        (connection(ADMITTED, partner=PRESS), Backing(False)),
        (None, Backing(False)),
        (connection(ADMITTED, f"env:{VARIABLE}"), Backing(True, True, True)),
        (connection(ADMITTED, f"env:{VARIABLE}_OTHER"), Backing(True, True, False)),
        (connection(ADMITTED, "store:lake"), Backing(True, True, True)),
        (connection(ADMITTED, "store:other"), Backing(True, True, False)),
    ],
)
def test_what_is_known_of_a_dataset(tmp_path: Path, found: Connection | None, expected: Backing) -> None:
    home = init_home(tmp_path / "home")
    with home.database.begin() as transaction:
        home.drawers.roots.admit(transaction, SHOP, ADMITTED, at=home.clock.now())
        home.drawers.secrets.write(transaction, SHOP, "lake", "hunter2", author=None, at=home.clock.now())
        home.drawers.secrets.write(transaction, PRESS, "other", "hunter2", author=None, at=home.clock.now())
    folder = PolicyFolder(connections=() if found is None else (found,), datasets=(DATASETS[ORDERS],))
    given = given_secrets(home.drawers.secrets, {VARIABLE: "hunter2"})
    assert backings(folder, home.drawers.roots, given)[ORDERS] == expected
    home.close()


def test_an_environment_that_is_elsewhere_is_not_known(tmp_path: Path) -> None:
    home = init_home(tmp_path / "home")
    given = given_secrets(home.drawers.secrets, None)
    assert given(SHOP, f"env:{VARIABLE}") is None
    assert given(SHOP, "store:lake") is False
    home.close()
