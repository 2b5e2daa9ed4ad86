"""SQL text → a typed plan, and the plan → SQL of an engine. The analyst's own text goes no further than this folder."""

from __future__ import annotations

from cleanroom.sql.dialects import DIALECTS
from cleanroom.sql.parse import ParsedQuery, parse
from cleanroom.sql.resolve import Resolved, resolve
from cleanroom.sql.row_filter import check_row_filter

__all__ = ["DIALECTS", "ParsedQuery", "Resolved", "check_row_filter", "parse", "resolve"]
