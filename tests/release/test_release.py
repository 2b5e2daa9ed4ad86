"""What leaves at all: the step's own columns, in an order and in buffers that tell nothing of what was withheld."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.steps import ConditionalCell, PrivateStep, RawTable
from cleanroom.release import release
from tests.release.raw_tables import ANY, KEY, KINDS, OTHER, PERSON, ROWS, TOTAL, K, raw, step

CONDITIONAL = step(ROWS, TOTAL, conditional={TOTAL: 0})
HIDDEN = ["n0", "a0", "o0_0"]


def stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def test_only_keys_and_measures_leave_with_their_types() -> None:
    answer = release(raw(CONDITIONAL, HIDDEN, ("north", 900, 7, K, K, K)))
    assert answer.name == "t0"
    assert answer.rows.schema == pa.schema([("c10", pa.string()), ("c11", pa.int64()), ("c12", pa.int64())])
    assert answer.rows.to_pylist() == [{"c10": "north", "c11": 900, "c12": 7}]


def test_the_order_of_the_private_step_is_lost() -> None:
    rows: list[tuple[Value, ...]] = [(name, 1, K) for name in ("b", None, "a", "C", "é")]
    expected = ["C", "a", "b", "é", None]
    for seed in range(5):
        shuffled = random.Random(seed).sample(rows, len(rows))
        assert release(raw(step(ROWS), ["n0"], *shuffled)).rows.column("c10").to_pylist() == expected


@pytest.mark.parametrize("key_type", [pa.bool_(), pa.int8(), pa.decimal128(38, 2), pa.date32(), pa.timestamp("us")])
def test_keys_of_any_type_are_ordered(key_type: pa.DataType) -> None:
    small = pa.int32() if key_type == pa.date32() else pa.int64()
    keys = pa.array([1, 0, None], small).cast(key_type)
    table = pa.table({"c10": keys, "c11": pa.array([1, 2, 3]), "n0": pa.array([K] * 3)})
    assert release(RawTable(step(ROWS), table)).rows.column("c11").to_pylist() == [2, 1, 3]


def test_a_withheld_row_or_cell_is_in_no_buffer() -> None:
    secret = 0x5EC2E75EC2E7
    table = raw(CONDITIONAL, HIDDEN, ("north", 900, secret, K, K - 1, K), ("tiny-secret", secret, secret, K - 1, K, K))
    assert secret.to_bytes(8, "little") in stream(table.rows)
    sent = stream(release(table).rows)
    assert secret.to_bytes(8, "little") not in sent
    assert b"tiny-secret" not in sent


def test_chunks_and_metadata_of_the_private_step_are_lost() -> None:
    chunks = [raw(step(ROWS), ["n0"], (name, 1, n)).rows for name, n in (("a", K), ("b", 1), ("c", K))]
    table = pa.concat_tables(chunks).replace_schema_metadata({"groups": "3"})
    answer = release(RawTable(step(ROWS), table)).rows
    assert answer.schema.metadata is None
    assert answer.column("c10").num_chunks == 1


def test_the_same_raw_table_is_released_the_same_way_and_not_changed() -> None:
    table = raw(CONDITIONAL, HIDDEN, ("north", 900, 7, K, K - 1, K), ("south", 1, 2, K, K, K))
    before = stream(table.rows)
    assert stream(release(table).rows) == stream(release(table).rows)
    assert stream(table.rows) == before


def without(table: RawTable, name: str) -> pa.Table:
    return table.rows.drop_columns([name])


def retyped(table: RawTable, name: str, kind: pa.DataType) -> pa.Table:
    at = table.rows.schema.get_field_index(name)
    return table.rows.set_column(at, name, table.rows.column(name).cast(kind))


@pytest.mark.parametrize("name", [*HIDDEN, "c10", "c11", "c12"])
def test_a_missing_column_is_a_bug_and_releases_nothing(name: str) -> None:
    table = raw(CONDITIONAL, HIDDEN, ("north", 900, 7, K, K, K))
    with pytest.raises(ValueError, match=name):
        release(RawTable(CONDITIONAL, without(table, name)))


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("kind", [pa.string(), pa.float64(), pa.int32(), pa.uint64()])
def test_a_hidden_count_of_another_type_releases_nothing(name: str, kind: pa.DataType) -> None:
    table = raw(CONDITIONAL, HIDDEN, ("north", 900, 7, K, K, K))
    with pytest.raises(ValueError, match=name):
        release(RawTable(CONDITIONAL, retyped(table, name, kind)))


def test_two_columns_of_one_name_release_nothing() -> None:
    table = raw(step(ROWS), ["n0"], ("north", 900, 1))
    twice = table.rows.append_column("n0", pa.array([K]))
    with pytest.raises(ValueError, match="n0"):
        release(RawTable(step(ROWS), twice))


def test_a_missing_distinct_minimum_releases_nothing() -> None:
    private = step(TOTAL, KINDS, conditional={TOTAL: 0}, distinct=(KINDS,))
    table = raw(private, [*HIDDEN, "d14_0"], ("north", 7, 3, K, K, K, K))
    with pytest.raises(ValueError, match="d14_0"):
        release(RawTable(private, without(table, "d14_0")))


def test_a_dictionary_that_would_carry_withheld_values_releases_nothing() -> None:
    table = raw(step(ROWS), ["n0"], ("north", 900, K), ("tiny", 1, 1))
    encoded = table.rows.set_column(0, "c10", table.rows.column("c10").dictionary_encode())
    with pytest.raises(ValueError, match="c10"):
        release(RawTable(step(ROWS), encoded))


@pytest.mark.parametrize(
    "broken",
    [
        step(ROWS, units=()),
        step(ROWS, minimum_units=0),
        step(ROWS, conditional={OTHER: 0}),
        step(ROWS, distinct=(KINDS,)),
        PrivateStep("t0", step(ROWS).aggregate, (PERSON,), (ANY,), (ConditionalCell(ROWS, 1),), (), K),
    ],
    ids=["no unit", "no threshold", "foreign measure", "foreign distinct count", "no such condition"],
)
def test_a_step_that_protects_nobody_releases_nothing(broken: PrivateStep) -> None:
    table = raw(step(ROWS), HIDDEN, ("north", 900, K, K, K))
    with pytest.raises(ValueError, match=r".+"):
        release(RawTable(broken, table.rows))


def test_a_null_key_is_a_group_like_any_other() -> None:
    nothing = pa.table({"c10": pa.nulls(2), "c11": pa.array([1, 2]), "n0": pa.array([K - 1, K])})
    assert KEY.nullable
    assert release(RawTable(step(ROWS), nothing)).rows.to_pylist() == [{"c10": None, "c11": 2}]
