"""The projects whose queries are judged here, by the name of their folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.peers.cases import Peer
from tests.peers.diffix import diffix
from tests.peers.flex import flex
from tests.peers.scql import scql
from tests.peers.smartnoise import smartnoise

PROJECTS: dict[str, Callable[[Path], Peer]] = {
    "smartnoise-sql": smartnoise,
    "pg_diffix": diffix,
    "uber-flex": flex,
    "scql": scql,
}
