"""Job → bytes → Answer. Pickle travels to the worker only; what comes back is JSON and Arrow, believed in nothing but shape."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cleanroom.domain.errors import EngineError
from cleanroom.domain.identifiers import DatasetName, QueryId
from cleanroom.domain.ports import Source
from cleanroom.domain.steps import Claim, ExecutablePlan
from cleanroom.engines.duckdb import EngineLimits
from cleanroom.executor.confinement import Confinement

HEADER_BYTES = 8
"""A frame is this many bytes, the big-endian length of what follows."""

MAXIMUM_HEADER_BYTES = 64 * 1024
_DETAIL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,80}\Z")
CODES = frozenset(
    {
        "engine.failed",
        "engine.deadline",
        "engine.memory",
        "engine.interrupted",
        "engine.unsafe",
        "engine.result_too_large",
        "source.unreadable",
        "source.missing",
        "source.schema_changed",
        "source.changed",
        "source.outside_root",
        "source.claim_broken",
    }
)
"""The failures that a worker may name. Any other word from it is engine.failed."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told before it is ready. `executor`: the pid it may not outlive. `result_bytes`: the most it may
    answer. Its scratch folder is its working directory."""

    executor: int
    engine: EngineLimits
    confinement: Confinement
    result_bytes: int


@dataclass(frozen=True, slots=True)
class Job:
    """All that one worker learns of one query. `known_claims` held on these snapshots before and are not checked again."""

    query: QueryId
    plan: ExecutablePlan
    sources: Mapping[DatasetName, Source]
    known_claims: frozenset[Claim] = frozenset()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says at its end. `code` None: `result` is the released table as an Arrow IPC stream.

    `broken`: positions in the plan's claims of those that do not hold. `detail`: a foreign exception's class, for the log.
    """

    code: str | None
    detail: str = ""
    broken: tuple[int, ...] = ()
    row_count: int = 0
    column_count: int = 0
    result: bytes = b""


def frame(body: bytes) -> bytes:
    """The body with its length in front."""
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def job_bytes(job: Job) -> bytes:
    return pickle.dumps(job, protocol=5)


def read_frame(read: Callable[[int], bytes], maximum_bytes: int) -> bytes | None:
    """The next frame's body of a blocking stream; None where the stream ends before it is whole, or it is too long."""
    header = read(HEADER_BYTES)
    length = int.from_bytes(header, "big")
    if len(header) < HEADER_BYTES or length > maximum_bytes:
        return None
    body = read(length)
    return body if len(body) == length else None


def answer_bytes(answer: Answer) -> bytes:
    """A frame inside the frame for the JSON header, then the result as it is."""
    header = {
        "code": answer.code,
        "detail": answer.detail,
        "broken": list(answer.broken),
        "row_count": answer.row_count,
        "column_count": answer.column_count,
    }
    return frame(json.dumps(header).encode()) + answer.result


def parse_answer(body: bytes) -> Answer:
    """The answer in the bytes of a worker that may have been taken over. EngineError "engine.failed" for any other shape."""
    length = int.from_bytes(body[:HEADER_BYTES], "big")
    if len(body) < HEADER_BYTES or length > min(MAXIMUM_HEADER_BYTES, len(body) - HEADER_BYTES):
        raise _malformed()
    end = HEADER_BYTES + length
    try:
        header = json.loads(body[HEADER_BYTES:end])
    except (ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(header, dict) or header.keys() != {"code", "detail", "broken", "row_count", "column_count"}:
        raise _malformed()
    code, detail, broken = header["code"], header["detail"], header["broken"]
    if not isinstance(broken, list) or not (code is None or isinstance(code, str)):
        raise _malformed()
    return Answer(
        code=code if code is None or code in CODES else "engine.failed",
        detail=detail if isinstance(detail, str) and _DETAIL.match(detail) else "",
        broken=tuple(_count(position) for position in broken),
        row_count=_count(header["row_count"]),
        column_count=_count(header["column_count"]),
        result=body[end:] if code is None else b"",
    )


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise _malformed()
    return value


def _malformed() -> EngineError:
    return EngineError("A worker's answer is malformed.", "engine.failed")
