"""Collaborations that members make, invitations, change requests and votes."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about
from cleanroom.api.schemas.catalog import MemberSchema
from cleanroom.api.schemas.paging import PageQuery
from cleanroom.domain.collaboration import MOST_MEMBERS, ChangeState
from cleanroom.domain.identifiers import RESOURCE_NAME
from cleanroom.domain.policy import Ability

KINDS = ("invite", "set_abilities", "remove", "describe")
LONGEST_DESCRIPTION = 2000

_NEEDS = {
    "invite": ("partner", "abilities"),
    "set_abilities": ("partner", "abilities"),
    "remove": ("partner",),
    "describe": ("description",),
}


def _name(**options: Any) -> fields.String:
    form = validate.Regexp(RESOURCE_NAME, error="This is not a name: a-z first, then a-z, 0-9, - and _, 63 at most.")
    return fields.String(validate=form, **options)


def _abilities(**options: Any) -> fields.List[str]:
    one = fields.String(validate=validate.OneOf([a.value for a in Ability]))
    return fields.List(one, validate=validate.Length(max=len(Ability)), **options)


def _description(**options: Any) -> fields.String:
    return fields.String(validate=validate.Length(max=LONGEST_DESCRIPTION), **options)


class MemberBody(ma.Schema):
    partner = _name(required=True)
    abilities = _abilities(required=True, metadata=about("May be empty: then the member may only look on."))


class CollaborationBody(ma.Schema):
    """A new collaboration. `members` has the caller's own partner too; all others are invited."""

    name = _name(required=True, metadata=about("Given once: a name that was ever taken is taken."))
    description = _description(load_default="")
    members = fields.List(fields.Nested(MemberBody), required=True, validate=validate.Length(min=1, max=MOST_MEMBERS))

    @ma.validates_schema
    def _once_each(self, data: dict[str, Any], **_: Any) -> None:
        partners = [member["partner"] for member in data.get("members", ()) if "partner" in member]
        if len(set(partners)) != len(partners):
            raise ma.ValidationError("A partner is named twice.", "members")


class ChangeBody(ma.Schema):
    """What is proposed: of `kind` invite and set_abilities `partner` and `abilities`, of remove `partner`, of describe
    `description`, and nothing else."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    partner = _name()
    abilities = _abilities()
    description = _description()

    @ma.validates_schema
    def _fitting(self, data: dict[str, Any], **_: Any) -> None:
        needed = _NEEDS.get(data.get("kind", ""), ())
        for name in ("partner", "abilities", "description"):
            if (name in data) != (name in needed):
                raise ma.ValidationError(
                    "This kind of change " + ("needs it." if name in needed else "has none."), name
                )


class AcceptBody(ma.Schema):
    terms = fields.String(
        required=True,
        validate=validate.Length(max=80),
        metadata=about("The `terms` of the invitation as it was shown: what is said yes to."),
    )


class ChangesQuery(PageQuery):
    """Where a listing begins, how long a page is, and which changes are wanted."""

    state = fields.String(validate=validate.OneOf([state.value for state in ChangeState]))


class VoteSchema(ma.Schema):
    """`counts` is false of a vote whose partner left since, or voted anew."""

    partner = fields.String(required=True)
    principal = fields.String(required=True)
    vote = fields.String(required=True, validate=validate.OneOf(["approve", "reject"]))
    at = fields.String(required=True)
    counts = fields.Boolean(required=True)


class ChangeSchema(ma.Schema):
    """`awaiting`: the partners without whose yes an open change does not hold."""

    id = fields.String(required=True)
    collaboration = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    partner = fields.String(allow_none=True, required=True)
    abilities = fields.List(fields.String(), allow_none=True, required=True)
    description = fields.String(allow_none=True, required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in ChangeState]))
    founding = fields.Boolean(required=True)
    proposer = fields.String(required=True)
    proposed_at = fields.String(required=True)
    decided_at = fields.String(allow_none=True, required=True)
    awaiting = fields.List(fields.String(), required=True)
    votes = fields.List(fields.Nested(VoteSchema), required=True)


class ChangePage(ma.Schema):
    changes = fields.List(fields.Nested(ChangeSchema), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class InvitationSchema(ma.Schema):
    """What the caller's partner is invited to: with whom, and what each may do. `terms` stands for just that."""

    id = fields.String(required=True)
    collaboration = fields.String(required=True)
    description = fields.String(required=True)
    version = fields.Integer(required=True)
    founding = fields.Boolean(required=True)
    invited_by = fields.String(required=True)
    invited_at = fields.String(required=True)
    abilities = fields.List(fields.String(), required=True)
    members = fields.List(fields.Nested(MemberSchema), required=True)
    terms = fields.String(required=True)


class InvitationPage(ma.Schema):
    invitations = fields.List(fields.Nested(InvitationSchema), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
