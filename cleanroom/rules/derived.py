"""Values computed within a privacy unit → what they tell about a column, and whether their rows may be counted (SEMANTICS 4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cleanroom.domain.expression import AggregateCall, Call, Column, Literal, WindowCall
from cleanroom.domain.finding import Finding
from cleanroom.domain.plan import Aggregate, Plan, Relation, Window, relations, scans
from cleanroom.domain.policy import Policy
from cleanroom.rules.uses import Around, Derived, Occurrence, Under, value_fields, values_of, write_out

_NUMBERING = frozenset({"row_number", "rank", "dense_rank"})
_COMPARING = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "in", "is_null"})


@dataclass(frozen=True, slots=True)
class Through:
    """How a column's value got out of its unit. `outside` is what stands around the per-unit value.

    `conditional`: it only decided which rows the aggregate took. `bare`: the column itself is what was aggregated.
    """

    call: AggregateCall | WindowCall
    outside: tuple[Around, ...]
    conditional: bool = False
    bare: bool = True

    @property
    def adds_up(self) -> bool:
        return self.call.function in ("sum", "avg") and not self.conditional

    @property
    def only_compared(self) -> bool:
        """Whether the per-unit value leaves only as the answer to a comparison with literals."""
        inner = next((node for node in reversed(self.outside) if not isinstance(node, Column)), None)
        if not isinstance(inner, Call) or inner.function not in _COMPARING:
            return False
        return sum(isinstance(argument, Literal) for argument in inner.arguments) == len(inner.arguments) - 1


def through(found: Occurrence) -> Through | None:
    """The innermost per-unit computation around the column; None where it is not in one."""
    for index in range(len(found.around) - 1, -1, -1):
        match found.around[index]:
            case AggregateCall() | WindowCall() as call:
                bare = all(isinstance(node, Column) for node in found.around[index + 1 :])
                return Through(call, found.around[:index], bare=bare)
            case Under(call=call):
                return Through(call, found.around[:index], conditional=True)
    return None


def uncounted(values: Iterable[Derived], plan: Plan, policy: Policy) -> Iterator[Finding]:
    """A COUNT(*) within a unit, or a row's number, leaves it only where every owner of its rows lets rows be counted.

    That a row is the first tells of no count.
    """
    for value in values:
        if _counts_rows(value.call) or (value.call.function in _NUMBERING and not _is_first(value)):
            for relation in relations(plan.root):
                match relation:
                    case Aggregate(input=below, measures=made) | Window(input=below, calls=made) if value.field in made:
                        yield from _uncounted(value, below, policy)


def _counts_rows(call: AggregateCall | WindowCall) -> bool:
    """COUNT(*), and what adds up literals: one for each row."""
    parts = [part for part, _ in values_of(call)]
    literals = bool(parts) and not any(True for part in parts for _ in value_fields(write_out(part)))
    return call.function == "count_rows" or (literals and call.function in ("sum", "avg", "count", "count_distinct"))


def _is_first(value: Derived) -> bool:
    around = value.around[:-1]
    if not all(isinstance(node, Call) and node.function == "and" for node in around):
        return False
    match value.around[-1] if value.around else None:
        case Call(function="eq" | "le", arguments=(Column(), Literal(value=1))):
            return True
    return False


def _uncounted(value: Derived, below: Relation, policy: Policy) -> Iterator[Finding]:
    for scan in scans(below):
        rule = policy.rules.get(scan.dataset)
        if rule is not None and not rule.count_rows:
            yield Finding(
                "aggregate.not_allowed",
                f"Rows of {scan.dataset} may not be counted.",
                scan.dataset,
                at=value.call.at or value.at,
                hint="Count a column whose owner lists count, or the people with COUNT(DISTINCT …).",
            )
