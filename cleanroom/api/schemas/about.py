"""A sentence → what the OpenAPI document says of a field."""

from __future__ import annotations


def about(text: str) -> dict[str, str]:
    """The metadata of a field that the sentence describes."""
    return {"description": text}
