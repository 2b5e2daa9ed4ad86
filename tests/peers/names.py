"""A query that names bare tables → the same text with `<partner>.` before each, and nothing else changed."""

from __future__ import annotations

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from tests.peers.shape import is_query


def tree_of(sql: str, dialect: str) -> exp.Expr | None:
    """The text as the parser reads it, for its shape alone; None where it does not."""
    try:
        return parse_one(sql, read=dialect)
    except (SqlglotError, RecursionError, ValueError):
        return None


def qualified(sql: str, dialect: str, partners: dict[str, str]) -> str:
    """The text with the partner of each bare table that `partners` knows (by its name in lower case) written before it."""
    tree = tree_of(sql, dialect) if is_query(sql) else None
    if tree is None:
        return sql
    common = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    starts = {
        int(table.this.meta["start"]): partners[table.name.lower()]
        for table in tree.find_all(exp.Table)
        if "start" in getattr(table.this, "meta", {})
        and table.args.get("db") is None
        and table.name.lower() in partners
        and table.name.lower() not in common
    }
    for start in sorted(starts, reverse=True):
        sql = f"{sql[:start]}{starts[start]}.{sql[start:]}"
    return sql
