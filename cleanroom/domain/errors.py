"""The error tree. A refusal is a value (`Finding`); these are failures.

CleanroomError
├── RequestError            the caller can fix it
│   ├── InvalidInput          a document, body or parameter is wrong; carries every problem
│   ├── NotAuthenticated      no token, or one that is not known
│   ├── NotPermitted          the role or ownership is missing
│   ├── NotFound              not there, or not yours: the two look the same
│   ├── Conflict              the state does not allow it now
│   ├── Gone                  it was there, and nobody gets it any more
│   ├── Moved                 the state is no longer the one that the caller spoke of
│   └── QuotaExceeded         the partner has asked for as much as it may; says when to come again
└── OperationError          the operator or an owner can fix it
    ├── SourceError           a partner's storage or data did not do what its documents say
    ├── EngineError           an engine refused, overran its limits or disappeared
    └── LogError              the audit log cannot be written or does not verify
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: a stable code, a sentence, its place, and what to write instead."""

    code: str
    message: str
    file: str | None = None
    line: int | None = None
    field: str | None = None
    hint: str | None = None


class CleanroomError(Exception):
    """`code` is stable; the message carries no data value, no path of another partner and no foreign error text."""

    code = "error"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code


class RequestError(CleanroomError):
    code = "request.invalid"


class InvalidInput(RequestError):
    code = "input.invalid"

    def __init__(self, problems: tuple[Problem, ...], code: str | None = None) -> None:
        super().__init__(problems[0].message if len(problems) == 1 else f"{len(problems)} problems", code)
        self.problems = problems


class NotAuthenticated(RequestError):
    """Codes: auth.required, auth.token_unknown and, where the secret was right, auth.token_expired,
    auth.principal_disabled, auth.partner_suspended."""

    code = "auth.required"


class NotPermitted(RequestError):
    code = "auth.not_permitted"


class NotFound(RequestError):
    code = "name.unknown"


class Conflict(RequestError):
    code = "state.conflict"


class Gone(RequestError):
    code = "state.gone"


class Moved(RequestError):
    """Code: document.moved."""

    code = "state.moved"


class QuotaExceeded(RequestError):
    """`limit` is the name of the quota that is used up, `retry_after_s` when to come again, in whole seconds."""

    code = "quota.exceeded"

    def __init__(self, message: str, *, limit: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after_s = retry_after_s


class OperationError(CleanroomError):
    """Codes of its own: execution.interrupted (the executor ended first), execution.policy_missing, execution.failed."""

    code = "operation.failed"


class SourceError(OperationError):
    """Codes: source.missing, source.unreadable, source.schema_changed, source.changed, source.outside_root,
    source.claim_broken, source.secret_missing, source.secret_unusable."""

    code = "source.unreadable"


class EngineError(OperationError):
    """Codes: engine.failed, engine.deadline, engine.memory, engine.interrupted, engine.unsafe, engine.result_too_large."""

    code = "engine.failed"


class LogError(OperationError):
    code = "log.broken"
