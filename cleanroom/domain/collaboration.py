"""What members of a collaboration propose to each other and how they vote: frozen values, before and after they agree."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from cleanroom.domain.identifiers import ChangeId, CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.policy import Ability, Collaboration
from cleanroom.domain.query import Principal

MOST_MEMBERS = 50
MOST_OPEN_CHANGES = 100
MOST_COLLABORATIONS = 100  # of one partner's that it makes more of


@dataclass(frozen=True, slots=True)
class Invite:
    """The partner, no member yet, becomes one with these abilities, once it accepts."""

    partner: PartnerName
    abilities: frozenset[Ability]


@dataclass(frozen=True, slots=True)
class SetAbilities:
    """The member may do this and nothing else."""

    partner: PartnerName
    abilities: frozenset[Ability]


@dataclass(frozen=True, slots=True)
class Remove:
    """The member is one no more."""

    partner: PartnerName


@dataclass(frozen=True, slots=True)
class Describe:
    """The collaboration is for something else."""

    description: str


Change: TypeAlias = Invite | SetAbilities | Remove | Describe


class ChangeState(StrEnum):
    """SUPERSEDED: what it would change is not there any more, or who proposed it has left."""

    OPEN = "open"
    APPLIED = "applied"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Vote:
    """What one partner said of a change. `lapsed_at`: since then it counts no more: its partner left, or voted anew."""

    partner: PartnerName
    principal: PrincipalId
    approves: bool
    at: datetime.datetime
    lapsed_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change that somebody proposed, and every vote on it in their order; the proposal is the proposer's approval.

    `founding`: one of the invitations that a collaboration begins with. `invited_at`: since then every member approves an
    invitation, so that the partner that it names can see it.
    """

    id: ChangeId
    collaboration: CollaborationName
    change: Change
    proposer: Principal
    proposed_at: datetime.datetime
    founding: bool = False
    state: ChangeState = ChangeState.OPEN
    votes: tuple[Vote, ...] = ()
    invited_at: datetime.datetime | None = None
    decided_at: datetime.datetime | None = None

    @property
    def subject(self) -> PartnerName | None:
        """The partner that the change is about."""
        return None if isinstance(self.change, Describe) else self.change.partner

    @property
    def approvers(self) -> frozenset[PartnerName]:
        """Whose approval counts."""
        return frozenset(v.partner for v in self.votes if v.approves and v.lapsed_at is None)

    @property
    def rejected(self) -> bool:
        """Whether somebody's no counts."""
        return any(not v.approves and v.lapsed_at is None for v in self.votes)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A collaboration as it stands, and what is proposed of it, the oldest first."""

    collaboration: Collaboration
    version: int
    requests: tuple[ChangeRequest, ...] = ()

    @property
    def invited(self) -> tuple[Invite, ...]:
        """Whom every member wants beside it, and who has not said yes or no."""
        changes = (r.change for r in self.requests if r.invited_at is not None)
        return tuple(change for change in changes if isinstance(change, Invite))
