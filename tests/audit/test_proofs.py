from __future__ import annotations

import itertools

import pytest

from cleanroom.audit.proofs import consistency_holds, consistency_proof, inclusion_holds, inclusion_proof
from cleanroom.audit.tree import Frontier, frontier_of, grow, leaf_hash

SIZE = 35
LEAVES = [leaf_hash(bytes([n])) for n in range(SIZE)]
ROOTS = [frontier_of(LEAVES[:size]).root for size in range(SIZE + 1)]
PAIRS = list(itertools.combinations(range(1, SIZE + 1), 2))


def _stored() -> dict[tuple[int, int], bytes]:
    frontier, stored = Frontier(), {}
    for leaf in LEAVES:
        frontier, nodes = grow(frontier, leaf)
        stored |= {(node.level, node.index): node.hash for node in nodes}
    return stored


STORED = _stored()


def node(level: int, index: int) -> bytes:
    return STORED[level, index]


@pytest.mark.parametrize("size", range(1, SIZE + 1))
def test_every_leaf_of_every_tree_is_proven_included(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(index, size, node)
        assert inclusion_holds(LEAVES[index], index, size, proof, ROOTS[size])
        assert len(proof) <= (size - 1).bit_length()


@pytest.mark.parametrize("size", range(1, SIZE + 1))
def test_an_inclusion_proof_holds_for_nothing_else(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(index, size, node)
        assert not inclusion_holds(leaf_hash(b"other"), index, size, proof, ROOTS[size])
        assert not inclusion_holds(LEAVES[index], index, size, proof, leaf_hash(b"other"))
        assert not inclusion_holds(LEAVES[index], index, size, (*proof, LEAVES[0]), ROOTS[size])
        assert not any(
            inclusion_holds(LEAVES[index], other, size, proof, ROOTS[size]) for other in range(size) if other != index
        )
        for changed in range(len(proof)):
            other = tuple(LEAVES[0][::-1] if n == changed else h for n, h in enumerate(proof))
            assert not inclusion_holds(LEAVES[index], index, size, other, ROOTS[size])
            assert not inclusion_holds(LEAVES[index], index, size, proof[:changed], ROOTS[size])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3), (3, 3)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_proof(index, size, node)
    assert not inclusion_holds(LEAVES[0], index, size, (), ROOTS[size])


def test_every_tree_is_proven_the_beginning_of_every_later_one() -> None:
    for earlier, size in PAIRS:
        proof = consistency_proof(earlier, size, node)
        assert consistency_holds(earlier, size, proof, ROOTS[earlier], ROOTS[size])


def test_a_consistency_proof_holds_for_nothing_else() -> None:
    stranger = leaf_hash(b"other")
    for earlier, size in PAIRS:
        proof = consistency_proof(earlier, size, node)
        assert not consistency_holds(earlier, size, proof, stranger, ROOTS[size])
        assert not consistency_holds(earlier, size, proof, ROOTS[earlier], stranger)
        assert not consistency_holds(earlier, size, (*proof, stranger), ROOTS[earlier], ROOTS[size])
        assert not consistency_holds(earlier, size, proof[:-1], ROOTS[earlier], ROOTS[size])
        for changed in range(len(proof)):
            other = tuple(stranger if n == changed else h for n, h in enumerate(proof))
            assert not consistency_holds(earlier, size, other, ROOTS[earlier], ROOTS[size])


@pytest.mark.parametrize("size", range(1, 9))
def test_a_tree_is_consistent_with_itself_without_a_proof(size: int) -> None:
    assert consistency_proof(size, size, node) == ()
    assert consistency_holds(size, size, (), ROOTS[size], ROOTS[size])
    assert not consistency_holds(size, size, (LEAVES[0],), ROOTS[size], ROOTS[size])
    assert not consistency_holds(size, size, (), ROOTS[size], ROOTS[size - 1])


@pytest.mark.parametrize(("earlier", "size"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_there_is_no_proof_from_a_tree_that_never_was(earlier: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such tree"):
        consistency_proof(earlier, size, node)
    assert not consistency_holds(earlier, size, (), ROOTS[0], ROOTS[size])
