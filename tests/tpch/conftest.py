"""What the tests of the 22 texts may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tpch.trade import Trade, make_trade


@pytest.fixture(scope="session")
def trade(tmp_path_factory: pytest.TempPathFactory) -> Trade:
    """The generated data and the policy over it, made once for the session."""
    return make_trade(Path(tmp_path_factory.mktemp("trade")))
