"""The rule of consent: nobody gets what not everybody agreed to, whatever is proposed, voted, left and removed in which order."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cleanroom.domain.collaboration import (
    MOST_MEMBERS,
    Change,
    ChangeRequest,
    ChangeState,
    Describe,
    Invite,
    Remove,
    SetAbilities,
    Vote,
)
from cleanroom.domain.identifiers import ChangeId, CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.policy import Ability, Collaboration, Member
from cleanroom.domain.query import Principal
from cleanroom.rules.consent import Applied, Ended, awaited, changed, fits, invites, settled, terms, without

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
A, B, C, D = (PartnerName(name) for name in "abcd")
NONE, ASK, GIVE = frozenset[Ability](), frozenset({Ability.QUERY}), frozenset({Ability.CONTRIBUTE})


def among(*partners: PartnerName, description: str = "") -> Collaboration:
    return Collaboration(CollaborationName("x"), description, tuple(Member(p, NONE) for p in partners))


def vote(partner: PartnerName, *, approves: bool = True) -> Vote:
    return Vote(partner, f"{partner}/admin", approves, NOON)


def request(change: Change, *approvers: PartnerName, name: str = "r", founding: bool = False) -> ChangeRequest:
    """Proposed by the first of them."""
    proposer = Principal(PrincipalId(f"{approvers[0]}/admin"), approvers[0], frozenset())
    votes = tuple(vote(p) for p in approvers)
    return ChangeRequest(ChangeId(name), CollaborationName("x"), change, proposer, NOON, founding, votes=votes)


def held(collaboration: Collaboration, *requests: ChangeRequest) -> Collaboration:
    return settled(collaboration, collaboration, requests).collaboration


def states(before: Collaboration, after: Collaboration, *requests: ChangeRequest) -> dict[str, ChangeState]:
    outcomes = settled(before, after, requests).outcomes
    return {o.request.id: o.state if isinstance(o, Ended) else ChangeState.APPLIED for o in outcomes}


def test_an_invitation_without_the_partners_own_word_makes_no_member() -> None:
    assert held(among(A, B), request(Invite(C, ASK), A, B)) == among(A, B)


def test_an_invitation_that_one_member_has_not_agreed_to_makes_no_member() -> None:
    assert held(among(A, B), request(Invite(C, ASK), A, C)) == among(A, B)


def test_an_invitation_that_all_agreed_to_makes_a_member_with_just_those_abilities() -> None:
    after = held(among(A, B), request(Invite(C, ASK), A, B, C))
    assert (after.has(C), after.can(C, Ability.QUERY), after.can(C, Ability.CONTRIBUTE)) == (True, True, False)


def test_a_partner_is_shown_an_invitation_once_all_members_agreed_and_not_before() -> None:
    assert not invites(among(A, B), request(Invite(C, ASK), A))
    assert invites(among(A, B), request(Invite(C, ASK), A, B))
    assert not invites(among(A, B, D), request(Invite(C, ASK), A, B))


@pytest.mark.parametrize("change", [SetAbilities(B, ASK), SetAbilities(A, ASK), Describe("else")])
def test_what_touches_all_needs_all(change: Change) -> None:
    assert held(among(A, B, C), request(change, A, B)) == among(A, B, C)
    assert held(among(A, B, C), request(change, A, B, C)) == changed(among(A, B, C), change)


def test_one_no_ends_a_change_even_where_all_others_agree() -> None:
    refused = request(SetAbilities(B, ASK), A, B)
    refused = replace(refused, votes=(*refused.votes, vote(C, approves=False)))
    assert states(among(A, B, C), among(A, B, C), refused) == {"r": ChangeState.REJECTED}


def test_whoever_is_removed_is_not_asked_and_everybody_else_is() -> None:
    assert held(among(A, B, C), request(Remove(C), A)) == among(A, B, C)
    assert held(among(A, B, C), request(Remove(C), A, B)) == among(A, B)
    assert held(among(A, B), request(Remove(B), A)) == among(A)


def test_the_last_member_cannot_be_removed() -> None:
    assert not fits(among(A), Remove(A))


@pytest.mark.parametrize(
    "change", [Invite(B, ASK), SetAbilities(C, ASK), SetAbilities(A, NONE), Remove(C), Describe("")]
)
def test_what_changes_nothing_does_not_fit(change: Change) -> None:
    assert not fits(among(A, B), change)


def test_a_collaboration_is_full_at_the_limit() -> None:
    many = [PartnerName(f"p{n}") for n in range(MOST_MEMBERS)]
    assert fits(among(*many[:-1]), Invite(D, ASK))
    assert not fits(among(*many), Invite(D, ASK))


def test_who_joined_meanwhile_is_asked_too() -> None:
    waiting = request(SetAbilities(B, ASK), A)
    assert awaited(among(A, B), waiting) == {B}
    assert awaited(among(A, B, D), waiting) == {B, D}


def test_the_votes_of_who_left_are_void_and_what_it_proposed_is_superseded() -> None:
    theirs, ours = request(Describe("b"), B, name="theirs"), request(Describe("a"), A, B, name="ours")
    found = settled(among(A, B, C), among(A, C), (theirs, ours))
    assert [(o.request.id, isinstance(o, Ended)) for o in found.outcomes] == [("theirs", True)]
    assert [r.approvers for r in found.waiting] == [{A}]
    assert awaited(among(A, B, C), found.waiting[0]) == {B, C}


def test_a_change_that_only_waited_for_who_left_holds() -> None:
    assert settled(among(A, B, C), among(A, B), (request(SetAbilities(B, ASK), A, B),)).collaboration.can(
        B, Ability.QUERY
    )


def test_changes_of_what_another_change_has_changed_are_superseded() -> None:
    first = request(SetAbilities(B, ASK), A, B, name="first")
    second = request(SetAbilities(B, GIVE), A, name="second")
    other = request(SetAbilities(A, GIVE), A, name="other")
    assert states(among(A, B), among(A, B), first, second, other) == {
        "first": ChangeState.APPLIED,
        "second": ChangeState.SUPERSEDED,
    }


def test_an_operators_write_supersedes_what_it_was_about() -> None:
    requests = (request(Describe("b"), A, name="text"), request(Invite(C, ASK), A, name="invite"))
    after = states(among(A, B), among(A, B, C, description="new"), *requests)
    assert after == {"text": ChangeState.SUPERSEDED, "invite": ChangeState.SUPERSEDED}


def test_a_removal_may_complete_another_change() -> None:
    removal, waiting = request(Remove(C), A, B, name="out"), request(Describe("two of us"), A, B, name="text")
    assert held(among(A, B, C), removal, waiting) == among(A, B, description="two of us")


def test_the_terms_of_a_founding_invitation_name_all_who_are_invited_with_it_and_do_not_change_as_they_come() -> None:
    to_b, to_c = (request(Invite(p, ASK), A, name=p, founding=True) for p in (B, C))
    before = terms(among(A), (to_b, to_c), to_c)
    assert [m.partner for m in before] == [A, B, C]
    joined = held(among(A), replace(to_b, votes=(*to_b.votes, vote(B))))
    to_c = replace(to_c, votes=(*to_c.votes, vote(B)))
    assert terms(joined, (to_c,), to_c) == before
    assert [m.partner for m in terms(among(A), (to_c,), to_c)] == [A, C]


def test_the_terms_of_a_later_invitation_are_the_members_and_oneself() -> None:
    others = (request(Invite(D, ASK), A, B, name="d"),)
    assert [m.partner for m in terms(among(A, B), others, request(Invite(C, ASK), A, B))] == [A, B, C]


@dataclass
class Consents:
    """What each partner said yes to since it last came, in the plainest form: pairs of who and what."""

    given: dict[PartnerName, set[Change]] = field(default_factory=dict)

    def add(self, partner: PartnerName, change: Change) -> None:
        self.given.setdefault(partner, set()).add(change)

    def forget(self, partner: PartnerName) -> None:
        self.given.pop(partner, None)


PARTNERS = st.sampled_from([A, B, C, D])
ABILITIES = st.frozensets(st.sampled_from(list(Ability)))
CHANGES = st.one_of(
    st.builds(Invite, PARTNERS, ABILITIES),
    st.builds(SetAbilities, PARTNERS, ABILITIES),
    st.builds(Remove, PARTNERS),
    st.builds(Describe, st.sampled_from(["", "one", "two"])),
)


class Bargaining(RuleBasedStateMachine):
    """Four partners propose, vote, withdraw and leave in any order. Each step from one version to the next is held against
    who said yes to it."""

    @initialize()
    def found(self) -> None:
        self.collaboration = among(A)
        self.waiting: tuple[ChangeRequest, ...] = ()
        self.consents = Consents()
        self.count = 0

    def _settle(self, before: Collaboration, after: Collaboration, requests: tuple[ChangeRequest, ...]) -> None:
        found = settled(before, after, requests)
        standing = after
        for partner in (m.partner for m in before.members if not after.has(m.partner)):
            self.consents.forget(partner)
        for outcome in found.outcomes:
            if isinstance(outcome, Applied):
                self._agreed(standing, outcome.collaboration, outcome.request.change)
                standing = outcome.collaboration
        self.collaboration, self.waiting = standing, found.waiting

    def _agreed(self, before: Collaboration, after: Collaboration, change: Change) -> None:
        """Every member of either version, the removed one left out, said yes to this very change since it last came."""
        assert after == changed(before, change)
        touched = {m.partner for m in (*before.members, *after.members)}
        touched -= {change.partner} if isinstance(change, Remove) else set()
        for partner in touched:
            assert change in self.consents.given.get(partner, set())
        if isinstance(change, Remove):
            self.consents.forget(change.partner)

    @precondition(lambda self: bool(self.collaboration.members))
    @rule(change=CHANGES, data=st.data())
    def propose(self, change: Change, data: st.DataObject) -> None:
        proposer = data.draw(st.sampled_from([m.partner for m in self.collaboration.members]))
        if change == Remove(proposer) or not fits(self.collaboration, change):
            return
        self.count += 1
        self.consents.add(proposer, change)
        proposed = request(change, proposer, name=str(self.count))
        self._settle(self.collaboration, self.collaboration, (*self.waiting, proposed))

    @precondition(lambda self: bool(self.waiting))
    @rule(data=st.data(), approves=st.sampled_from([True, True, True, False]))
    def answer(self, data: st.DataObject, approves: bool) -> None:
        chosen = data.draw(st.sampled_from(self.waiting))
        asked = sorted(awaited(self.collaboration, chosen))
        if isinstance(chosen.change, Invite) and not invites(self.collaboration, chosen):
            asked = [p for p in asked if p != chosen.change.partner]
        if not asked:
            return
        partner = data.draw(st.sampled_from(asked))
        if approves:
            self.consents.add(partner, chosen.change)
        voted = replace(chosen, votes=(*chosen.votes, vote(partner, approves=approves)))
        requests = tuple(voted if r.id == chosen.id else r for r in self.waiting)
        self._settle(self.collaboration, self.collaboration, requests)

    @precondition(lambda self: len(self.collaboration.members) > 1)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        partner = data.draw(st.sampled_from([m.partner for m in self.collaboration.members]))
        self._settle(self.collaboration, without(self.collaboration, partner), self.waiting)
        assert not self.collaboration.has(partner)

    @invariant()
    def nothing_that_is_decided_waits(self) -> None:
        for waiting in self.waiting:
            assert awaited(self.collaboration, waiting)
            assert fits(self.collaboration, waiting.change)
            assert self.collaboration.has(waiting.proposer.partner)


Bargaining.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_no_order_of_acts_gives_anybody_what_not_all_agreed_to = Bargaining.TestCase
