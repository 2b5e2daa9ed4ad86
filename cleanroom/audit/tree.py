"""Leaves → Merkle tree (RFC 9162, 2.1; the tree of RFC 6962). Appending costs O(log n) and needs only the frontier."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True)
class Node:
    """The hash over a complete subtree: leaves index·2^level up to (index + 1)·2^level."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """What appending needs of a tree of `size` leaves: the hashes of its complete subtrees, the largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def grow(frontier: Frontier, leaf: bytes) -> tuple[Frontier, tuple[Node, ...]]:
    """The frontier with one leaf hash more, and the nodes that it completed, the leaf itself first."""
    hashes = list(frontier.hashes)
    nodes = [Node(0, frontier.size, leaf)]
    while nodes[-1].index & 1:
        right = nodes[-1]
        nodes.append(Node(right.level + 1, right.index >> 1, node_hash(hashes.pop(), right.hash)))
    return Frontier(frontier.size + 1, (*hashes, nodes[-1].hash)), tuple(nodes)


def frontier_of(leaves: Iterable[bytes]) -> Frontier:
    """The frontier over these leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier, _ = grow(frontier, leaf)
    return frontier


NodeReader = Callable[[int, int], bytes]
"""(level, index) → the hash of that complete subtree."""


def range_hash(first: int, end: int, node: NodeReader) -> bytes:
    """The hash over leaves `first` up to `end`, a range that the tree's own splitting makes (MTH of RFC 9162, 2.1.1)."""
    size = end - first
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, first >> level)
    middle = first + split(size)
    return node_hash(range_hash(first, middle, node), range_hash(middle, end, node))


def split(size: int) -> int:
    """The largest power of two below `size` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)
