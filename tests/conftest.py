"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixtures import Fixture, make_fixture


@pytest.fixture(scope="session")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    """The corpus' data and its strict policy, made once for the session."""
    return make_fixture(Path(tmp_path_factory.mktemp("corpus")))


@pytest.fixture(scope="session")
def small_fixture(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    """The same with a sixteenth of the rows, for what is computed the slow way."""
    return make_fixture(Path(tmp_path_factory.mktemp("small_corpus")), fraction=16)
