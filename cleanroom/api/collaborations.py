"""The catalog: the collaborations of the caller's partner, and what it may do with the datasets in each."""

from __future__ import annotations

from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.change_views import agreement_view
from cleanroom.api.context import home, principal
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.catalog import Catalog, CollaborationList, CollaborationSchema
from cleanroom.api.views import datasets_view
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy

collaborations = StrictBlueprint(
    "collaborations", __name__, url_prefix="/v1/collaborations", description="What there is to ask."
)


@collaborations.route("")
@collaborations.response(200, CollaborationList)
def listing() -> dict[str, Any]:
    """The collaborations that the caller's partner is a member of and the caller has a role in, by name."""
    mine = home().drawers.collaborations.agreements(principal().partner)
    return {"collaborations": [agreement_view(a) for a in mine if principal().roles_in(a.collaboration.name)]}


@collaborations.route("/<collaboration>")
@collaborations.response(200, CollaborationSchema)
def read(collaboration: str) -> dict[str, Any]:
    """One collaboration, its members and whom they invited."""
    found = home().drawers.collaborations.agreement(CollaborationName(collaboration))
    if found is None:
        raise unknown("collaboration")
    return agreement_view(found)


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
