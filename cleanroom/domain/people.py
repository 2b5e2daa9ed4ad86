"""Partners, their people and what a token carries of a person's rights. What may be given is decided here, on values."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.domain.identifiers import PartnerName, PrincipalId
from cleanroom.domain.query import Grant, Principal, Role

Grants = frozenset[Grant]


@dataclass(frozen=True, slots=True)
class Partner:
    """An organisation with people here. While it is suspended nobody acts for it."""

    name: PartnerName
    title: str
    contact: str
    created_at: datetime.datetime
    suspended_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A principal as it is kept: somebody, or a program, that acts for a partner. While it is disabled it does not."""

    id: PrincipalId
    partner: PartnerName
    title: str
    grants: Grants
    created_at: datetime.datetime
    disabled_at: datetime.datetime | None = None

    @property
    def name(self) -> str:
        """The id without its partner."""
        return self.id.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who says who somebody is, for one partner (OpenID Connect). `url` is exactly what its tokens say in `iss`.

    `roles_claim` names the claim whose texts `role_map` turns into grants.
    """

    url: str
    partner: PartnerName
    audience: str
    roles_claim: str
    role_map: tuple[tuple[str, Grant], ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller showed: for whom it stands, and until when. `token`: the id of a token of this house, None of an issuer's."""

    principal: Principal
    expires_at: datetime.datetime | None = None
    token: str | None = None


def principal_id(partner: PartnerName, name: str) -> PrincipalId:
    """The id under which the log and the store know somebody of the partner."""
    return PrincipalId(f"{partner}/{name}")


def common(held: Iterable[Grant], scopes: Iterable[Grant]) -> Grants:
    """What both allow: a role of both, in the narrower of the two places."""
    scopes = tuple(scopes)
    found = (_narrower(grant, scope) for grant in held for scope in scopes)
    return frozenset(grant for grant in found if grant is not None)


def covers(held: Iterable[Grant], wanted: Grant) -> bool:
    """Whether `wanted` is nothing more than what `held` allows already."""
    return any(grant.role is wanted.role and grant.collaboration in (None, wanted.collaboration) for grant in held)


def may_give(giver: Principal, grant: Grant) -> bool:
    """Whether the giver is an admin wherever the grant would hold: whoever is one in a collaboration gives nothing beyond."""
    return Role.ADMIN in giver.roles_in(grant.collaboration)


def in_reach(giver: Principal, grants: Iterable[Grant]) -> Grants:
    """Those of the grants that the giver may give and take."""
    return frozenset(grant for grant in grants if may_give(giver, grant))


def _narrower(grant: Grant, scope: Grant) -> Grant | None:
    if covers((grant,), scope):
        return scope
    return grant if covers((scope,), grant) else None
