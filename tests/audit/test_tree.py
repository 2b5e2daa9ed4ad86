from __future__ import annotations

import hashlib

import pytest

from cleanroom.audit.tree import EMPTY_ROOT, Frontier, frontier_of, grow, leaf_hash

# The test data that implementations of RFC 6962 share.
LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def slow_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962, 2.1 writes it, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = max(2**power for power in range(20) if 2**power < len(leaves))
    return hashlib.sha256(b"\x01" + slow_root(leaves[:middle]) + slow_root(leaves[middle:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_the_root_is_the_published_one(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES[:size]]
    assert frontier_of(leaves).root.hex() == ROOTS[size]


@pytest.mark.parametrize("size", [*range(1, 40), 127, 128, 129])
def test_the_root_is_that_of_the_definition(size: int) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    assert frontier_of(leaves).root == slow_root(leaves)


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    assert Frontier().root == EMPTY_ROOT


def test_the_frontier_stays_small() -> None:
    assert len(frontier_of(leaf_hash(bytes([n % 256])) for n in range(1023)).hashes) == 10
    assert len(frontier_of(leaf_hash(bytes([n % 256])) for n in range(1024)).hashes) == 1


def test_growing_completes_every_subtree_once() -> None:
    frontier, seen = Frontier(), []
    for n in range(64):
        frontier, nodes = grow(frontier, leaf_hash(bytes([n])))
        seen += [(node.level, node.index) for node in nodes]
    assert sorted(seen) == [(level, index) for level in range(7) for index in range(64 >> level)]


def test_a_leaf_is_never_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != frontier_of([left, right]).root
