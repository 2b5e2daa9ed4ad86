"""A terminal, with and without a clean room to work on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import POLICIES, Terminal


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal whose home is not made yet."""
    for name in ("CLEANROOM_HOME", "CLEANROOM_DATABASE_URL", "CLEANROOM_TOKEN", "CLEANROOM_URL"):
        monkeypatch.delenv(name, raising=False)
    return Terminal(tmp_path / "home", capsys)


@pytest.fixture
def made(terminal: Terminal) -> Terminal:
    """A terminal whose home is made and holds the sample policies."""
    assert terminal("init").code == 0
    assert terminal("apply", POLICIES).code == 0
    return terminal
