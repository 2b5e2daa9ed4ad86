"""Judged cases → the tables of docs/peers.md. One row for each way in which the two sides meet, most frequent first."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.peers.cases import Label, Peer
from tests.peers.reasons import reason_of
from tests.peers.verdicts import Judged, judge_all

PAGE = Path(__file__).parent.parent.parent / "docs" / "peers.md"
START = "<!-- what follows is written by `python -m tests.peers` -->"
HEADER = "| the project | here | why | queries |\n|---|---|---|---:|"
AGREED = {(Label.ACCEPTS, True), (Label.REFUSES, False)}


def section(peer: Peer, judged: tuple[Judged, ...]) -> str:
    """The peer's heading, its total and its table. Raises Unexplained where a disagreement has no reason."""
    counted = Counter((j.case.label, j.verdict.approved, reason_of(j, peer)) for j in judged)
    agreed = sum(n for (label, approved, _), n in counted.items() if (label, approved) in AGREED)
    compared = sum(n for (label, _, _), n in counted.items() if label in (Label.ACCEPTS, Label.REFUSES))
    rows = [
        f"| {label} | {'accepted' if approved else 'refused'} | {_why(label, approved, reason)} | {n} |"
        for (label, approved, reason), n in sorted(counted.items(), key=_order)
    ]
    total = f"{sum(counted.values())} queries; it judges {compared} of them, {agreed} as they are judged here."
    return "\n".join((f"## {peer.name}", "", total, "", HEADER, *rows, ""))


def rewrite(peers: tuple[Peer, ...]) -> None:
    """Afterwards the page's tables say what is judged now; what stands above them is kept."""
    kept, mark, _ = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text("\n".join((kept + mark, "", *(section(peer, judge_all(peer)) for peer in peers))), encoding="utf-8")


def _why(label: Label, approved: bool, reason: str | None) -> str:
    if reason is not None:
        return reason
    return "agreed" if (label, approved) in AGREED else "—"


def _order(entry: tuple[tuple[Label, bool, str | None], int]) -> tuple[int, bool, int, str]:
    (label, approved, reason), n = entry
    return list(Label).index(label), not approved, -n, reason or ""
