"""A plan → plain tuples that two plans of one meaning share: places in the text are left out, origins written out."""

from __future__ import annotations

import dataclasses
from typing import Any


def canonical(value: Any) -> Any:
    """The value with every dataclass as its name and its parts; the names of outputs are kept, places are not."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [
            (field.name, canonical(getattr(value, field.name)))
            for field in dataclasses.fields(value)
            if field.name not in ("at", "weight")
        ]
        return (type(value).__name__, *parts)
    if isinstance(value, tuple | list | frozenset):
        return tuple(canonical(part) for part in value)
    return (type(value).__name__, value)
