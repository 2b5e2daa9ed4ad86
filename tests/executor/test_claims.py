"""Claims that were verified: of that snapshot and those declared types, and no other."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.domain.identifiers import ConnectionName, DatasetName
from cleanroom.domain.policy import Dataset, DatasetColumn, Domain
from cleanroom.domain.ports import FileSource
from cleanroom.domain.steps import Claim
from cleanroom.domain.types import BIGINT, VARCHAR
from cleanroom.executor import claims
from cleanroom.executor.claims import VerifiedClaims

NAME = DatasetName("shop.people")
DATASET = Dataset(
    NAME, ConnectionName("shop"), "*.csv", Domain.EVENT, "", "", ("id",), (("id",),), (DatasetColumn("id", BIGINT),)
)
SOURCE = FileSource(DATASET, "csv", ("/data/a.csv",), "one")
UNIQUE = Claim(NAME, ("id",), unique=True)
NOT_NULL = Claim(NAME, ("id",), unique=False)


def test_a_verified_claim_is_known_on_its_own_snapshot() -> None:
    verified = VerifiedClaims()
    verified.add((UNIQUE,), {NAME: SOURCE})
    assert verified.among((UNIQUE, NOT_NULL), {NAME: SOURCE}) == {UNIQUE}


def test_nothing_is_known_on_another_snapshot() -> None:
    verified = VerifiedClaims()
    verified.add((UNIQUE, NOT_NULL), {NAME: SOURCE})
    assert verified.among((UNIQUE, NOT_NULL), {NAME: replace(SOURCE, snapshot="two")}) == frozenset()


def test_nothing_is_known_once_a_column_is_declared_otherwise() -> None:
    verified = VerifiedClaims()
    verified.add((UNIQUE,), {NAME: SOURCE})
    text = replace(SOURCE, dataset=replace(DATASET, columns=(DatasetColumn("id", VARCHAR),)))
    assert verified.among((UNIQUE,), {NAME: text}) == frozenset()


def test_what_is_kept_is_bounded() -> None:
    verified = VerifiedClaims()
    verified.add((Claim(NAME, (f"c{i}",), unique=True) for i in range(claims.MAXIMUM_CLAIMS)), {NAME: SOURCE})
    verified.add((UNIQUE,), {NAME: SOURCE})
    assert verified.among((UNIQUE, Claim(NAME, ("c0",), unique=True)), {NAME: SOURCE}) == {UNIQUE}
