"""Whether the server answers, and whether it can do its work. Public; says which part is down, never why."""

from __future__ import annotations

from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.schemas import HealthSchema

health = StrictBlueprint("health", __name__, description="For load balancers and operators.")


@health.route("/healthz")
@health.response(200, HealthSchema)
def alive() -> dict[str, Any]:
    """This process answers."""
    return {"status": "ok"}
