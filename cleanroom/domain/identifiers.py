"""Plain strings → names that cannot be mixed up. Every id of the house is a NewType here."""

from __future__ import annotations

import re
from typing import NewType

PartnerName = NewType("PartnerName", str)
CollaborationName = NewType("CollaborationName", str)
ConnectionName = NewType("ConnectionName", str)
DatasetName = NewType("DatasetName", str)  # "<partner>.<dataset>"
TemplateName = NewType("TemplateName", str)
QueryId = NewType("QueryId", str)
ChangeId = NewType("ChangeId", str)  # of a change that members of a collaboration vote on
PrincipalId = NewType("PrincipalId", str)  # who holds a token, as "<partner>/<name>"
SourceId = NewType("SourceId", int)  # one scan of a dataset under one alias, unique in a plan

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
"""What a dataset, column or alias may be called: engines and Python fold nothing but ASCII the same way."""

RESOURCE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
"""What a partner, connection, collaboration or template may be called: fits a URL, a folder and an environment variable."""


def owner_of(dataset: DatasetName) -> PartnerName:
    """The partner that a dataset belongs to: the part of its name before the dot."""
    return PartnerName(dataset.partition(".")[0])


def fold(name: str) -> str:
    """The name as engines compare it: ASCII letters in lower case, every other character as it is."""
    return name.lower() if name.isascii() else "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)
