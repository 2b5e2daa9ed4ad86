"""Tree → proofs of inclusion and consistency, and their verification (RFC 9162, 2.1.3 and 2.1.4)."""

from __future__ import annotations

from collections.abc import Sequence

from cleanroom.audit.tree import NodeReader, node_hash, range_hash, split


def inclusion_proof(index: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """The hashes from leaf `index` up to the root of the tree of `size` leaves; ValueError unless index < size."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    first, end = 0, size
    path: list[bytes] = []
    while end - first > 1:
        middle = first + split(end - first)
        if index < middle:
            path.append(range_hash(middle, end, node))
            end = middle
        else:
            path.append(range_hash(first, middle, node))
            first = middle
    return tuple(reversed(path))


def consistency_proof(earlier: int, size: int, node: NodeReader) -> tuple[bytes, ...]:
    """The hashes that show the tree of `earlier` leaves to be the beginning of that of `size`; none where they are one.

    ValueError unless 0 < earlier <= size.
    """
    if not 0 < earlier <= size:
        raise ValueError("no such tree")
    first, end = 0, size
    path: list[bytes] = []
    while end != earlier:
        middle = first + split(end - first)
        if earlier <= middle:
            path.append(range_hash(middle, end, node))
            end = middle
        else:
            path.append(range_hash(first, middle, node))
            first = middle
    if first > 0:  # the earlier tree's own root is known to the reader only where it is a whole subtree from the left
        path.append(range_hash(first, end, node))
    return tuple(reversed(path))


def inclusion_holds(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` leads from the leaf hash at `index` to `root` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            value = node_hash(sibling, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and value == root


def consistency_holds(earlier: int, size: int, proof: Sequence[bytes], earlier_root: bytes, root: bytes) -> bool:
    """Whether `proof` shows the tree of `earlier` leaves to be the beginning of that of `size` (RFC 9162, 2.1.4.2)."""
    if not 0 < earlier <= size:
        return False
    if earlier == size:
        return not proof and earlier_root == root
    path = [earlier_root, *proof] if earlier & (earlier - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = earlier - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old == earlier_root and new == root
