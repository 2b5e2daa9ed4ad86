"""Whatever is accepted is sound and right: random queries over random tables, against the oracle of the semantics."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.fuzz import Tally, campaign, report, until

SLICES = 4
CASES_OF_A_SLICE = 60
MINUTES_AT_LENGTH = 20


def assert_nothing_is_wrong(tally: Tally) -> None:
    assert not tally.wrong, "\n".join(report(tally))


@pytest.mark.parametrize("part", range(SLICES))
def test_whatever_is_accepted_equals_the_oracle(part: int, tmp_path: Path) -> None:
    tally = Tally()
    campaign(f"slice {part}", iter(range(CASES_OF_A_SLICE)), tmp_path, tally)
    assert_nothing_is_wrong(tally)
    assert tally.accepted > CASES_OF_A_SLICE / 8
    assert sum(tally.refused.values()) > CASES_OF_A_SLICE / 8


@pytest.mark.long
def test_whatever_is_accepted_equals_the_oracle_at_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = os.environ.get("CLEANROOM_FUZZ_SEED") or str(random.SystemRandom().randrange(2**32))
    tally = Tally()
    with capsys.disabled():
        print(f"\nCLEANROOM_FUZZ_SEED={seed}", flush=True)
        campaign(seed, until(time.monotonic() + 60 * MINUTES_AT_LENGTH), tmp_path, tally)
        print("\n".join(report(tally)))
    assert_nothing_is_wrong(tally)
