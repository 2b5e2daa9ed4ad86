"""Policy documents ↔ values of the domain. What is not known, not consistent or not enforced is a problem with a place."""

from __future__ import annotations

from cleanroom.documents.body import read_document
from cleanroom.documents.check import check_connection, check_dataset, check_folder, check_rule, partners_of
from cleanroom.documents.folder import read_folder
from cleanroom.documents.kinds import API_VERSION, KINDS, json_schema
from cleanroom.documents.stored import from_document, to_document
from cleanroom.documents.template import check_template

__all__ = [
    "API_VERSION",
    "KINDS",
    "check_connection",
    "check_dataset",
    "check_folder",
    "check_rule",
    "check_template",
    "from_document",
    "json_schema",
    "partners_of",
    "read_document",
    "read_folder",
    "to_document",
]
