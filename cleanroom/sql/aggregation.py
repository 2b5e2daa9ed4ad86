"""Aggregate and window calls of one SELECT → fields, each distinct call once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlglot import exp

from cleanroom.domain import types
from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    FrameBound,
    Literal,
    Missing,
    SortKey,
    WindowCall,
    all_of,
    fields_of,
    inputs,
    present,
)
from cleanroom.domain.functions import AGGREGATES, WINDOWS
from cleanroom.domain.types import BIGINT, BOOLEAN, DOUBLE, HUGEINT, INTEGERS, DataType, Kind
from cleanroom.sql.conditional import both, conditional, zero_by_default
from cleanroom.sql.expressions import condition, missing, translate
from cleanroom.sql.linear import taken_out
from cleanroom.sql.nodes import place_of
from cleanroom.sql.resolution import Resolution
from cleanroom.sql.terms import Terms
from cleanroom.sql.typing import is_family

_AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Sum: "sum",
    exp.Avg: "avg",
    exp.Min: "min",
    exp.Max: "max",
    exp.Median: "median",
    exp.Stddev: "stddev",
    exp.StddevSamp: "stddev",
    exp.Variance: "variance",
    exp.StddevPop: "stddev_pop",
    exp.VariancePop: "variance_pop",
    exp.Corr: "corr",
    exp.CovarSamp: "covar",
    exp.CovarPop: "covar_pop",
    exp.ArgMin: "arg_min",
    exp.ArgMax: "arg_max",
    exp.AnyValue: "any_value",
}
_RANKINGS: dict[type[exp.Expr], str] = {
    exp.RowNumber: "row_number",
    exp.Rank: "rank",
    exp.DenseRank: "dense_rank",
    exp.PercentRank: "percent_rank",
    exp.CumeDist: "cume_dist",
    exp.Ntile: "ntile",
    exp.Lag: "lag",
    exp.Lead: "lead",
    exp.FirstValue: "first_value",
    exp.LastValue: "last_value",
}
MOST_MEASURES = 60
"""As many as the conditions that one private step may have: each argument that may be NULL is one."""

_NUMERIC = {"sum", "avg", "median", "stddev", "variance", "stddev_pop", "variance_pop", "corr", "covar", "covar_pop"}


@dataclass(slots=True)
class Calls:
    """The measures and windows that a SELECT has asked for so far, and the keys that it groups by.

    `private`: the rows are people's; `per_unit`: their groups still are. `groupings` are the columns of GROUPING(…).
    """

    resolution: Resolution
    keys: tuple[Field, ...] = ()
    base: frozenset[int] = frozenset()
    grouped: bool = False
    private: bool = True
    per_unit: bool = False
    groupings: dict[tuple[Field, ...], Field] = field(default_factory=dict)
    measures: list[Field] = field(default_factory=list)
    windows: list[Field] = field(default_factory=list)

    def aggregate(self, node: exp.Expr, terms: Terms) -> Expression:
        """The field of an aggregate call, or what is computed from such fields."""
        inner = terms.without_specials("an aggregate")
        if isinstance(node, exp.Grouping | exp.GroupingId):
            return self._grouping(node, inner)
        call = read_aggregate(node, inner)
        if call is None:
            return missing(node, inner)
        if self._reads_outputs(call):
            what = "The name of an output inside an aggregate"
            return self.resolution.unsupported(node, what, "Write what it stands for.")
        if not self.private:
            return self._measured(call)
        if self.per_unit:
            return self._of_one_person(call)
        call = conditional(call)
        return taken_out(call, self._measured) or self._measured(call)

    def _of_one_person(self, call: AggregateCall) -> Expression:
        """The measure inside a unit, with the counts that tell whether all of the person's rows feed it.

        There a sum over nobody's rows is a value that is used: what ELSE 0 makes of it is kept.
        """
        taken = conditional(call)
        found = self._measured(self._among(taken))
        if taken == call or taken.function != "sum" or not zero_by_default(call):
            return found
        zero = Literal(0, found.type)
        return Case(((Call("is_null", (found,), BOOLEAN), zero),), found, found.type, call.at)

    def _among(self, call: AggregateCall) -> AggregateCall:
        there = [
            present(part)
            for part in (call.argument, call.second)
            if part is not None and not (isinstance(part, Column) and not part.field.nullable)
        ]
        parts = [*([] if call.condition is None else [call.condition]), *there]
        if not parts:
            return call
        some = self._measured(AggregateCall("count_rows", condition=all_of(parts), hidden=True))
        every = self._measured(AggregateCall("count_rows", hidden=True))
        assert isinstance(some, Column)
        assert isinstance(every, Column)
        return replace(call, among=(some.field, every.field))

    def _measured(self, call: AggregateCall) -> Expression:
        """The measure of this call, the same for equal calls."""
        for known in self.measures:
            if known.origin == call:
                return Column(known, call.at)
        name = call.function.removesuffix("_rows").removesuffix("_distinct")
        made = self.resolution.field(name, _aggregate_type(call), nullable=self._may_be_null(call), origin=call)
        self.measures.append(made)
        if len(self.measures) > MOST_MEASURES:
            self.resolution.refuse("sql.too_large", f"A SELECT may compute {MOST_MEASURES} aggregates.", call.at)
        return Column(made, call.at)

    def _may_be_null(self, call: AggregateCall) -> bool:
        """A count never is; within a unit, where there is a row, an aggregate of what is never NULL is not either."""
        if call.function.startswith("count"):
            return False
        columns = [part for part in (call.argument, call.second) if part is not None]
        always = all(isinstance(part, Column) and not part.field.nullable for part in columns)
        return not (self.per_unit and always and call.condition is None)

    def _grouping(self, node: exp.Expr, terms: Terms) -> Expression:
        """GROUPING(a, b): one bit a key, 1 where the row's grain has not that key."""
        self.resolution.read_whole(node, "expressions")
        asked = [self.settle(translate(part, terms)) for part in node.expressions]
        keys = tuple(part.field for part in asked if isinstance(part, Column) and part.field in self.keys)
        if len(keys) < len(asked) or not keys:
            return self.resolution.unsupported(node, "GROUPING of anything but keys of GROUP BY")
        if keys not in self.groupings:
            self.groupings[keys] = self.resolution.field("grouping", BIGINT, nullable=False, origin=Literal(0, BIGINT))
        return Column(self.groupings[keys], place_of(node))

    def _reads_outputs(self, call: AggregateCall) -> bool:
        """Whether it reads what is computed from the aggregated rows: such a name is no column of them."""
        made = {f.id for f in (*self.keys, *self.measures, *self.windows)}
        return any(f.id in made for part in inputs(call) for f in fields_of(part))

    def window(self, node: exp.Expr, terms: Terms) -> Expression:
        """The field of a window call; its arguments may hold aggregates, no further windows."""
        call = self._read_window(node, terms)
        if call is None:
            return Missing(place_of(node))
        for known in self.windows:
            if known.origin == call:
                return Column(known, call.at)
        made = self.resolution.field(call.function, _window_type(call), nullable=True, origin=call)
        self.windows.append(made)
        return Column(made, call.at)

    def _read_window(self, node: exp.Expr, terms: Terms) -> WindowCall | None:
        self.resolution.read_whole(node, "this", "partition_by", "order", "spec", "over")
        inner = Terms(terms.resolution, terms.scope, "a window", aliases=terms.aliases, aggregate=terms.aggregate)
        read = _window_function(node.this, inner, self)
        partition = tuple(self.settle(translate(part, inner)) for part in node.args.get("partition_by") or [])
        order = tuple(
            SortKey(self.settle(translate(item.this, inner)), *direction(item))
            for item in _ordered(node.args.get("order"))
        )
        frame = _frame(node.args.get("spec"), self.resolution)
        if read is None or frame is _BAD_FRAME:
            return None
        name, arguments = read
        assert isinstance(frame, tuple | None)
        return WindowCall(name, arguments, partition, order, frame, place_of(node))

    def settle(self, expression: Expression) -> Expression:
        """The expression after grouping: parts equal to a key become the key; a column neither key nor aggregated is refused."""
        if not self.grouped:
            return expression
        for key in self.keys:
            if expression == key.origin:
                return Column(key, getattr(expression, "at", None))
        match expression:
            case Column(field=found) if found.id in self.base:
                return self.resolution.refuse(
                    "output.not_aggregate",
                    f"{found.name} is neither in GROUP BY nor inside an aggregate.",
                    expression.at,
                    hint=f"Add {found.name} to GROUP BY, or aggregate it.",
                )
            case Call(function=name, arguments=arguments, type=type, at=at):
                return Call(name, tuple(self.settle(a) for a in arguments), type, at)
            case Case(branches=branches, default=default, type=type, at=at):
                settled = tuple((self.settle(when), self.settle(then)) for when, then in branches)
                return Case(settled, None if default is None else self.settle(default), type, at)
            case Cast(argument=argument, type=type, at=at):
                return Cast(self.settle(argument), type, at)
        return expression


def _ordered(order: exp.Expr | None) -> list[exp.Expr]:
    return [] if order is None else list(order.expressions)


def direction(item: exp.Expr) -> tuple[bool, bool]:
    """(descending, NULLs first) of an ORDER BY item; the parser has written the dialect's default for NULLs into it."""
    return bool(item.args.get("desc")), bool(item.args.get("nulls_first"))


def read_aggregate(node: exp.Expr, terms: Terms) -> AggregateCall | None:
    """The aggregate call that the node means, or None with a finding."""
    if isinstance(node, exp.Filter):
        return _filtered(node, terms)
    if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue):
        node = node.this
    match node:
        case exp.Count():
            return _count(node, terms)
        case exp.ApproxDistinct():
            # Answered exactly: an estimate would be no cheaper to protect.
            terms.resolution.read_whole(node, "this")
            return AggregateCall("count_distinct", translate(node.this, terms), place_of(node))
        case exp.CountIf():
            # Over rows that are NULL throughout it is 0 in every reader's dialect; the parser notes where it says so.
            terms.resolution.read_whole(node, "this", "zero_on_all_null")
            return AggregateCall("count_rows", None, place_of(node), condition(node.this, terms))
    name = _AGGREGATES.get(type(node))
    if name is None:
        terms.resolution.unsupported(node, hint="Over rows use COUNT, COUNT(DISTINCT …), SUM or AVG.")
        return None
    second = node.args.get("expression") if AGGREGATES[name].arguments == 2 else None
    terms.resolution.read_whole(node, "this", *(["expression"] if second is not None else []))
    if not isinstance(node.this, exp.Expr) or (second is None and AGGREGATES[name].arguments == 2):
        terms.resolution.unsupported(node, f"{name.upper()} without its arguments")
        return None
    if isinstance(node.this, exp.Distinct):
        terms.resolution.refuse(
            "aggregate.not_allowed",
            f"{name.upper()}(DISTINCT …) is not allowed.",
            node,
            hint="Only COUNT takes DISTINCT.",
        )
        return None
    argument = translate(node.this, terms)
    other = None if second is None else translate(second, terms)
    for part in (argument, other):
        if name in _NUMERIC and part is not None and not is_family(part.type, "number"):
            terms.resolution.refuse("type.mismatch", f"{name.upper()} needs numbers, not {part.type}.", node)
    return AggregateCall(name, argument, place_of(node) or getattr(argument, "at", None), second=other)


def _filtered(node: exp.Filter, terms: Terms) -> AggregateCall | None:
    """The call before FILTER, over the rows that FILTER keeps."""
    terms.resolution.read_whole(node, "this", "expression")
    where = node.args.get("expression")
    if not isinstance(where, exp.Where):
        terms.resolution.unsupported(node, "FILTER without WHERE", "Write FILTER (WHERE …).")
        return None
    terms.resolution.read_whole(where, "this")
    call = read_aggregate(node.this, terms)
    kept = condition(where.this, terms)
    return None if call is None else replace(call, condition=both(call.condition, kept))


def _count(node: exp.Count, terms: Terms) -> AggregateCall | None:
    terms.resolution.read_whole(node, "this", "big_int")
    at = place_of(node)
    match node.this:
        case None | exp.Star():
            return AggregateCall("count_rows", None, at)
        case exp.Distinct(expressions=[only]):
            terms.resolution.read_whole(node.this, "expressions")
            return AggregateCall("count_distinct", translate(only, terms), at)
        case exp.Distinct():
            terms.resolution.unsupported(node, "COUNT(DISTINCT …) of several columns", "Count one column.")
            return None
    argument = translate(node.this, terms)
    if isinstance(argument, Literal) and argument.value is not None:
        return AggregateCall("count_rows", None, at)
    return AggregateCall("count", argument, at)


def _aggregate_type(call: AggregateCall) -> DataType:
    if call.function.startswith("count"):
        return BIGINT
    assert call.argument is not None
    of = call.argument.type
    match call.function:
        case "sum" if of.kind in INTEGERS:
            return HUGEINT
        case "sum" if of.kind is Kind.DECIMAL and (of.precision or 0) <= 28:
            return DataType(Kind.DECIMAL, 38, of.scale)
        case "min" | "max" | "any_value" | "arg_min" | "arg_max":
            return of
    return types.UNKNOWN if of.kind is Kind.UNKNOWN else DOUBLE


def _window_function(node: exp.Expr, terms: Terms, calls: Calls) -> tuple[str, tuple[Expression, ...]] | None:
    """The name and arguments of the function before OVER."""
    name = _RANKINGS.get(type(node)) or _AGGREGATES.get(type(node))
    slots = ("this", "offset", "default")
    if isinstance(node, exp.Count):
        counted = _count(node, terms)
        if counted is None or counted.function == "count_distinct":
            terms.resolution.unsupported(node, "COUNT(DISTINCT …) in a window")
            return None
        return counted.function, () if counted.argument is None else (calls.settle(counted.argument),)
    if name is None or name not in WINDOWS:
        terms.resolution.unsupported(node, hint=f"Known: {', '.join(sorted(WINDOWS)).upper()}.")
        return None
    terms.resolution.read_whole(node, *slots)
    given = [node.args[slot] for slot in slots if node.args.get(slot) is not None]
    least, most = WINDOWS[name]
    if not least <= len(given) <= most:
        terms.resolution.unsupported(node, f"{name.upper()} with {len(given)} arguments")
        return None
    arguments = tuple(calls.settle(translate(part, terms)) for part in given)
    if name in ("lag", "lead", "ntile") and not all(_whole(a) for a in arguments[name != "ntile" : 2]):
        terms.resolution.unsupported(node, f"{name.upper()} with a computed offset", "Write a whole number.")
        return None
    if name in ("sum", "avg") and not is_family(arguments[0].type, "number"):
        terms.resolution.refuse("type.mismatch", f"{name.upper()} needs numbers.", node)
    return name, arguments


def _whole(expression: Expression) -> bool:
    return isinstance(expression, Literal) and isinstance(expression.value, int) and 0 < expression.value < 10_000


def _window_type(call: WindowCall) -> DataType:
    match call.function:
        case "row_number" | "rank" | "dense_rank" | "ntile" | "count" | "count_rows":
            return BIGINT
        case "percent_rank" | "cume_dist" | "avg":
            return DOUBLE
        case "sum":
            return _aggregate_type(AggregateCall("sum", call.arguments[0]))
    return call.arguments[0].type


_BAD_FRAME = object()


def _frame(spec: exp.Expr | None, resolution: Resolution) -> tuple[FrameBound, FrameBound] | None | object:
    if spec is None:
        return None
    resolution.read_whole(spec, "kind", "start", "start_side", "end", "end_side")
    if str(spec.args.get("kind")).upper() != "ROWS":
        resolution.unsupported(spec, "A window frame other than ROWS")
        return _BAD_FRAME
    start = _bound(spec.args.get("start"), spec.args.get("start_side"))
    end = _bound(spec.args.get("end") or "CURRENT ROW", spec.args.get("end_side"))
    if start is None or end is None or (start[0] is None and start[1] > 0) or (end[0] is None and end[1] < 0):
        resolution.unsupported(spec, "This window frame")
        return _BAD_FRAME
    return FrameBound(start[0]), FrameBound(end[0])


def _bound(value: object, side: object) -> tuple[int | None, int] | None:
    """(offset, sign of the side); an offset of None is unbounded."""
    sign = -1 if str(side).upper() == "PRECEDING" else 1
    if value == "CURRENT ROW":
        return 0, 0
    if value == "UNBOUNDED":
        return None, sign
    if isinstance(value, exp.Literal) and value.is_int and int(str(value.this)) < 10_000:
        return sign * int(str(value.this)), sign
    return None
