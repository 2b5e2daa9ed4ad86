"""A data clean room server: SQL over data that nobody moves → results that describe groups, never people."""

from __future__ import annotations

__version__ = "0.1.0"
