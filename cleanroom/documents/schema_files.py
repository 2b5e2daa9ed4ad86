"""Schemas of the kinds → JSON Schema files for editors. `python -m cleanroom.documents.schema_files` writes them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from cleanroom.documents.kinds import KINDS, json_schema


def schema_text(kind: str) -> str:
    """What schemas/<kind>.json holds."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def shipped_schema(kind: str) -> str:
    """The text of the file that the package ships."""
    return (files("cleanroom.documents") / "schemas" / f"{kind}.json").read_text(encoding="utf-8")


def write_schema_files(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for kind in KINDS:
        (folder / f"{kind}.json").write_text(schema_text(kind), encoding="utf-8")


if __name__ == "__main__":
    write_schema_files(Path(__file__).parent / "schemas")
