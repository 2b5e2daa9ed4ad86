"""A step whose thresholds cannot be checked releases nothing: every combination that no rule covers is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.domain.expression import AggregateCall, Field
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import PrivateStep, Removal
from cleanroom.domain.types import BIGINT
from cleanroom.release.step import require_step
from tests.release.raw_tables import ANY, KEY, OTHER, PERSON, PLACE, REGION, ROWS, SCAN, TOTAL, VIEWER, step

TWO = step(ROWS, units=(PERSON, VIEWER))
FINER = replace(TWO, finer=((KEY, PLACE),))
BESIDE = replace(TWO, beside=((PLACE,),))
VIEWERS = frozenset({VIEWER})
SOME = Field(20, "some", BIGINT, False, AggregateCall("count_rows", condition=ANY))
GONE = Removal(SCAN, (KEY,), (PERSON,))
ALL_GONE = Removal(SCAN, (), (PERSON,))

BROKEN: dict[str, PrivateStep] = {
    "an optional unit of another step": replace(TWO, optional=frozenset({REGION})),
    "an unasked unit that is required": replace(TWO, unasked=VIEWERS),
    "no unit is required": replace(TWO, optional=frozenset({PERSON, VIEWER})),
    "a number for a measure of another step": replace(TWO, cell_minimums=((OTHER, 60),)),
    "a removal of nobody": replace(TWO, removals=(Removal(SCAN, (KEY,), ()),)),
    "a removal by other keys": replace(TWO, removals=(Removal(SCAN, (KEY, PLACE), (PERSON,)),)),
    "a finer set without the key": replace(TWO, finer=((PLACE,),)),
    "a finer set without keys": replace(TWO, finer=((),)),
    "a finer set after a coarser one": replace(step(ROWS, keys=()), finer=((KEY,), (KEY, PLACE))),
    "a set beside that is finer": replace(TWO, beside=((KEY, PLACE),)),
    "a set beside that is coarser": replace(TWO, beside=((),)),
    "a set beside that is the same": replace(TWO, beside=((KEY,),)),
    "blanks without their domain": replace(TWO, small_groups=SmallGroups.BLANK),
}
SEVERAL: dict[str, PrivateStep] = {
    f"{what}, {name}": broken
    for name, several in (("finer", FINER), ("beside", BESIDE))
    for what, broken in {
        "conditions": replace(several, conditions=(ANY,)),
        "a measure under a condition": replace(several, aggregate=replace(several.aggregate, measures=(SOME,))),
        "a removal by key": replace(several, removals=(GONE,)),
        "a removal from all": replace(several, removals=(ALL_GONE,)),
        "a pool": replace(several, small_groups=SmallGroups.POOL),
    }.items()
}
SOUND: dict[str, PrivateStep] = {
    "one source": step(ROWS),
    "an optional one": replace(TWO, optional=VIEWERS),
    "an unasked one": replace(TWO, optional=VIEWERS, unasked=VIEWERS),
    "removals": replace(TWO, removals=(GONE, ALL_GONE)),
    "finer sets": FINER,
    "nested finer sets": replace(step(ROWS, keys=()), finer=((KEY, PLACE), (KEY,), (PLACE,))),
    "finer sets with optional units": replace(FINER, optional=VIEWERS, unasked=VIEWERS),
    "sets beside, and a column's own number": replace(BESIDE, cell_minimums=((ROWS, 60),)),
    "sets beside": BESIDE,
    "blanks of finer sets": replace(FINER, small_groups=SmallGroups.BLANK, public_keys=(("n",),)),
    "a pool with conditions": replace(step(TOTAL, conditional={TOTAL: 0}), small_groups=SmallGroups.POOL),
}


@pytest.mark.parametrize("broken", [*BROKEN.values(), *SEVERAL.values()], ids=[*BROKEN, *SEVERAL])
def test_a_step_that_cannot_be_checked_is_refused(broken: PrivateStep) -> None:
    with pytest.raises(ValueError, match=r".+"):
        require_step(broken)


@pytest.mark.parametrize("sound", SOUND.values(), ids=SOUND)
def test_a_step_that_can_be_checked_passes(sound: PrivateStep) -> None:
    require_step(sound)
