"""The catalog: the collaborations of the caller's partner, and what it may do with the datasets in each."""

from __future__ import annotations

from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import home, principal
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.catalog import Catalog, CollaborationList, CollaborationSchema
from cleanroom.api.views import collaboration_view, datasets_view
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy

collaborations = StrictBlueprint(
    "collaborations", __name__, url_prefix="/v1/collaborations", description="What there is to ask."
)


@collaborations.route("")
@collaborations.response(200, CollaborationList)
def listing() -> dict[str, Any]:
    """The collaborations that the caller's partner is a member of and the caller has a role in, by name."""
    mine = home().drawers.policies.collaborations(principal().partner)
    return {"collaborations": [collaboration_view(c) for c in mine if principal().roles_in(c.name)]}


@collaborations.route("/<collaboration>")
@collaborations.response(200, CollaborationSchema)
def read(collaboration: str) -> dict[str, Any]:
    """One collaboration and its members."""
    return collaboration_view(_policy(collaboration).collaboration)


@collaborations.route("/<collaboration>/datasets")
@collaborations.response(200, Catalog)
def datasets(collaboration: str) -> dict[str, Any]:
    """The datasets with a rule in this collaboration, and what the caller may do with each column."""
    policy = _policy(collaboration)
    shown = datasets_view(policy.datasets.values(), policy.rules, principal().partner)
    return {"collaboration": policy.collaboration.name, "datasets": shown}


def _policy(name: str) -> Policy:
    policy = home().drawers.policies.policy(CollaborationName(name))
    if policy is None:
        raise unknown("collaboration")
    return policy
