"""Error → sentence on standard error and exit code. The one place where a failure becomes words for a terminal."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Iterator
from enum import IntEnum

import click
import structlog

from cleanroom.client import ClientError
from cleanroom.domain.errors import (
    CleanroomError,
    Conflict,
    InvalidInput,
    Moved,
    NotAuthenticated,
    NotPermitted,
    OperationError,
    Problem,
)

_log = structlog.get_logger(__name__)


class Exit(IntEnum):
    """What a command's exit code means."""

    DONE = 0
    USAGE = 2
    REFUSED = 3
    FAILED = 4
    NOT_PERMITTED = 5
    CHANGES_PENDING = 6


class Told(Exception):
    """A command has said all there is to say, and ends with this code."""

    def __init__(self, code: Exit) -> None:
        super().__init__(code.name)
        self.code = code


def exit_code(error: Exception) -> Exit:
    """The exit code of a failure; of one that is nobody's fault but ours, too."""
    match error:
        case Told():
            return error.code
        case NotAuthenticated() | NotPermitted():
            return Exit.NOT_PERMITTED
        case Conflict() | Moved() | OperationError():
            return Exit.FAILED
        case CleanroomError():
            return Exit.USAGE
        case ClientError() if error.status in (401, 403):
            return Exit.NOT_PERMITTED
        case ClientError() if error.status in (400, 404, 413, 422):
            return Exit.USAGE
        case _:
            return Exit.FAILED


def tell(error: Exception) -> None:
    """The failure is on standard error, as sentences."""
    for line in sentences(error):
        click.echo(line, err=True)


def sentences(error: Exception) -> Iterator[str]:
    """What to say of a failure, line by line. Of one that is not ours: an id, under which the log has the rest."""
    match error:
        case Told():
            return
        case InvalidInput():
            yield from (line for problem in error.problems for line in problem_lines(problem))
        case CleanroomError():
            yield f"error: {error.message} [{error.code}]"
        case ClientError():
            yield f"error: {error.detail} [{error.code}]"
            yield from (f"  {p.get('field', '')}: {p.get('message', '')}" for p in error.problems)
            if error.request_id and error.status >= 500:
                yield f"  request id: {error.request_id}"
        case OSError() if error.strerror:
            yield f"error: The operating system refused: {error.strerror}. [os.refused]"
        case _:
            incident = uuid.uuid4().hex
            _log.error("cli.failed", incident=incident, error=type(error).__qualname__, places=_places(error))
            yield f"error: something failed that should not have. Its log entry has the id {incident}. [internal]"


def _places(error: Exception) -> list[str]:
    """Where in the code it happened. The message stays out: it may hold what nobody should read."""
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]


def problem_lines(problem: Problem) -> Iterator[str]:
    """`file:line: sentence [code]`, and what to write instead."""
    place = ":".join(str(part) for part in (problem.file, problem.line) if part is not None)
    name = f" ({problem.field})" if problem.field else ""
    yield f"{place or 'error'}: {problem.message}{name} [{problem.code}]"
    if problem.hint:
        yield f"    {problem.hint}"
