"""An executable plan → what its answer may lack. Told of the plan and the rules alone: the same whatever the data hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from cleanroom.domain.finding import Notice
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import ExecutablePlan, PrivateStep


def notices(plan: ExecutablePlan) -> tuple[Notice, ...]:
    """Every way in which the answer may be less than plain SQL's, each once, whether it struck or not."""
    return tuple(dict.fromkeys(notice for step in plan.steps for notice in _of_step(step)))


def _of_step(step: PrivateStep) -> Iterator[Notice]:
    few = step.minimum_units
    yield _small_groups(step)
    if step.conditional:
        yield Notice(
            "cells.conditional",
            f"A cell is empty where the people it stands for, or those it leaves out, are some but fewer than {few}.",
        )
    for minimum in sorted({minimum for _, minimum in step.cell_minimums}):
        yield Notice("cells.minimum", f"A cell whose owner asks for {minimum} people is empty where there are fewer.")
    if step.optional:
        yield Notice(
            "matches.standing",
            f"Where some people have a match, but fewer than {few}, what would tell of them is left out or empty.",
        )
    if step.removals:
        yield Notice(
            "removed.standing",
            f"Where a condition removes some people who have a match, but fewer than {few}, what remains is left out.",
        )
    if step.finer:
        yield Notice(
            "totals.standing",
            f"A total, or a cell of it, is left out where what is left out beneath it is some people, but fewer than {few}.",
        )
    if step.beside:
        yield Notice(
            "groupings.standing",
            "Groupings that cross each other are left out where any group of theirs has too few people.",
        )


def _small_groups(step: PrivateStep) -> Notice:
    code, few = "threshold.standing", step.minimum_units
    match step.small_groups:
        case SmallGroups.DROP:
            return Notice(code, f"Groups of fewer than {few} people are left out.")
        case SmallGroups.BLANK:
            return Notice(code, f"The cells of groups of fewer than {few} people are empty.")
        case SmallGroups.POOL:
            return Notice(
                code,
                f"Groups of fewer than {few} people are merged into one row, which is left out where it is one group "
                "or has too few people itself.",
            )
        case _ as never:
            assert_never(never)
