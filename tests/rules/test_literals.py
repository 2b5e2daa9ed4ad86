"""literal.not_allowed over plans: values of released tables, per-unit values and windows are no way round `literals`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from cleanroom.domain.expression import Case, Column, Expression, Field, SortKey, WindowCall
from cleanroom.domain.finding import Question
from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.plan import Aggregate, Join, JoinKind, OneRow, Plan, Project, Relation, Scan
from cleanroom.domain.policy import AnalysisRule, Collaboration, ColumnRule, Policy, Use
from cleanroom.domain.types import BIGINT, BOOLEAN, DATE, VARCHAR
from cleanroom.rules.literals import literal_not_allowed
from tests.plans import PlanBuilder, call, col, dataset, joined, literal, per_unit, project, where, windowed

USERS = dataset(
    "retailer.users", {"user_id": "BIGINT", "region": "VARCHAR", "tier": "VARCHAR", "day": "DATE", "flag": "BOOLEAN"}
)
VISITS = dataset("retailer.visits", {"user_id": "BIGINT", "region": "VARCHAR", "day": "DATE"})
USABLE = ColumnRule(group=Use(), filter=Use())


def rule(of: DatasetName, literals: frozenset[str] | None) -> AnalysisRule:
    columns = {"user_id": ColumnRule(join=True), "day": ColumnRule(group=Use(Grain.DAY), filter=Use(Grain.DAY))}
    columns |= dict.fromkeys(("region", "tier", "flag"), USABLE)
    return AnalysisRule(of, CollaborationName("c"), 50, columns, literals=literals)


POLICY = Policy(
    Collaboration(CollaborationName("c"), "", ()),
    {USERS.name: USERS, VISITS.name: VISITS},
    {USERS.name: rule(USERS.name, frozenset({"region"})), VISITS.name: rule(VISITS.name, None)},
)


@dataclass
class World:
    """A scan of each dataset, and what makes nodes over them."""

    make: PlanBuilder = field(default_factory=PlanBuilder)

    def __post_init__(self) -> None:
        self.users: Scan = self.make.scan(USERS)
        self.visits: Scan = self.make.scan(VISITS)

    def counted(self, rows: Relation, *keys: Field) -> Aggregate:
        """The release of the rows' number by the keys."""
        return Aggregate(rows, keys, (self.make.measure("count_rows"),), released=True)

    def groups(self, name: str) -> Aggregate:
        """The released numbers of visits by one column."""
        return self.counted(self.visits, self.make.computed(col(self.visits, name), name))

    def by_person(self, measure: Field) -> Aggregate:
        return per_unit(self.users, (self.make.computed(col(self.users, "user_id"), "user_id"),), (measure,))


def compared(root: Relation) -> set[str]:
    """The columns that the rule refuses; all are of the dataset whose owner restricts literals."""
    question = Question(PartnerName("publisher"), CollaborationName("c"))
    found = list(literal_not_allowed(Plan(root), POLICY, question))
    assert {(f.code, f.dataset) for f in found} <= {("literal.not_allowed", USERS.name)}
    return {str(f.column) for f in found}


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("kind", [JoinKind.INNER, JoinKind.SEMI, JoinKind.ANTI, JoinKind.LEFT])
@pytest.mark.parametrize(("column", "refused"), [("tier", {"tier"}), ("region", set())])
def test_a_join_with_a_row_of_literals_compares_with_them(
    kind: JoinKind, column: str, refused: set[str], world: World
) -> None:
    row = Project(OneRow(), (world.make.computed(literal("gold"), "wanted"),), released=True)
    assert compared(world.counted(joined(kind, world.users, row, (column, "wanted")))) == refused


@pytest.mark.parametrize("kind", [JoinKind.INNER, JoinKind.SEMI, JoinKind.ANTI])
def test_a_join_with_released_groups_compares_with_what_the_query_left_in_them(kind: JoinKind, world: World) -> None:
    groups = where(world.groups("region"), call("eq", col(world.groups("region"), "region"), "north"))
    assert compared(world.counted(joined(kind, world.users, groups, ("tier", "region")))) == {"tier"}
    assert compared(world.counted(joined(kind, world.users, groups, ("region", "region")))) == set()


def test_people_joined_to_people_are_compared_with_no_literal(world: World) -> None:
    rows = joined(JoinKind.INNER, world.users, world.visits, ("user_id", "user_id"))
    assert compared(world.counted(rows)) == set()


def with_one_released(world: World, name: str) -> tuple[Join, Column]:
    """Every user beside the released groups, and a column of these under another name."""
    groups = world.groups(name)
    renamed = project(groups, world.make.computed(col(groups, name), "other"))
    beside = Join(world.users, renamed, JoinKind.INNER, (), released=False)
    return beside, col(beside, "other")


def test_a_condition_compares_with_a_released_value(world: World) -> None:
    rows, other = with_one_released(world, "day")
    assert compared(world.counted(where(rows, call("eq", col(rows, "day"), other)))) == {"day"}


def test_two_dates_of_people_are_compared_without_a_literal(world: World) -> None:
    rows = joined(JoinKind.INNER, world.users, world.visits, ("user_id", "user_id"))
    days = [call("date_trunc", "day", col(scan, "day"), type=DATE) for scan in (world.users, world.visits)]
    assert compared(world.counted(where(rows, call("lt", *days)))) == set()
    since = call("date_diff", "day", *days, type=BIGINT)
    assert compared(world.counted(where(rows, call("le", since, 30)))) == {"day"}


def test_two_columns_of_which_one_has_a_literal_in_it(world: World) -> None:
    filled = call("coalesce", col(world.users, "region"), "north", type=VARCHAR)
    assert compared(world.counted(where(world.users, call("eq", filled, col(world.users, "tier"))))) == {"tier"}


def test_nullif_hands_on_what_a_literal_is_then_compared_with(world: World) -> None:
    either = call("nullif", col(world.users, "tier"), col(world.users, "region"), type=VARCHAR)
    assert compared(world.counted(where(world.users, call("eq", either, "gold")))) == {"tier"}
    assert compared(world.counted(where(world.users, call("is_null", either)))) == set()


PER_UNIT: dict[str, tuple[Callable[[World], Field], set[str]]] = {
    "least": (lambda w: w.make.measure("min", col(w.users, "tier"), VARCHAR), {"tier"}),
    "least of what literals name": (lambda w: w.make.measure("min", col(w.users, "region"), VARCHAR), set()),
    "count": (lambda w: w.make.measure("count", col(w.users, "tier")), set()),
    "count of different values": (lambda w: w.make.measure("count_distinct", col(w.users, "tier")), set()),
    "count of rows": (lambda w: w.make.measure("count_rows"), set()),
    "count under a condition": (
        lambda w: w.make.measure("count_rows", condition=call("eq", col(w.users, "tier"), "gold")),
        {"tier"},
    ),
    "count under a flag": (lambda w: w.make.measure("count_rows", condition=col(w.users, "flag")), {"flag"}),
    "count of a case": (lambda w: w.make.measure("count", _when(call("eq", col(w.users, "tier"), "gold"))), {"tier"}),
    "count of a case of a flag": (lambda w: w.make.measure("count", _when(col(w.users, "flag"))), {"flag"}),
    "count of a case of nothing": (
        lambda w: w.make.measure("count", _when(call("is_null", col(w.users, "tier")))),
        set(),
    ),
}


def _when(condition: Expression) -> Case:
    return Case(((condition, literal(1)),), None, BIGINT)


@pytest.mark.parametrize("name", PER_UNIT)
def test_a_per_unit_value_is_compared_with_a_literal(name: str, world: World) -> None:
    measure, refused = PER_UNIT[name]
    people = world.by_person(measure(world))
    value = Column(people.measures[0])
    wanted = 3 if value.type == BIGINT else "gold"
    assert compared(world.counted(where(people, call("eq", value, wanted)))) == refused


@pytest.mark.parametrize("name", ["count under a condition", "count under a flag", "count of a case"])
def test_a_condition_within_a_unit_is_judged_where_nothing_reads_its_value(name: str, world: World) -> None:
    measure, refused = PER_UNIT[name]
    assert compared(world.counted(world.by_person(measure(world)))) == refused


def test_a_comparison_as_a_key_within_a_unit(world: World) -> None:
    old = world.make.computed(call("eq", col(world.users, "tier"), "gold"), "old")
    keys = (world.make.computed(col(world.users, "user_id"), "user_id"), old)
    assert compared(world.counted(per_unit(world.users, keys))) == {"tier"}


def test_a_window_that_puts_some_rows_first_by_a_literal(world: World) -> None:
    def first_by(expression: Expression) -> Relation:
        partition = (col(world.users, "user_id"),)
        ranked = windowed(
            world.users, world.make.window(WindowCall("row_number", (), partition, (SortKey(expression),)))
        )
        return world.counted(where(ranked, call("eq", Column(ranked.fields[-1]), 1)))

    assert compared(first_by(col(world.users, "tier"))) == set()
    assert compared(first_by(call("eq", col(world.users, "tier"), "gold"))) == {"tier"}
    assert compared(first_by(_when(call("like", col(world.users, "tier"), "g%")))) == {"tier"}
    assert compared(first_by(_when(call("eq", col(world.users, "region"), "north")))) == set()


@pytest.mark.parametrize("function", ["not", "is_true", "is_false"])
def test_a_flag_that_a_key_turns_into_another(function: str, world: World) -> None:
    key = world.make.computed(call(function, col(world.users, "flag"), type=BOOLEAN), "flag")
    assert compared(world.counted(world.users, key)) == {"flag"}


def test_a_clamp_of_a_measure_compares_it_with_a_literal(world: World) -> None:
    clamped = world.make.measure("count_distinct", call("least", col(world.users, "tier"), "m", type=VARCHAR))
    assert compared(Aggregate(world.users, (), (clamped,), released=True)) == {"tier"}


def test_released_rows_are_compared_with_any_literal(world: World) -> None:
    groups = world.counted(world.users, world.make.computed(col(world.users, "tier"), "tier"))
    assert compared(where(groups, call("eq", col(groups, "tier"), "gold"))) == set()
