"""An owner that leaves while its data is asked: nothing of it is released, however late it leaves."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.domain.identifiers import PrincipalId, QueryId
from cleanroom.domain.query import Principal, Role, everywhere
from cleanroom.domain.sealed import SealedResult
from cleanroom.executor.pool import Pool
from tests.executor.homes import BY_REGION, ROOM, SHOP, Room, make_executor, make_pool, make_room

OWNER = Principal(PrincipalId("shop/ada"), SHOP, everywhere(Role.ADMIN))


@pytest.fixture
def pool(room: Room) -> Iterator[Pool]:
    made = make_pool(room)
    yield made
    made.close()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = make_room(tmp_path)
    yield made
    made.home.close()


def test_an_owner_that_leaves_as_its_data_is_about_to_be_released_stops_the_release(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)

    def leave_and_seal(query: QueryId, body: bytes, at: datetime.datetime) -> SealedResult:
        room.home.drawers.collaborations.leave(ROOM, author=OWNER, at=room.home.clock.now())
        return room.home.drawers.results.seal(query, body, at)

    make_executor(room, pool, changed={"seal": leave_and_seal}).run_one()
    assert room.query().state == "cancelled"
    assert not room.has_result()
    kinds = [kind for kind, _ in room.log()]
    assert "query.released" not in kinds
    assert kinds[-2:] == ["query.cancel_requested", "query.cancelled"]


def test_an_owner_that_leaves_while_a_query_waits_has_it_cancelled_unread(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)
    room.home.drawers.collaborations.leave(ROOM, author=OWNER, at=room.home.clock.now())
    assert not make_executor(room, pool).run_one()
    assert room.query(QueryId("q1")).state == "cancelled"
