"""Whether the server answers, and whether it can do its work. Public; says which part is down, never why."""

from __future__ import annotations

from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import door, home
from cleanroom.api.problems import problem_response
from cleanroom.api.schemas.health import HealthSchema, ReadinessSchema
from cleanroom.domain.errors import OperationError

health = StrictBlueprint("health", __name__, description="For load balancers and operators.")

_OK, _DOWN = "ok", "down"


@health.route("/healthz")
@health.doc(security=[])
@health.response(200, HealthSchema)
def alive() -> dict[str, Any]:
    """This process answers."""
    return {"status": "ok"}


@health.route("/readyz")
@health.doc(security=[])
@health.response(200, ReadinessSchema)
def ready() -> Any:
    """The database answers in this version's schema, and an executor was alive a moment ago. Otherwise 503."""
    checks = {"database": _database(), "executor": _executor()}
    if set(checks.values()) != {_OK}:
        return problem_response(503, "server.not_ready", "A part of the server is down; see checks.", checks=checks)
    return {"status": "ready", "checks": checks}


def _database() -> str:
    try:
        return _OK if home().database.is_current() else "schema"
    except OperationError:
        return _DOWN


def _executor() -> str:
    try:
        seen = home().drawers.executors.seen(home().clock.now(), door().settings.heartbeat_limit_s)
    except OperationError:
        return _DOWN
    return _OK if seen else _DOWN
