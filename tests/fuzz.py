"""A campaign: random queries over random tables for so many minutes, each that is accepted held against the oracle.

    .venv/bin/python -m tests.fuzz --minutes 20 --seed 1
    .venv/bin/python -m tests.fuzz --only 1:532          one case again, its tables made as small as they go

Prints how many were accepted, refused (by code) and wrong, and every wrong one. Ends with 1 where any is.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.judged import ASKED_OF_DUCKDB, assert_means_what_it_says, check
from tests.random_queries import Query, random_query
from tests.random_tables import Scenario, scenario

QUERIES_OF_ONE_SCENARIO = 12
MOST_WRONG = 200


@dataclass(frozen=True, slots=True)
class Wrong:
    """A query that did not keep a promise: its case's name, what it broke."""

    case: str
    query: Query
    reason: str


@dataclass(slots=True)
class Tally:
    """What a campaign counted."""

    accepted: int = 0
    compared: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    asked_of: Counter[str] = field(default_factory=Counter)
    accepted_of: Counter[str] = field(default_factory=Counter)
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return self.accepted + sum(self.refused.values()) + len(self.wrong)


def case(seed: str, number: int) -> tuple[Query, Scenario, random.Random]:
    """The query, the tables and the further chance of one case; several cases share one scenario."""
    drawn = scenario(random.Random(f"{seed}:tables:{number // QUERIES_OF_ONE_SCENARIO}"))
    chance = random.Random(f"{seed}:{number}")
    return random_query(chance), drawn, chance


def campaign(seed: str, cases: Iterator[int], folder: Path, tally: Tally) -> None:
    """Counts these cases into the tally; stops where there is more wrong than anybody would read."""
    for number in cases:
        if len(tally.wrong) >= MOST_WRONG:
            break
        query, drawn, chance = case(seed, number)
        tally.asked_of.update(query.constructs)
        reason = broken(query, drawn, chance, folder, tally)
        if reason is not None:
            tally.wrong.append(Wrong(f"{seed}:{number}", query, reason))


def broken(query: Query, drawn: Scenario, chance: random.Random, folder: Path, tally: Tally) -> str | None:
    """What promise the query broke; None, and counted, where it kept them all."""
    try:
        end = check(query.text, drawn, folder, chance)
        if end == "accepted" and not chance.randrange(ASKED_OF_DUCKDB):
            tally.compared += assert_means_what_it_says(query.text, drawn, folder)
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} {getattr(error, 'claims', '')}({Path(at.filename).name}, {at.name})"
    if end == "accepted":
        tally.accepted += 1
        tally.accepted_of.update(query.constructs)
    else:
        tally.refused[end] += 1
    return None


def smallest(name: str, drawn: Scenario, folder: Path) -> Scenario:
    """The scenario with as few rows as still break the same promise."""
    kind = _kind(name, drawn, folder)
    shrunk = True
    while shrunk:
        shrunk = False
        for dataset, rows in drawn.data.items():
            for at in reversed(range(len(rows))):
                left = drawn.data[dataset]
                fewer = replace(drawn, data={**drawn.data, dataset: [*left[:at], *left[at + 1 :]]})
                if _kind(name, fewer, folder) == kind:
                    drawn, shrunk = fewer, True
    return drawn


def _kind(name: str, drawn: Scenario, folder: Path) -> str | None:
    reason = once_more(name, drawn, folder)
    return None if reason is None else "".join(c for c in reason.split(",")[0] if not c.isdigit())[:40]


def once_more(name: str, drawn: Scenario, folder: Path) -> str | None:
    """What the case breaks over these tables, by the same chance."""
    seed, _, number = name.rpartition(":")
    query, _, chance = case(seed, int(number))
    return broken(query, drawn, chance, folder, Tally())


def until(deadline: float) -> Iterator[int]:
    number = 0
    while time.monotonic() < deadline:
        yield number
        number += 1


def report(tally: Tally) -> Iterator[str]:
    """The counts, line by line."""
    yield f"{tally.asked} queries: {tally.accepted} accepted, {sum(tally.refused.values())} refused, {len(tally.wrong)} wrong"
    yield f"{tally.compared} answers compared with the text's own"
    yield "refused: " + ", ".join(f"{code} {count}" for code, count in tally.refused.most_common())
    yield "accepted of asked: " + ", ".join(
        f"{name} {tally.accepted_of[name]}/{count}" for name, count in sorted(tally.asked_of.items())
    )
    for wrong in tally.wrong:
        yield f"WRONG {wrong.case}\n  {wrong.query.text}\n  {wrong.reason}"


def again(name: str, folder: Path) -> int:
    """One case once more, with its tables made small."""
    seed, _, number = name.rpartition(":")
    query, drawn, _ = case(seed, int(number))
    reason = once_more(name, drawn, folder)
    print(query.text)
    print(reason or "kept all promises")
    if reason is None:
        return 0
    drawn = smallest(name, drawn, folder)
    print("then:", once_more(name, drawn, folder))
    for dataset, rows in drawn.data.items():
        rule = drawn.policy.rules[dataset]
        print(dataset, f"minimum {rule.minimum_units}, {rule.small_groups}, row filter {rule.row_filter}")
        for row in rows:
            print("  ", {name: str(value) for name, value in row.items() if name in rule.columns})
    return 1


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(2**32)))
    parser.add_argument("--only", help="one case, as printed")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if asked.only:
            return again(asked.only, Path(folder))
        print(f"seed {asked.seed}", flush=True)
        tally = Tally()
        campaign(asked.seed, until(time.monotonic() + 60 * asked.minutes), Path(folder), tally)
    print("\n".join(report(tally)))
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
