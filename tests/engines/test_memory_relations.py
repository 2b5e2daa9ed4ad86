"""Joins of every kind, set operations and per-unit tables in memory: plain SQL's rows, and each row's people with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import duckdb
import pytest

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import Field, SortKey, Value, WindowCall
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Join, JoinKind, Relation, Scan, SetKind, SetOperation, Window, units_of
from cleanroom.domain.types import BIGINT, VARCHAR
from cleanroom.engines.memory_relations import Tables, rows_of
from tests.plans import PlanBuilder, call, col, dataset, project, where

BUYERS = dataset("retailer.buyers", {"buyer": "BIGINT", "email": "VARCHAR", "region": "VARCHAR"}, units=("buyer",))
VIEWS = dataset("publisher.views", {"viewer": "BIGINT", "email": "VARCHAR", "site": "VARCHAR"}, units=("viewer",))
Named = Mapping[str, Value]

BUYER_ROWS: list[Named] = [
    {"buyer": 1, "email": "a", "region": "n"},
    {"buyer": 2, "email": "b", "region": None},
    {"buyer": 3, "email": None, "region": "s"},
    {"buyer": 4, "email": "a", "region": "s"},
    {"buyer": 5, "email": "z", "region": "n"},
    {"buyer": None, "email": "a", "region": "n"},
]
VIEW_ROWS: list[Named] = [
    {"viewer": 9, "email": "a", "site": "x"},
    {"viewer": 7, "email": "a", "site": "y"},
    {"viewer": 8, "email": "b", "site": "n"},
    {"viewer": 6, "email": None, "site": "x"},
    {"viewer": 5, "email": "q", "site": "s"},
    {"viewer": None, "email": "z", "site": "x"},
]


def tables(buyers: Sequence[Named] = BUYER_ROWS, views: Sequence[Named] = VIEW_ROWS) -> Tables:
    return Tables({BUYERS.name: buyers, VIEWS.name: views}, {})


def joined(left: Relation, right: Relation, kind: JoinKind, *keys: tuple[str, str], released: bool = False) -> Join:
    return Join(left, right, kind, tuple((col(left, mine), col(right, theirs)) for mine, theirs in keys), released)


def both(kind: JoinKind, *keys: tuple[str, str]) -> tuple[Join, Scan, Scan]:
    make = PlanBuilder()
    left, right = make.scan(BUYERS), make.scan(VIEWS)
    return joined(left, right, kind, *keys), left, right


def values(relation: Relation, given: Tables, fields: Sequence[Field] | None = None) -> list[tuple[Value, ...]]:
    """The rows in an order of their own, so that two lists are equal where the rows are."""
    wanted = relation.fields if fields is None else fields
    return sorted((tuple(row[f.id] for f in wanted) for row in rows_of(relation, given)), key=repr)


def in_duckdb(sql: str, given: Tables) -> list[tuple[Value, ...]]:
    with duckdb.connect() as connection:
        for made in (BUYERS, VIEWS):
            columns = ", ".join(f"{c.name} {c.type}" for c in made.columns)
            name = made.name.partition(".")[2]
            connection.execute(f"CREATE TABLE {name} ({columns})")
            for row in given.datasets[made.name]:
                if row[made.privacy_units[0]] is not None:
                    connection.execute(f"INSERT INTO {name} VALUES (?, ?, ?)", list(row.values()))
        return sorted(connection.execute(sql).fetchall(), key=repr)


SQL = {
    JoinKind.INNER: "SELECT * FROM buyers b JOIN views v ON {on}",
    JoinKind.LEFT: "SELECT * FROM buyers b LEFT JOIN views v ON {on}",
    JoinKind.SEMI: "SELECT * FROM buyers b SEMI JOIN views v ON {on}",
    JoinKind.ANTI: "SELECT * FROM buyers b ANTI JOIN views v ON {on}",
}
KEYS: list[tuple[tuple[tuple[str, str], ...], str]] = [
    ((("email", "email"),), "b.email = v.email"),
    ((("email", "email"), ("region", "site")), "b.email = v.email AND b.region = v.site"),
    ((), "true"),
]


@pytest.mark.parametrize("kind", SQL)
@pytest.mark.parametrize(("keys", "on"), KEYS, ids=["one key", "two keys", "no key"])
@pytest.mark.parametrize(
    "given",
    [tables(), tables(views=[]), tables(buyers=[]), tables([], [])],
    ids=["rows", "nothing right", "nothing left", "nothing"],
)
def test_a_join_is_plain_sqls(kind: JoinKind, keys: tuple[tuple[str, str], ...], on: str, given: Tables) -> None:
    join, _, _ = both(kind, *keys)
    assert values(join, given) == in_duckdb(SQL[kind].format(on=on), given)


def test_a_null_key_matches_nothing_on_any_side() -> None:
    keys = ("email", "email")
    assert all(row[1] is not None for row in values(both(JoinKind.INNER, keys)[0], tables()))
    assert (3, None, "s") in values(both(JoinKind.ANTI, keys)[0], tables())
    assert (3, None, "s", None, None, None) in values(both(JoinKind.LEFT, keys)[0], tables())


def test_a_semi_join_carries_the_least_unit_that_matches() -> None:
    join, left, right = both(JoinKind.SEMI, ("email", "email"))
    assert units_of(join) == (*left.units, *right.units)
    assert values(join, tables(), units_of(join)) == [(1, 7), (2, 8), (4, 7)]


def test_an_anti_join_carries_the_left_sides_units_alone() -> None:
    join, left, right = both(JoinKind.ANTI, ("email", "email"))
    assert units_of(join) == left.units
    assert all(right.units[0].id not in row for row in rows_of(join, tables()))


def test_a_left_join_without_a_match_belongs_to_nobody_on_the_right() -> None:
    join, left, right = both(JoinKind.LEFT, ("email", "email"))
    assert units_of(join) == (*left.units, *right.units)
    assert values(join, tables(), units_of(join)) == [(1, 7), (1, 9), (2, 8), (3, None), (4, 7), (4, 9), (5, None)]


def test_units_that_no_column_shows_are_missing_with_their_row() -> None:
    make = PlanBuilder()
    left, right = make.scan(BUYERS), make.scan(VIEWS)
    narrow = project(right, make.computed(col(right, "email"), "email"))
    join = joined(left, narrow, JoinKind.LEFT, ("email", "email"))
    assert (5, None) in values(join, tables(), units_of(join))
    assert (5, None) in values(join, tables(), (*left.units, col(right, "site").field))


def test_a_semi_join_with_optional_units_takes_the_least_that_is_there() -> None:
    make = PlanBuilder()
    outer, left, right = make.scan(VIEWS), make.scan(BUYERS), make.scan(VIEWS)
    below = joined(left, where(right, call("eq", col(right, "site"), "y")), JoinKind.LEFT, ("email", "email"))
    join = joined(outer, below, JoinKind.SEMI, ("email", "email"))
    assert values(join, tables(), units_of(join)) == [(7, 1, 7), (8, 2, None), (9, 1, 7)]


def test_a_scan_cannot_be_joined_with_itself_under_one_name() -> None:
    scan = PlanBuilder().scan(BUYERS)
    for kind in (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI):
        with pytest.raises(EngineError):
            rows_of(joined(scan, scan, kind, ("email", "email")), tables())


def test_people_are_not_joined_in_full() -> None:
    with pytest.raises(EngineError):
        rows_of(both(JoinKind.FULL, ("email", "email"))[0], tables())


# Released tables


def two_released(first: Sequence[Value], second: Sequence[Value]) -> tuple[PlanBuilder, Relation, Relation, Tables]:
    make = PlanBuilder()
    left, right = make.released("t", {"k": "BIGINT"}), make.released("u", {"k": "BIGINT"})
    rows = {
        name: [{f"c{scan.fields[0].id}": value} for value in found]
        for name, scan, found in (("t", left, first), ("u", right, second))
    }
    return make, left, right, Tables({}, rows)


LISTS: list[list[Value]] = [[], [1], [1, 1, None, 2], [2, None, None, 3]]


@pytest.mark.parametrize("keyed", [True, False], ids=["a key", "no key"])
@pytest.mark.parametrize(("first", "second"), [*product(LISTS, repeat=2)])
def test_a_full_join_of_released_rows_is_plain_sqls(first: list[Value], second: list[Value], keyed: bool) -> None:
    _, left, right, given = two_released(first, second)
    join = joined(left, right, JoinKind.FULL, *([("k", "k")] if keyed else []), released=True)
    assert values(join, given) == plain(
        f"SELECT * FROM t FULL JOIN u ON {'t.k = u.k' if keyed else 'true'}", first, second
    )


def plain(sql: str, first: Sequence[Value], second: Sequence[Value]) -> list[tuple[Value, ...]]:
    with duckdb.connect() as connection:
        for name, found in (("t", first), ("u", second)):
            connection.execute(f"CREATE TABLE {name} (k BIGINT)")
            for value in found:
                connection.execute(f"INSERT INTO {name} VALUES (?)", [value])
        return sorted(connection.execute(sql).fetchall(), key=repr)


WORDS = {
    SetKind.UNION_ALL: "UNION ALL",
    SetKind.UNION: "UNION",
    SetKind.INTERSECT: "INTERSECT",
    SetKind.EXCEPT: "EXCEPT",
}


@pytest.mark.parametrize("kind", SetKind)
@pytest.mark.parametrize(("first", "second"), [*product(LISTS, repeat=2)])
def test_a_set_operation_is_plain_sqls(kind: SetKind, first: list[Value], second: list[Value]) -> None:
    make, left, right, given = two_released(first, second)
    operation = SetOperation((left, right), kind, (make.computed(col(left, "k")),))
    assert values(operation, given) == plain(f"SELECT * FROM t {WORDS[kind]} SELECT * FROM u", first, second)


@pytest.mark.parametrize(
    ("kind", "expected"), [(SetKind.EXCEPT, [1]), (SetKind.INTERSECT, []), (SetKind.UNION, [1, 2, 3])]
)
def test_three_inputs_are_combined_from_the_first_on(kind: SetKind, expected: list[Value]) -> None:
    make, left, right, given = two_released([1, 2, 3, 1], [3])
    third = make.released("w", {"k": "BIGINT"})
    more = Tables({}, {**given.released, "w": [{f"c{third.fields[0].id}": 2}]})
    operation = SetOperation((left, right, third), kind, (make.computed(col(left, "k")),))
    assert values(operation, more) == [(value,) for value in expected]


def test_rows_put_together_have_the_operations_types() -> None:
    make, left, right, given = two_released([1], [2])
    operation = SetOperation((left, right), SetKind.UNION_ALL, (make.field("k", VARCHAR, col(left, "k")),))
    assert values(operation, given) == [("1",), ("2",)]


@pytest.mark.parametrize("kind", SetKind)
def test_rows_of_people_are_never_put_together(kind: SetKind) -> None:
    make = PlanBuilder()
    scan, other = make.scan(BUYERS), make.scan(BUYERS)
    with pytest.raises(EngineError):
        rows_of(SetOperation((scan, other), kind, scan.fields), tables())


# Per-unit tables


def per_unit(key: str) -> tuple[Aggregate, Join]:
    """Views by viewer (or site) with the buyers of their e-mail, or none."""
    make = PlanBuilder()
    views, buyers = make.scan(VIEWS), make.scan(BUYERS)
    one = where(buyers, call("lt", col(buyers, "buyer"), 4))
    below = joined(views, one, JoinKind.LEFT, ("email", "email"))
    return Aggregate(below, (make.computed(col(below, key), key),), (make.measure("count_rows"),), False), below


def test_a_per_unit_table_keeps_its_persons_units() -> None:
    table, below = per_unit("viewer")
    assert units_of(table) == units_of(below)
    expected = [(5, 1, 5, None), (6, 1, 6, None), (7, 1, 7, 1), (8, 1, 8, 2), (9, 1, 9, 1)]
    assert values(table, tables(), (*table.fields, *units_of(table))) == expected


@pytest.mark.parametrize(
    "views",
    [
        [{"viewer": 1, "email": "q", "site": "x"}, {"viewer": 2, "email": "q", "site": "x"}],
        [{"viewer": 1, "email": "a", "site": "x"}, {"viewer": 1, "email": "b", "site": "x"}],
        [{"viewer": 1, "email": "a", "site": "x"}, {"viewer": 1, "email": "q", "site": "x"}],
    ],
    ids=["two of the kept side", "two of the optional side", "one and nobody"],
)
def test_a_group_of_several_people_is_no_per_unit_row(views: list[Named]) -> None:
    table, _ = per_unit("site")
    with pytest.raises(EngineError):
        rows_of(table, tables(views=views))


def test_a_per_unit_table_without_keys_belongs_to_nobody() -> None:
    table, _ = per_unit("viewer")
    with pytest.raises(EngineError):
        rows_of(replace(table, keys=()), tables(views=[]))


def test_a_released_aggregate_carries_nobody() -> None:
    table, below = per_unit("site")
    assert all(f.id not in row for row in rows_of(replace(table, released=True), tables()) for f in units_of(below))


def test_windows_over_peoples_rows_keep_every_row_and_its_units() -> None:
    make = PlanBuilder()
    views = make.scan(VIEWS)
    number = make.window(WindowCall("row_number", (), (col(views, "viewer"),), (SortKey(col(views, "site")),)), BIGINT)
    rows: list[Named] = [{"viewer": v, "email": "a", "site": s} for v, s in ((1, "b"), (1, "a"), (2, "c"), (None, "d"))]
    window = Window(views, (number,), False)
    found = values(window, tables(views=rows), (*units_of(window), col(views, "site").field, number))
    assert found == [(1, "a", 1), (1, "b", 2), (2, "c", 1)]


def test_a_dataset_that_is_not_there_is_an_error() -> None:
    join, _, _ = both(JoinKind.ANTI, ("email", "email"))
    with pytest.raises(EngineError):
        rows_of(join, Tables({DatasetName("retailer.buyers"): BUYER_ROWS}, {}))
