"""What would change, worked out from values alone."""

from __future__ import annotations

import dataclasses

import pytest

from cleanroom.documents.changes import Admission, Changes, What, changes_between, diff_of, digest_of
from cleanroom.domain.policy import PolicyFolder
from tests.store.world import (
    COLLABORATION,
    CUSTOMERS,
    IMPRESSIONS,
    PUBLISHER,
    RETAILER,
    lake,
    rule,
    table,
)

STANDING = PolicyFolder(
    (COLLABORATION,), (lake(RETAILER), lake(PUBLISHER)), (table(CUSTOMERS), table(IMPRESSIONS)), (rule(CUSTOMERS),)
)
ADMITTED = {RETAILER: ("/data/lake",), PUBLISHER: ("/data/lake",)}


def changes(wanted: PolicyFolder, *, prune: bool = False) -> Changes:
    return changes_between(wanted, STANDING, ADMITTED, prune=prune)


def test_what_holds_already_is_no_change() -> None:
    assert not changes(STANDING)
    assert not changes(STANDING, prune=True)
    assert not changes(PolicyFolder())


def test_what_is_new_is_created_and_what_differs_is_replaced() -> None:
    wanted = PolicyFolder(datasets=(table(CUSTOMERS, "Other."),), rules=(rule(CUSTOMERS), rule(IMPRESSIONS)))
    found = changes(wanted).documents
    assert [(c.what, str(c.key)) for c in found] == [
        (What.REPLACED, "dataset:retailer.customers"),
        (What.CREATED, "rule:retail-media/publisher.impressions"),
    ]
    assert (found[0].before, found[0].after) == (table(CUSTOMERS), table(CUSTOMERS, "Other."))


def test_only_pruning_removes_what_is_omitted() -> None:
    wanted = dataclasses.replace(STANDING, rules=())
    assert not changes(wanted)
    (gone,) = changes(wanted, prune=True).documents
    assert (gone.what, gone.after) == (What.REMOVED, None)


def test_a_root_that_is_not_admitted_yet_would_be_once_for_each_partner() -> None:
    moved = (lake(RETAILER, "/data/new"), lake(PUBLISHER, "/data/new"))
    twice = (*moved, dataclasses.replace(moved[0], name="retailer-second"))
    found = changes(PolicyFolder(connections=twice))
    assert found.admissions == (Admission(RETAILER, "/data/new"), Admission(PUBLISHER, "/data/new"))


def test_a_root_is_a_change_even_where_no_document_is() -> None:
    assert changes_between(STANDING, STANDING, {RETAILER: ("/data/lake",)}, prune=False)


def test_a_diff_shows_the_keys_that_change_old_and_new() -> None:
    (change,) = changes(PolicyFolder(rules=(rule(CUSTOMERS, 80),))).documents
    lines = diff_of(change).splitlines()
    assert [line for line in lines[2:] if line[0] in "+-"] == ["-  minimum: 50", "+  minimum: 80"]


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(STANDING, rules=()),
        dataclasses.replace(STANDING, rules=(rule(CUSTOMERS, 51),)),
        dataclasses.replace(STANDING, connections=(lake(RETAILER, "/elsewhere"), lake(PUBLISHER))),
        PolicyFolder(),
    ],
)
def test_a_digest_tells_folders_apart(other: PolicyFolder) -> None:
    assert digest_of(other) != digest_of(STANDING)


def test_a_digest_does_not_depend_on_the_order_of_documents() -> None:
    turned = dataclasses.replace(STANDING, connections=STANDING.connections[::-1], datasets=STANDING.datasets[::-1])
    assert digest_of(turned) == digest_of(STANDING)
