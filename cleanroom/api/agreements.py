"""What really holds in a collaboration, and why a dataset can or cannot be queried: for members, each with its own eyes."""

from __future__ import annotations

from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import home, principal
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.agreements import DatasetsReadinessSchema, EffectiveSchema
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy
from cleanroom.rules.readiness import readiness as readiness_of
from cleanroom.rules.readiness import seen_by
from cleanroom.rules.told import effective_json, readiness_json
from cleanroom.sql.template_text import templates_read
from cleanroom.store.backing import backings, given_secrets

agreements = StrictBlueprint(
    "agreements", __name__, url_prefix="/v1/collaborations", description="What all rules together allow."
)


@agreements.route("/<collaboration>/effective")
@agreements.response(200, EffectiveSchema)
def effective(collaboration: str) -> dict[str, Any]:
    """What holds once every owner's rule is counted in, and the contradictions that the caller's datasets are in."""
    return effective_json(_policy(collaboration), eyes=principal().partner)


@agreements.route("/<collaboration>/readiness")
@agreements.response(200, DatasetsReadinessSchema)
def readiness(collaboration: str) -> dict[str, Any]:
    """For each dataset why it can or cannot be queried. Of others' datasets only whether their owner's side is ready."""
    policy, me = _policy(collaboration), principal().partner
    folder = home().drawers.policies.folder()
    mine = [dataset.name for dataset in folder.datasets if dataset.partner == me]
    behind = backings(folder, home().drawers.roots, given_secrets(home().drawers.secrets, None))
    return readiness_json(
        policy.collaboration.name, seen_by(me, readiness_of(policy, mine, behind, templates_read(policy)))
    )


def _policy(name: str) -> Policy:
    policy = home().drawers.policies.policy(CollaborationName(name))
    if policy is None:
        raise unknown("collaboration")
    return policy
