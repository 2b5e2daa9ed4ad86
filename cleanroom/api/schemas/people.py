"""Principals, what they are granted and the tokens that carry it."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about
from cleanroom.domain.identifiers import RESOURCE_NAME
from cleanroom.domain.query import Role

_LONGEST_TITLE = 200
_MOST_GRANTS = 200
_DAY_S = 24 * 60 * 60
DEFAULT_LIFE_S, LONGEST_LIFE_S = 90 * _DAY_S, 366 * _DAY_S


class GrantSchema(ma.Schema):
    """A role: in the collaboration named, or (null, or left out) in all that is the partner's."""

    role = fields.Enum(Role, by_value=True, required=True)
    collaboration = fields.String(
        allow_none=True,
        load_default=None,
        validate=validate.Regexp(RESOURCE_NAME, error="This is not the name of a collaboration."),
    )


class Flag(fields.Boolean):
    """true or false and nothing that looks like it."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def _grants(text: str, **options: Any) -> fields.List[Any]:
    return fields.List(
        fields.Nested(GrantSchema), validate=validate.Length(max=_MOST_GRANTS), metadata=about(text), **options
    )


def _title(**options: Any) -> fields.String:
    text = "Who or what this is, in your words. Not in the log."
    return fields.String(validate=validate.Length(max=_LONGEST_TITLE), metadata=about(text), **options)


class NewPrincipal(ma.Schema):
    name = fields.String(
        required=True,
        validate=validate.Regexp(
            RESOURCE_NAME, error="A name is of lower-case letters, digits, - and _, a letter first."
        ),
    )
    title = _title(load_default="")
    grants = _grants("What it may do, and where.", load_default=[])


class PrincipalChange(ma.Schema):
    title = _title()
    disabled = Flag(metadata=about("While true its tokens open nothing."))
    grants = _grants("All that it may do from now on, of what you may give: what is left out is taken.")

    @ma.validates_schema
    def _refuse_nothing(self, data: dict[str, object], **_kwargs: object) -> None:
        if not data:
            raise ma.ValidationError("Say what to change: title, disabled or grants.")


class PrincipalSchema(ma.Schema):
    """A principal of the caller's partner. `grants`: those that the caller may give and take."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    title = fields.String(required=True)
    grants = fields.List(fields.Nested(GrantSchema), required=True)
    created_at = fields.String(required=True, metadata={"format": "date-time"})
    disabled_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})


class PrincipalPage(ma.Schema):
    principals = fields.List(fields.Nested(PrincipalSchema), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class NewToken(ma.Schema):
    scopes = _grants("What it carries, at most, of its principal's grants; left out: all of them that you may give.")
    expires_in = fields.Integer(
        strict=True,
        load_default=DEFAULT_LIFE_S,
        validate=validate.Range(min=60, max=LONGEST_LIFE_S),
        metadata=about("Seconds; 90 days unless said."),
    )


class TokenSchema(ma.Schema):
    """A token, without its secret. `last_used_at` is known to some minutes."""

    id = fields.String(required=True)
    principal = fields.String(required=True)
    scopes = fields.List(fields.Nested(GrantSchema), required=True)
    created_at = fields.String(required=True, metadata={"format": "date-time"})
    expires_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    last_used_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
    revoked_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})


class IssuedToken(TokenSchema):
    token = fields.String(required=True, metadata=about("Shown this once; kept nowhere."))


class TokenList(ma.Schema):
    tokens = fields.List(fields.Nested(TokenSchema), required=True)


class MeSchema(ma.Schema):
    """Who asks, and what the credential that was sent carries."""

    principal = fields.String(required=True)
    partner = fields.String(required=True)
    grants = fields.List(fields.Nested(GrantSchema), required=True)
    token = fields.String(required=True, allow_none=True, metadata=about("Its id; null where an issuer vouches."))
    expires_at = fields.String(required=True, allow_none=True, metadata={"format": "date-time"})
