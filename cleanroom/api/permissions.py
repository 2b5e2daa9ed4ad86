"""Who may do what, in one table: endpoint → roles and whose thing the address must name. What is not listed is refused.

"Not there" and "not yours" are one answer, 404 name.unknown. A role that does not hold where the address leads is 403,
whatever is there; of queries nobody learns where they belong, so that there it is 404.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import assert_never

from cleanroom.bootstrap import Home
from cleanroom.domain.errors import NotFound, NotPermitted
from cleanroom.domain.identifiers import ChangeId, CollaborationName, DatasetName, PartnerName, QueryId, owner_of
from cleanroom.domain.people import in_reach, may_give, principal_id
from cleanroom.domain.policy import Ability, Collaboration
from cleanroom.domain.query import RELEASED_STATES, Grant, Principal, QueryRecord, Role
from cleanroom.rules.consent import voters


class Ownership(Enum):
    """What the caller's partner must be to the thing that the address names."""

    NONE = auto()  # names nothing; the view filters by what is visible
    PARTNER = auto()  # what is the caller's partner's alone: the role must hold for the partner, not in a collaboration
    MEMBER = auto()  # of the collaboration
    CONTRIBUTOR = auto()  # of the collaboration, and owner of the dataset
    DATASET_OWNER = auto()
    RULE_OWNER = auto()  # owner of the dataset, whatever it is to the collaboration by now
    QUERY_PARTY = auto()  # its runner, a receiver, or an owner of a dataset in it
    QUERY_RUNNER = auto()
    QUERY_RUNNER_OR_OWNER = auto()
    QUERY_RECEIVER = auto()  # and a member of the collaboration that receives, today
    PRINCIPAL = auto()  # whose principal it is
    INVITED = auto()  # the partner that the invitation names
    CHANGE_VOTER = auto()  # a member that the change is for to decide
    CHANGE_PROPOSER = auto()
    TOKEN = auto()  # the caller's own, or one that it could have made as an admin


@dataclass(frozen=True, slots=True)
class Access:
    """Any one of `roles` opens the endpoint, if the ownership holds too."""

    roles: frozenset[Role]
    ownership: Ownership = Ownership.NONE


PUBLIC = frozenset({"health.alive", "health.ready", "metrics.scrape", "pages.docs", "api-docs.openapi_json", "static"})

_ANYONE = frozenset(Role)
_ADMINS = frozenset({Role.ADMIN})
_ASKING = frozenset({Role.ANALYST})
_OWNING = frozenset({Role.DATA_OWNER})
_WRITING = frozenset({Role.ANALYST, Role.DATA_OWNER, Role.ADMIN})
_APPROVING = frozenset({Role.DATA_OWNER, Role.ADMIN})
_SEEING = frozenset({Role.ANALYST, Role.DATA_OWNER, Role.AUDITOR})
_GOVERNING = frozenset({Role.ADMIN, Role.DATA_OWNER, Role.AUDITOR})
_REVIEWING = frozenset({Role.AUDITOR, Role.DATA_OWNER})
_OWNERS_SIDE = frozenset({Role.DATA_OWNER, Role.ADMIN, Role.AUDITOR})  # a rule's row filter is for these eyes alone

ACCESS: Mapping[str, Access] = {
    "queries.submit": Access(_ASKING, Ownership.MEMBER),
    "queries.check": Access(_ASKING, Ownership.MEMBER),
    "queries.listing": Access(_SEEING),
    "queries.read": Access(_SEEING, Ownership.QUERY_PARTY),
    "queries.result": Access(_ASKING, Ownership.QUERY_RECEIVER),
    "queries.shred": Access(_ASKING | _OWNING, Ownership.QUERY_RUNNER_OR_OWNER),
    "queries.cancel": Access(_ASKING, Ownership.QUERY_RUNNER),
    "collaborations.listing": Access(_ANYONE),
    "collaborations.read": Access(_ANYONE, Ownership.MEMBER),
    "collaborations.datasets": Access(_ANYONE, Ownership.MEMBER),
    "changes.create": Access(_ADMINS, Ownership.PARTNER),
    "changes.leave": Access(_ADMINS, Ownership.MEMBER),
    "changes.listing": Access(_GOVERNING, Ownership.MEMBER),
    "changes.propose": Access(_ADMINS, Ownership.MEMBER),
    "changes.read": Access(_GOVERNING, Ownership.MEMBER),
    "changes.approve": Access(_ADMINS, Ownership.CHANGE_VOTER),
    "changes.reject": Access(_ADMINS, Ownership.CHANGE_VOTER),
    "changes.withdraw": Access(_ADMINS, Ownership.CHANGE_PROPOSER),
    "invitations.listing": Access(_ADMINS),
    "invitations.accept": Access(_ADMINS, Ownership.INVITED),
    "invitations.decline": Access(_ADMINS, Ownership.INVITED),
    "agreements.effective": Access(_ANYONE, Ownership.MEMBER),
    "agreements.readiness": Access(_ANYONE, Ownership.MEMBER),
    "documents.put_connection": Access(_OWNING, Ownership.PARTNER),  # the document names its partner: the caller's
    "documents.put_dataset": Access(_OWNING, Ownership.DATASET_OWNER),
    "documents.put_rule": Access(_OWNING, Ownership.CONTRIBUTOR),
    "documents.delete_connection": Access(_OWNING, Ownership.PARTNER),
    "documents.delete_dataset": Access(_OWNING, Ownership.DATASET_OWNER),
    "documents.delete_rule": Access(_OWNING, Ownership.RULE_OWNER),
    "versions.read_connection": Access(_OWNERS_SIDE, Ownership.PARTNER),
    "versions.read_dataset": Access(_OWNERS_SIDE, Ownership.DATASET_OWNER),
    "versions.read_rule": Access(_OWNERS_SIDE, Ownership.RULE_OWNER),
    "versions.list_connection": Access(_OWNERS_SIDE, Ownership.PARTNER),
    "versions.list_dataset": Access(_OWNERS_SIDE, Ownership.DATASET_OWNER),
    "versions.list_rule": Access(_OWNERS_SIDE, Ownership.RULE_OWNER),
    "versions.rollback_connection": Access(_OWNING, Ownership.PARTNER),
    "versions.rollback_dataset": Access(_OWNING, Ownership.DATASET_OWNER),
    "versions.rollback_rule": Access(_OWNING, Ownership.CONTRIBUTOR),
    "what_if.rule": Access(_OWNING, Ownership.CONTRIBUTOR),
    "me.read": Access(_ANYONE),
    "people.listing": Access(_ADMINS),
    "people.create": Access(_ADMINS),  # what may be given is held against the caller's own grants: require_may_give
    "people.one": Access(_ADMINS, Ownership.PRINCIPAL),
    "people.change": Access(_ADMINS, Ownership.PRINCIPAL),
    "tokens.listing": Access(_ADMINS, Ownership.PRINCIPAL),
    "tokens.create": Access(_ADMINS, Ownership.PRINCIPAL),
    "tokens.revoke": Access(_ANYONE, Ownership.TOKEN),
    "secrets.listing": Access(_OWNING, Ownership.PARTNER),
    "secrets.put": Access(_OWNING, Ownership.PARTNER),
    "secrets.remove": Access(_OWNING, Ownership.PARTNER),
    "templates.listing": Access(_ANYONE, Ownership.MEMBER),
    "templates.read": Access(_ANYONE, Ownership.MEMBER),
    "templates.put": Access(_WRITING, Ownership.MEMBER),  # the document names its partner: the caller's
    "templates.delete": Access(_WRITING, Ownership.MEMBER),  # and the template its partner's, as of rollback
    "templates.rollback": Access(_WRITING, Ownership.MEMBER),
    "templates.versions": Access(_ANYONE, Ownership.MEMBER),
    "templates.approve": Access(_APPROVING, Ownership.MEMBER),  # and owner of a dataset in it
    "templates.withdraw": Access(_APPROVING, Ownership.MEMBER),
    "audit.events": Access(_REVIEWING),
    "audit.checkpoint": Access(_REVIEWING),
    "audit.proof": Access(_REVIEWING),
}


class Standing(StrEnum):
    """What a caller is to a query."""

    RUNNER = "runner"
    RECEIVER = "receiver"
    OWNER = "owner"


def receives_in(home: Home, partner: PartnerName) -> frozenset[CollaborationName]:
    """Where the partner may receive results as of now: whoever left fetches nothing any more."""
    mine = home.drawers.policies.collaborations(partner)
    return frozenset(c.name for c in mine if c.can(partner, Ability.RECEIVE_RESULTS))


def standings(
    principal: Principal, record: QueryRecord, receiving: frozenset[CollaborationName]
) -> frozenset[Standing]:
    """What the caller is to the query, by its partner and its roles; empty: it must not learn that there is one.

    Analysts stand where their partner asked or receives, data owners where their partner's data is asked of, auditors
    in both. Whoever only receives has nothing to see before there is a result. `receiving`: `receives_in` of its partner.
    """
    roles = principal.roles_in(record.collaboration)
    asks = bool(roles & {Role.ANALYST, Role.AUDITOR})
    owns = bool(roles & {Role.DATA_OWNER, Role.AUDITOR})
    runner = asks and record.principal.partner == principal.partner
    owner = owns and any(owner_of(d) == principal.partner for d in record.datasets)
    receives = asks and principal.partner in record.receivers and record.collaboration in receiving
    receiver = receives and (runner or owner or record.state in RELEASED_STATES)
    held = {Standing.RUNNER: runner, Standing.OWNER: owner, Standing.RECEIVER: receiver}
    return frozenset(standing for standing, holds in held.items() if holds)


def admit(home: Home, principal: Principal, endpoint: str, names: Mapping[str, str]) -> None:
    """The caller may use the endpoint on what `names` (the address's variables) say. Raises NotPermitted or NotFound."""
    access = ACCESS.get(endpoint)
    if access is None or not access.roles & principal.roles:
        raise _role_missing()
    match access.ownership:
        case Ownership.NONE:
            return
        case Ownership.PARTNER:
            _hold(access, principal, None)
        case Ownership.MEMBER:
            _hold(access, principal, CollaborationName(names["collaboration"]))
            _member(home, principal.partner, names["collaboration"])
        case Ownership.CONTRIBUTOR:
            _hold(access, principal, CollaborationName(names["collaboration"]))
            _owner(principal.partner, names["dataset"])
            collaboration = _member(home, principal.partner, names["collaboration"])
            if not collaboration.can(principal.partner, Ability.CONTRIBUTE):
                raise NotPermitted("Your partner does not contribute datasets to this collaboration.")
        case Ownership.DATASET_OWNER:
            _hold(access, principal, None)
            _owner(principal.partner, names["dataset"])
        case Ownership.RULE_OWNER:
            _hold(access, principal, CollaborationName(names["collaboration"]))
            _owner(principal.partner, names["dataset"])
        case Ownership.QUERY_PARTY:
            _query(home, principal, access, names["query"], frozenset(Standing))
        case Ownership.QUERY_RUNNER:
            _query(home, principal, access, names["query"], frozenset({Standing.RUNNER}))
        case Ownership.QUERY_RUNNER_OR_OWNER:
            _query(home, principal, access, names["query"], frozenset({Standing.RUNNER, Standing.OWNER}))
        case Ownership.QUERY_RECEIVER:
            _query(home, principal, access, names["query"], frozenset({Standing.RECEIVER}))
        case Ownership.INVITED:
            _invited(home, access, principal, names["invitation"])
        case Ownership.CHANGE_VOTER | Ownership.CHANGE_PROPOSER:
            _hold(access, principal, CollaborationName(names["collaboration"]))
            _change(home, access.ownership, principal.partner, names)
        case Ownership.PRINCIPAL:
            if home.drawers.people.get(principal_id(principal.partner, names["principal_name"])) is None:
                raise unknown("principal")
        case Ownership.TOKEN:
            _token(home, principal, names["token"])
        case _:
            assert_never(access.ownership)


def unknown(kind: str) -> NotFound:
    """The one answer for what is not there and for what is not the caller's."""
    return NotFound(f"There is no {kind} of that name, or it is not yours to see.")


def require_may_give(giver: Principal, grants: Iterable[Grant]) -> None:
    """The giver is an admin wherever these would hold; else NotPermitted."""
    if not all(may_give(giver, grant) for grant in grants):
        raise NotPermitted("You may give roles only where you are an admin yourself.")


def _hold(access: Access, principal: Principal, collaboration: CollaborationName | None) -> None:
    """One of the roles holds there, not only somewhere."""
    if not access.roles & principal.roles_in(collaboration):
        raise _role_missing()


def _role_missing() -> NotPermitted:
    return NotPermitted("Your token's roles do not allow this.")


def _member(home: Home, partner: PartnerName, name: str) -> Collaboration:
    mine = home.drawers.policies.collaborations(partner)
    found = next((c for c in mine if c.name == CollaborationName(name)), None)
    if found is None:
        raise unknown("collaboration")
    return found


def _invited(home: Home, access: Access, principal: Principal, invitation: str) -> None:
    """Whoever decides for the partner as a whole: a role in a collaboration that it once left brings it back to none."""
    _hold(access, principal, None)
    if home.drawers.collaborations.invitation(ChangeId(invitation), principal.partner) is None:
        raise unknown("invitation")


def _change(home: Home, ownership: Ownership, partner: PartnerName, names: Mapping[str, str]) -> None:
    collaboration = _member(home, partner, names["collaboration"])
    found = home.drawers.collaborations.change(collaboration.name, ChangeId(names["change"]))
    if found is None:
        raise unknown("change")
    proposes = found.proposer.partner == partner
    if not (proposes if ownership is Ownership.CHANGE_PROPOSER else partner in voters(collaboration, found.change)):
        raise NotPermitted("You may see this change, but this is for others to do.")


def _owner(partner: PartnerName, dataset: str) -> None:
    if owner_of(DatasetName(dataset)) != partner:
        raise unknown("dataset")


def _token(home: Home, principal: Principal, token: str) -> None:
    found = home.drawers.tokens.get(token)
    own = found is not None and found.principal == principal.id
    makes = found is not None and found.partner == principal.partner and Role.ADMIN in principal.roles
    if found is None or not (own or (makes and in_reach(principal, found.scopes) == found.scopes)):
        raise unknown("token")


def _query(home: Home, principal: Principal, access: Access, query: str, needed: frozenset[Standing]) -> None:
    """The caller stands to the query as it must, by the roles that open the endpoint and not by others it has."""
    record = home.drawers.queries.get(QueryId(query))
    receiving = receives_in(home, principal.partner)
    if record is None or not standings(principal, record, receiving):
        raise unknown("query")
    opening = frozenset(grant for grant in principal.grants if grant.role in access.roles)
    if not standings(replace(principal, grants=opening), record, receiving) & needed:
        raise NotPermitted("You may see this query, but this is for others to do.")
