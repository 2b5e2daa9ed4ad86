"""Rendered SQL → a second opinion on what it reads, from the engine's own binder over empty twins of the tables.

A mistake in resolving or rendering would have to be made the same way by DuckDB's binder to go unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import Expression, Field, SourceColumn, fields_of, inputs
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Relation, Scan, expressions, relations, scans
from cleanroom.domain.steps import PrivateStep

_OPERATORS = frozenset(
    {
        "LOGICAL_GET",
        "LOGICAL_PROJECTION",
        "LOGICAL_FILTER",
        "LOGICAL_COMPARISON_JOIN",
        "LOGICAL_ANY_JOIN",
        "LOGICAL_CROSS_PRODUCT",
        "LOGICAL_AGGREGATE_AND_GROUP_BY",
        "LOGICAL_MATERIALIZED_CTE",
        "LOGICAL_CTE_REF",
        "LOGICAL_WINDOW",
        "LOGICAL_ORDER_BY",
        "LOGICAL_LIMIT",
        "LOGICAL_DUMMY_SCAN",
    }
)
_RELEASED = _OPERATORS | {"LOGICAL_UNION", "LOGICAL_INTERSECT", "LOGICAL_EXCEPT", "LOGICAL_DISTINCT"}
"""What a query over released tables alone may do as well."""


@dataclass(frozen=True, slots=True)
class Twin:
    """An empty table of the same schema (a column list of SQL), and the columns of it that may be read."""

    columns: str
    readable: frozenset[str]


def require_reads_only(sql: str, twins: Mapping[str, Twin], *, released: bool = False) -> None:
    """Afterwards it is known that binding `sql` reads nothing but the readable columns of `twins`.

    `released`: the twins are those of released tables, whose rows may be put together.
    EngineError engine.unsafe: it reads something else, does something else than reading, or does not bind at all.
    """
    connection = duckdb.connect(":memory:", config={"python_enable_replacements": "false", "threads": "1"})
    try:
        connection.execute("SET enable_external_access = false")
        for name, twin in twins.items():
            connection.execute(f'CREATE TABLE "{name}" ({twin.columns})')
        row = connection.execute("SELECT json_serialize_plan(?)", [sql]).fetchone()
    except duckdb.Error:
        row = None
    finally:
        connection.close()
    plan = json.loads(row[0]) if row else {}
    nodes = list(_operators(plan))
    operators = _RELEASED if released else _OPERATORS
    if plan.get("error") is not False or len(plan.get("plans", ())) != 1 or not nodes:
        raise _unsafe()
    if not all(_allowed(node, twins, operators) for node in nodes):
        raise _unsafe()


def columns_read(step: PrivateStep) -> dict[DatasetName, frozenset[str]]:
    """For each dataset that the step scans, the columns that anything in its plan names: removals and other key sets too."""
    roots = (step.aggregate, *(removal.relation for removal in step.removals))
    read = [scan for root in roots for scan in scans(root)]
    fields = [*_own_fields(step), *(field for root in roots for field in _fields_below(root))]
    fields += [field for scan in read for field in _scan_fields(scan)]
    origins = [field.origin for field in fields if isinstance(field.origin, SourceColumn)]
    return {scan.dataset: frozenset(o.column for o in origins if o.dataset == scan.dataset) for scan in read}


def _own_fields(step: PrivateStep) -> Iterator[Field]:
    """What the step names itself, above the relations that it reads."""
    yield from step.units
    for removal in step.removals:
        yield from removal.units
    for keys in (*step.finer, *step.beside, *(removal.keys for removal in step.removals)):
        yield from keys
        yield from _fields_in(part for key in keys for part in inputs(key.origin))
    yield from _fields_in(step.conditions)


def _fields_below(root: Relation) -> Iterator[Field]:
    """What the nodes of a relation name."""
    for relation in relations(root):
        yield from _fields_in(expressions(relation))
        if isinstance(relation, Aggregate):
            yield from relation.keys


def _scan_fields(scan: Scan) -> Iterator[Field]:
    yield from scan.units
    yield from _fields_in([] if scan.row_filter is None else [scan.row_filter])


def _fields_in(parts: Iterable[Expression]) -> Iterator[Field]:
    return (field for part in parts for field in fields_of(part))


def _operators(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every operator of the serialized plan, wherever it stands."""
    if isinstance(node, dict):
        if str(node.get("type", "")).startswith("LOGICAL_"):
            yield node
        for value in node.values():
            yield from _operators(value)
    elif isinstance(node, list):
        for value in node:
            yield from _operators(value)


def _allowed(node: Mapping[str, Any], twins: Mapping[str, Twin], operators: frozenset[str]) -> bool:
    if node["type"] not in operators:
        return False
    return node["type"] != "LOGICAL_GET" or _reads_twin(node, twins)


def _reads_twin(node: Mapping[str, Any], twins: Mapping[str, Twin]) -> bool:
    path = node.get("function_data", {}).get("qualified_name", {}).get("path", [])
    if node.get("qname", {}).get("path") != ["seq_scan"] or path[:2] != ["memory", "main"] or len(path) != 3:
        return False
    twin, names = twins.get(path[2]), node.get("names", [])
    # An index past the names is a hidden column such as rowid; rendered scans always name a real one.
    read = [names[c["index"]] if c["index"] < len(names) else None for c in node.get("column_indexes", [])]
    return twin is not None and set(read) <= twin.readable


def _unsafe() -> EngineError:
    return EngineError("The engine would read something else than what was approved.", "engine.unsafe")
