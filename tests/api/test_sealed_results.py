"""Results over HTTP: for whom, until when, and what becomes of one that somebody laid hands on."""

from __future__ import annotations

import datetime
import io
import threading
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import update

from cleanroom.api.context import EXTENSION, Door
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import Role
from cleanroom.store.results import OpenResult, Results, shredded
from cleanroom.store.schema import queries, result_chunk
from cleanroom.vault.sealing import CHUNK_BYTES
from tests.api.conftest import COLLABORATION, SETTINGS, Caller, House

MEDIA_TYPES = ["application/json", "text/csv", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"]


@pytest.fixture
def press(house: House) -> Caller:
    return house.caller("press", Role.ANALYST)


def answered(house: House, press: Caller, table: pa.Table | None = None) -> str:
    query: str = press.submit().json["id"]
    house.answer(query, table)
    return f"/v1/queries/{query}"


def over(house: House) -> None:
    """The time of every result is over."""
    with house.home.database.begin() as connection:
        connection.execute(update(queries).values(expires_at=house.home.clock.now() - datetime.timedelta(seconds=1)))


def damage(house: House, place: int) -> None:
    with house.home.database.begin() as connection:
        connection.execute(update(result_chunk).where(result_chunk.c.place == place).values(body=b"x" * 100))


def long_table() -> pa.Table:
    return pa.table({"region": [f"{n:050}" for n in range(5 * CHUNK_BYTES // 50)]})


def test_a_receiver_sees_until_when_and_nobody_else_does(house: House, press: Caller) -> None:
    path = answered(house, press)
    until = datetime.datetime.fromisoformat(press.get(path).json["expires_at"]) - house.home.clock.now()
    assert datetime.timedelta(days=6, hours=23) < until < datetime.timedelta(days=7)
    assert house.caller("reader", Role.ANALYST).get(path).json["expires_at"]
    assert house.caller("shop", Role.DATA_OWNER).get(path).json["expires_at"] is None


def test_a_long_result_comes_whole_in_every_form(house: House, press: Caller) -> None:
    table = long_table()
    path = answered(house, press, table)
    json, csv, arrow, parquet = (press.get(f"{path}/result", Accept=form) for form in MEDIA_TYPES)
    assert [row[0] for row in json.json["rows"]] == table["region"].to_pylist()
    assert csv.data.count(b"\r\n") == table.num_rows + 1
    assert pa.ipc.open_stream(arrow.data).read_all().equals(table)
    assert pq.read_table(io.BytesIO(parquet.data)).equals(table)


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_a_result_that_is_damaged_at_its_beginning_is_503_and_was_not_fetched(
    house: House, press: Caller, form: str
) -> None:
    path = answered(house, press)
    damage(house, 0)
    answer = press.get(f"{path}/result", Accept=form)
    assert (answer.status_code, answer.json["code"]) == (503, "result.damaged")
    assert "result.fetched" not in house.kinds()


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_a_result_that_is_damaged_further_on_breaks_off(house: House, press: Caller, form: str) -> None:
    path = answered(house, press, long_table())
    damage(house, 3)
    with pytest.raises(Exception, match="does not open"):
        press.get(f"{path}/result", Accept=form)


def test_a_result_whose_time_is_over_is_gone_before_it_is_shredded(house: House, press: Caller) -> None:
    path = answered(house, press)
    over(house)
    answer = press.get(f"{path}/result")
    assert (answer.status_code, answer.json["code"]) == (410, "result.expired")
    assert "result.fetched" not in house.kinds()


@pytest.mark.parametrize(("partner", "role"), [("press", Role.ANALYST), ("shop", Role.DATA_OWNER)])
def test_the_runner_and_the_owner_let_go_of_a_result_for_everybody(
    house: House, press: Caller, partner: str, role: Role
) -> None:
    path = answered(house, press)
    caller, reader = house.caller(partner, role), house.caller("reader", Role.ANALYST)
    assert caller.ask("DELETE", f"{path}/result").status_code == 204
    assert caller.ask("DELETE", f"{path}/result").json["code"] == "result.expired"
    for receiver in (press, reader):
        assert receiver.get(path).json["state"] == "expired"
        assert receiver.get(f"{path}/result").json["code"] == "result.expired"
    assert house.kinds().count("result.shredded") == 1


def test_a_result_that_is_let_go_of_while_it_is_asked_for_is_gone(house: House, press: Caller) -> None:
    path = answered(house, press)
    drawers, record = house.home.drawers, house.home.drawers.queries.get(QueryId(path.rpartition("/")[2]))
    assert record is not None

    class LetGo(Results):
        def open(self, query: QueryId) -> OpenResult | None:
            found = super().open(query)
            self.shred(query, shredded(record, EventKind.RESULT_SHREDDED, house.home.clock.now()))
            return found

    hasty = replace(drawers, results=LetGo(house.home.database, drawers.log, drawers.master_keys))
    house.app.extensions[EXTENSION] = Door(replace(house.home, drawers=hasty), SETTINGS, threading.BoundedSemaphore(2))
    answer = press.get(f"{path}/result")
    assert (answer.status_code, answer.json["code"]) == (410, "result.expired")
    assert house.kinds()[-1] == "result.shredded"


def test_what_has_no_result_is_not_let_go_of(house: House, press: Caller) -> None:
    path = f"/v1/queries/{press.submit().json['id']}"
    assert press.ask("DELETE", f"{path}/result").json["code"] == "result.not_ready"
    press.post(f"{path}:cancel")
    assert press.ask("DELETE", f"{path}/result").json["code"] == "result.none"
    assert "result.shredded" not in house.kinds()


@pytest.mark.parametrize("abilities", [None, ["contribute", "query"]])
def test_who_receives_no_more_gets_nothing_of_before(house: House, press: Caller, abilities: list[str] | None) -> None:
    path = answered(house, press)
    reader = house.caller("reader", Role.ANALYST)
    assert reader.get(f"{path}/result").status_code == 200
    others = [member for member in COLLABORATION["members"] if member["partner"] != "reader"]
    left = [] if abilities is None else [{"partner": "reader", "abilities": abilities}]
    house.write({**COLLABORATION, "members": [*others, *left]})
    answer = reader.get(f"{path}/result")
    assert (answer.status_code, answer.json["code"]) == (404, "name.unknown")
    assert press.get(f"{path}/result").status_code == 200


def test_a_role_that_opens_the_result_elsewhere_does_not_open_it_here(house: House, press: Caller) -> None:
    path = answered(house, press)
    both = house.caller("press", Role.AUDITOR, Role.DATA_OWNER)
    assert both.get(path).status_code == 200
    assert both.get(f"{path}/result").status_code == 403
    assert both.ask("DELETE", f"{path}/result").status_code == 403
