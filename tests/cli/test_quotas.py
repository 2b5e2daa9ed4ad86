from __future__ import annotations

import json

import pytest

from tests.cli.commands import Terminal

BUILT_IN = {"per_minute": 600, "most_unfinished": 100, "most_running": 32}


def shown(made: Terminal, *words: str) -> dict[str, dict[str, int]]:
    told = json.loads(made("quota", "show", *words, "--output", "json").out)
    return {row.pop("partner"): row for row in told}


def test_a_quota_is_what_was_set_and_what_was_not_named_stays(made: Terminal) -> None:
    assert shown(made) == {"*": BUILT_IN}
    assert made("quota", "set", "--per-minute", "60").code == 0
    ran = made("quota", "set", "press", "--most-running", "2")
    assert ran.out == "press: 60 requests a minute, 100 unfinished queries, 2 running at once\n"
    every = {**BUILT_IN, "per_minute": 60}
    assert shown(made) == {"*": every, "press": {**every, "most_running": 2}}
    assert shown(made, "shop") == {"shop": every}
    assert made("quota", "set", "press", "--reset").code == 0
    assert shown(made, "press") == {"press": every}
    assert "every other partner: 60 requests a minute" in made("quota", "show").out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("press",),
        ("press", "--reset", "--per-minute", "1"),
        ("press", "--per-minute", "-1"),
        ("press", "--per-minute", "many"),
        ("press", "--most-running", "0"),
        ("*", "--per-minute", "1"),
        ("Press!", "--per-minute", "1"),
        ("press", "shop", "--per-minute", "1"),
    ],
)
def test_words_that_set_nothing_sensible_are_wrong_usage(made: Terminal, words: tuple[str, ...]) -> None:
    ran = made("quota", "set", *words)
    assert ran.code == 2
    assert ran.err
    assert shown(made) == {"*": BUILT_IN}
