"""A rule that is not in force, and the queries that were asked → what it would have refused and let through."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import door, home
from cleanroom.api.document_writes import require_fits
from cleanroom.api.documents import document_body, read_rule
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.what_if import ReplaySchema, WhatIfQuery
from cleanroom.api.views import instant
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import AnalysisRule, Policy
from cleanroom.replay import Replayed, replay

what_if = StrictBlueprint("what_if", __name__, url_prefix="/v1", description="What a change of rules would mean.")

_LAST = 100


@what_if.route("/collaborations/<collaboration>/rules/<dataset>:what-if", methods=["POST"])
@what_if.doc(
    requestBody={
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AnalysisRuleDocument"}}},
    }
)
@what_if.arguments(WhatIfQuery, location="query")
@what_if.response(200, ReplaySchema)
def rule(query: dict[str, Any], collaboration: str, dataset: str) -> dict[str, Any]:
    """The last queries over the dataset, judged under the rules in force and under those with this one in its place."""
    value = read_rule(document_body(), collaboration, dataset)
    require_fits(value)
    now = home().drawers.policies.policy(CollaborationName(collaboration))
    if now is None:
        raise unknown("collaboration")
    asked = home().drawers.queries.asked(now.collaboration.name, value.dataset, limit=query.get("last", _LAST))
    until_s = time.monotonic() + door().settings.replay_limit_s
    found = replay(asked, now, _with_rule(now, value), lambda: time.monotonic() < until_s)
    return {
        "asked": len(asked),
        "replayed": found.replayed,
        "complete": found.complete,
        "unchanged": found.unchanged,
        "newly_refused": [_view(one) for one in found.newly_refused],
        "newly_accepted": [_view(one) for one in found.newly_accepted],
    }


def _with_rule(policy: Policy, rule: AnalysisRule) -> Policy:
    """What would hold with the rule in the place of the one that does."""
    about = home().drawers.policies.dataset(rule.dataset)
    if about is None:
        raise unknown("dataset")
    return replace(
        policy, datasets={**policy.datasets, rule.dataset: about}, rules={**policy.rules, rule.dataset: rule}
    )


def _view(one: Replayed) -> dict[str, Any]:
    return {
        "id": one.query.id,
        "runner": one.query.principal.partner,
        "submitted_at": instant(one.query.submitted_at),
        "sql": one.query.sql,
        "codes": list(one.codes),
    }
