"""Plan → DuckDB SQL text, written anew from the plan: nothing that the analyst typed is in it but quoted literals."""

from __future__ import annotations

from cleanroom.sql.render_aggregate import sum_type
from cleanroom.sql.render_final import render_final
from cleanroom.sql.render_private import render_claim, render_private

__all__ = ["render_claim", "render_final", "render_private", "sum_type"]
