"""Every name of `domain.functions.WINDOWS` → a value for each row of a relation: sort a partition, look at each row's frame."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cleanroom.domain.expression import SortKey, Value, WindowCall
from cleanroom.engines.memory_aggregates import aggregated
from cleanroom.engines.memory_expressions import Row, evaluate
from cleanroom.engines.memory_values import group_key, order_key


def ordered(rows: Sequence[Row], keys: Sequence[SortKey]) -> list[Row]:
    """The rows sorted by the keys, NULLs first or last as each key says; equal rows stay in their order."""
    result = list(rows)
    for key in reversed(keys):
        values = {id(row): evaluate(key.expression, row) for row in result}
        nulls = [row for row in result if values[id(row)] is None]
        rest = [row for row in result if values[id(row)] is not None]
        rest.sort(key=lambda row: order_key(values[id(row)]), reverse=key.descending)
        result = nulls + rest if key.nulls_first else rest + nulls
    return result


def windowed(call: WindowCall, rows: Sequence[Row]) -> list[Value]:
    """The call's value for each row, in the order of `rows`."""
    partitions: dict[Hashable, list[Row]] = {}
    for row in rows:
        key = tuple(group_key(evaluate(part, row)) for part in call.partition)
        partitions.setdefault(key, []).append(row)
    found: dict[int, Value] = {}
    for members in partitions.values():
        partition = _Partition(call, ordered(members, call.order))
        found.update({id(row): WINDOW_FUNCTIONS[call.function](partition, at) for at, row in enumerate(partition.rows)})
    return [found[id(row)] for row in rows]


@dataclass(frozen=True, slots=True)
class _Partition:
    """The sorted rows of one partition. Positions count from 0."""

    call: WindowCall
    rows: Sequence[Row]

    def argument(self, which: int, at: int) -> Value:
        return evaluate(self.call.arguments[which], self.rows[at])

    def sort_values(self, at: int) -> Hashable:
        return tuple(group_key(evaluate(key.expression, self.rows[at])) for key in self.call.order)

    def peers(self, at: int) -> range:
        """The rows that the order does not tell from this one."""
        mine = self.sort_values(at)
        first = next(i for i in range(len(self.rows)) if self.sort_values(i) == mine)
        last = next(i for i in reversed(range(len(self.rows))) if self.sort_values(i) == mine)
        return range(first, last + 1)

    def frame(self, at: int) -> range:
        """The rows that a framed function sees: by default all up to the last peer."""
        if self.call.frame is None:
            return range(self.peers(at).stop)
        start, end = self.call.frame
        first = 0 if start.offset is None else max(at + start.offset, 0)
        last = len(self.rows) if end.offset is None else min(at + end.offset + 1, len(self.rows))
        return range(first, max(first, last))


_Window: TypeAlias = Callable[[_Partition, int], Value]


def _row_number(_: _Partition, at: int) -> Value:
    return at + 1


def _dense_rank(partition: _Partition, at: int) -> Value:
    return len({partition.sort_values(i) for i in range(at + 1)})


def _percent_rank(partition: _Partition, at: int) -> Value:
    others = len(partition.rows) - 1
    return partition.peers(at).start / others if others else 0.0


def _ntile(partition: _Partition, at: int) -> Value:
    """Buckets of even size; the first ones take the rows that are left over."""
    wanted = partition.argument(0, at)
    if not isinstance(wanted, int) or wanted < 1:
        return None
    size, left = divmod(len(partition.rows), wanted)
    big = left * (size + 1)
    return at // (size + 1) + 1 if at < big else left + (at - big) // size + 1


def _shifted(direction: int) -> _Window:
    """LEAD (1) and LAG (-1): the value so many rows on, or the default where the partition ends."""

    def value(partition: _Partition, at: int) -> Value:
        count = len(partition.call.arguments)
        offset = partition.argument(1, at) if count > 1 else 1
        if not isinstance(offset, int):
            return None
        there = at + direction * offset
        if 0 <= there < len(partition.rows):
            return partition.argument(0, there)
        return partition.argument(2, at) if count > 2 else None

    return value


def _framed(position: int) -> _Window:
    """FIRST_VALUE (0) and LAST_VALUE (-1) of the frame, NULLs included."""

    def value(partition: _Partition, at: int) -> Value:
        frame = partition.frame(at)
        return partition.argument(0, frame[position]) if frame else None

    return value


def _aggregated(function: str) -> _Window:
    def value(partition: _Partition, at: int) -> Value:
        frame = partition.frame(at)
        if not partition.call.arguments:
            return len(frame)
        return aggregated(function, [partition.argument(0, i) for i in frame])

    return value


WINDOW_FUNCTIONS: dict[str, _Window] = {
    "row_number": _row_number,
    "rank": lambda partition, at: partition.peers(at).start + 1,
    "dense_rank": _dense_rank,
    "percent_rank": _percent_rank,
    "cume_dist": lambda partition, at: partition.peers(at).stop / len(partition.rows),
    "ntile": _ntile,
    "lag": _shifted(-1),
    "lead": _shifted(1),
    "first_value": _framed(0),
    "last_value": _framed(-1),
    **{name: _aggregated(name) for name in ("count_rows", "count", "sum", "avg", "min", "max")},
}
