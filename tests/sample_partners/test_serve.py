"""`make serve` prepares a home as often as it is run, and the tokens of the last run are the ones that open it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.bootstrap import init_home
from cleanroom.domain.errors import NotAuthenticated
from cleanroom.domain.query import Role
from sample_partners.serve import PARTNERS, prepare


def test_a_second_run_issues_new_tokens_and_ends_the_old(tmp_path: Path) -> None:
    home = init_home(tmp_path / "home")
    first, second = prepare(home), prepare(home)
    found = {partner: home.drawers.tokens.authenticate(token).principal for partner, token in second.items()}
    for token in first.values():
        with pytest.raises(NotAuthenticated):
            home.drawers.tokens.authenticate(token)
    home.close()
    assert {p: set(principal.roles) for p, principal in found.items()} == {p: set(r) for p, r in PARTNERS.items()}


def test_the_publisher_asks_and_the_retailer_audits() -> None:
    assert {partner: Role.ANALYST in roles for partner, roles in PARTNERS.items()} == {
        "publisher": True,
        "retailer": False,
    }
