"""What a worker answers to a job: a released table or a code, whatever became of the files since they were pinned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from cleanroom import broker
from cleanroom.domain.identifiers import QueryId
from cleanroom.executor.wire import Job
from cleanroom.executor.worker import answer_to
from cleanroom.storage import FilesConnector
from tests.executor.homes import BY_REGION, MEDIA, PEOPLE, SHOP, SPENT, VIEWS, Room, make_room, people
from tests.executor.processes import setup


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = make_room(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.chdir(scratch)
    yield room
    room.home.close()
    assert list(scratch.iterdir()) == []


def job(room: Room, sql: str) -> Job:
    """The job that the executor would hand over, its sources pinned now."""
    record = room.submit(sql)
    drawers = room.home.drawers
    policy = drawers.policies.policy(record.collaboration, record.versions)
    assert policy is not None
    connector = FilesConnector({partner: drawers.roots.of(partner) for partner in (SHOP, MEDIA)})
    sources = {}
    for name in record.datasets:
        connection = drawers.policies.connection(policy.datasets[name].connection)
        assert connection is not None
        sources[name] = connector.pin(connection, policy.datasets[name], None)
    return Job(QueryId("q1"), broker.prepare(record, policy), sources)


def test_the_answer_is_an_arrow_stream_with_its_row_and_column_counts(room: Room) -> None:
    answer = answer_to(setup(), job(room, BY_REGION))
    table = pa.ipc.open_stream(answer.result).read_all()
    assert (answer.code, answer.row_count, answer.column_count) == (None, 2, 2)
    assert table.column_names == ["region", "people"]
    assert table.schema.metadata is not None
    assert list(table.schema.metadata) == [b"cleanroom.salt"]
    assert len(table.schema.metadata[b"cleanroom.salt"]) == 64


def test_a_result_beyond_the_limit_is_refused(room: Room) -> None:
    answer = answer_to(replace(setup(), result_bytes=100), job(room, BY_REGION))
    assert (answer.code, answer.result) == ("engine.result_too_large", b"")


def rewritten(file: Path, other: Path) -> None:
    file.write_bytes(file.read_bytes())


def linked_to_the_other_partners_file(file: Path, other: Path) -> None:
    file.unlink()
    file.symlink_to(other)


def copied_over(file: Path, other: Path) -> None:
    file.write_bytes(other.read_bytes())


def folder_moved_and_linked(file: Path, other: Path) -> None:
    file.parent.rename(other.parent / "moved")
    file.parent.symlink_to(other.parent / "moved")


@pytest.mark.parametrize(
    "change",
    [
        rewritten,
        linked_to_the_other_partners_file,
        copied_over,
        folder_moved_and_linked,
        lambda file, other: file.unlink(),
    ],
)
def test_files_that_are_no_longer_those_that_were_pinned_are_not_read(
    room: Room, change: Callable[[Path, Path], None]
) -> None:
    pinned = job(room, BY_REGION)
    change(room.data / "shop/people.parquet", room.data / "media/views.parquet")
    answer = answer_to(setup(), pinned)
    assert (answer.code, answer.result) == ("source.changed", b"")


def test_broken_claims_come_back_by_their_positions_unless_they_are_known_to_hold(room: Room) -> None:
    rows = people()
    room.write(PEOPLE, {**rows, "person": [*rows["person"][:-1], 0]})
    spoiled = job(room, SPENT)
    answer = answer_to(setup(), spoiled)
    assert answer.code == "source.claim_broken"
    broken = [spoiled.plan.claims[position] for position in answer.broken]
    assert [(claim.dataset, claim.columns, claim.unique) for claim in broken] == [(PEOPLE, ("person",), True)]
    trusting = replace(spoiled, known_claims=frozenset(broken))
    assert answer_to(setup(), trusting).code is None


def test_a_job_without_a_dataset_of_its_plan_fails(room: Room) -> None:
    whole = job(room, SPENT)
    partial = replace(whole, sources={VIEWS: whole.sources[VIEWS]})
    assert answer_to(setup(), partial).code == "source.missing"


def test_a_failure_tells_its_class_and_never_its_text(room: Room) -> None:
    (room.data / "shop/people.parquet").write_bytes(b"PAR1 user 17 lives in Bonn PAR1")
    answer = answer_to(setup(), job(room, BY_REGION))
    assert answer.code == "source.unreadable"
    assert answer.detail.isidentifier()


def test_a_bug_of_a_plan_is_an_engine_failure_by_its_class(room: Room) -> None:
    broken = replace(job(room, BY_REGION), plan=None)  # type: ignore[arg-type]
    answer = answer_to(setup(), broken)
    assert (answer.code, answer.detail) == ("engine.failed", "AttributeError")
