"""What members do to a collaboration: each act whole or not at all, with its events, and nobody's data without its owner."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cleanroom.domain.collaboration import (
    MOST_OPEN_CHANGES,
    Agreement,
    ChangeState,
    Describe,
    Invite,
    Remove,
    SetAbilities,
)
from cleanroom.domain.document import key_of
from cleanroom.domain.errors import CleanroomError, Conflict, NotFound, NotPermitted
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import ChangeId, CollaborationName, PartnerName, PrincipalId, QueryId
from cleanroom.domain.policy import Ability, Collaboration, Member
from cleanroom.domain.query import Principal, QueryState, Role, everywhere
from cleanroom.store import migration
from cleanroom.store.collaborations import Collaborations, Invitation
from cleanroom.store.database import Database
from cleanroom.store.log import Log, Sight
from cleanroom.store.policies import PolicyBook
from cleanroom.store.queries import Queries
from cleanroom.store.queue import Queue
from tests.store.world import (
    AGENCY,
    COLLABORATION,
    CUSTOMERS,
    DOCUMENTS,
    IMPRESSIONS,
    NOON,
    PUBLISHER,
    RETAIL_MEDIA,
    RETAILER,
    Clock,
    happened,
    later,
    query,
    rule,
    sealed,
)

ASK, GIVE = frozenset({Ability.QUERY}), frozenset({Ability.CONTRIBUTE})
NEW = CollaborationName("new-media")


def admin(partner: str) -> Principal:
    return Principal(PrincipalId(f"{partner}/ada"), PartnerName(partner), everywhere(Role.ADMIN))


R, P, A = admin(RETAILER), admin(PUBLISHER), admin(AGENCY)
LIST = Collaboration(
    NEW, "Together.", (Member(RETAILER, GIVE), Member(PUBLISHER, ASK), Member(AGENCY, frozenset(Ability)))
)


@pytest.fixture
def house(database: Database, log: Log, book: PolicyBook) -> Collaborations:
    with database.begin() as transaction:
        for value in (*DOCUMENTS, rule(IMPRESSIONS)):
            book.write(transaction, value, author=None, at=NOON)
    return Collaborations(database, log, book)


@pytest.fixture
def queue(database: Database, log: Log) -> Queue:
    return Queue(database, log, Clock())


def members(agreement: Agreement | None) -> dict[str, frozenset[Ability]]:
    return {} if agreement is None else {m.partner: m.abilities for m in agreement.collaboration.members}


def only(house: Collaborations, partner: PartnerName) -> Invitation:
    (found,), _ = house.invitations(partner)
    return found


def accept(house: Collaborations, who: Principal) -> Agreement:
    invitation = only(house, who.partner)
    return house.accept(invitation.request.id, invitation.terms, author=who, at=NOON)


def propose(house: Collaborations, change: object, by: Principal = R) -> ChangeId:
    return house.propose(RETAIL_MEDIA, change, author=by, at=NOON).id  # type: ignore[arg-type]


def kinds(log: Log, sight: Sight | None = None) -> list[str]:
    return [e.event.kind.value for e in log.events(sight, limit=1000)]


def test_a_new_collaboration_has_its_maker_alone_and_invites_the_rest(house: Collaborations, log: Log) -> None:
    made = house.create(LIST, author=R, at=NOON)
    assert members(made) == {RETAILER: GIVE}
    assert [i.partner for i in made.invited] == [PUBLISHER, AGENCY]
    assert made.version == 1
    assert kinds(log)[-6:] == [
        "collaboration.written",
        "collaboration.created",
        "change.proposed",
        "change.proposed",
        "member.invited",
        "member.invited",
    ]


def test_founders_come_one_by_one_each_by_its_own_word_alone(house: Collaborations) -> None:
    house.create(LIST, author=R, at=NOON)
    shown = only(house, AGENCY).terms
    assert members(accept(house, P)) == {RETAILER: GIVE, PUBLISHER: ASK}
    invitation = only(house, AGENCY)
    assert invitation.terms == shown
    joined = house.accept(invitation.request.id, shown, author=A, at=NOON)
    assert members(joined) == {RETAILER: GIVE, PUBLISHER: ASK, AGENCY: frozenset(Ability)}
    assert joined.version == 3
    assert joined.requests == ()


def test_whoever_is_invited_must_have_seen_what_it_accepts(house: Collaborations) -> None:
    house.create(LIST, author=R, at=NOON)
    before = only(house, AGENCY)
    house.decline(only(house, PUBLISHER).request.id, author=P, at=NOON)
    with pytest.raises(Conflict, match="changed") as caught:
        house.accept(before.request.id, before.terms, author=A, at=NOON)
    assert caught.value.code == "invitation.moved"
    assert members(accept(house, A)) == {RETAILER: GIVE, AGENCY: frozenset(Ability)}


@pytest.mark.parametrize("who", [R, A])
def test_an_invitation_is_its_partners_alone(house: Collaborations, who: Principal) -> None:
    house.create(Collaboration(NEW, "", LIST.members[:2]), author=R, at=NOON)
    invitation = only(house, PUBLISHER)
    with pytest.raises(NotFound):
        house.accept(invitation.request.id, invitation.terms, author=who, at=NOON)
    with pytest.raises(NotFound):
        house.decline(invitation.request.id, author=who, at=NOON)


def test_a_name_is_given_once_even_where_its_collaboration_is_gone(house: Collaborations) -> None:
    with pytest.raises(Conflict) as caught:
        house.create(Collaboration(RETAIL_MEDIA, "", (Member(AGENCY, ASK),)), author=A, at=NOON)
    assert caught.value.code == "collaboration.exists"
    house.create(Collaboration(NEW, "", (Member(AGENCY, ASK),)), author=A, at=NOON)
    house.leave(NEW, author=A, at=NOON)
    assert house.agreement(NEW) is None
    with pytest.raises(Conflict):
        house.create(Collaboration(NEW, "", (Member(RETAILER, ASK),)), author=R, at=NOON)


def test_a_partner_learns_of_an_invitation_only_once_every_member_agreed(house: Collaborations, log: Log) -> None:
    change = propose(house, Invite(AGENCY, ASK))
    assert house.invitations(AGENCY) == ((), None)
    assert kinds(log, Sight(AGENCY)) == []
    house.vote(change, approves=True, author=P, at=NOON)
    invitation = only(house, AGENCY)
    assert [m.partner for m in invitation.agreement.collaboration.members] == [RETAILER, PUBLISHER]
    assert kinds(log, Sight(AGENCY)) == ["member.invited"]
    accept(house, A)
    assert members(house.agreement(RETAIL_MEDIA))[AGENCY] == ASK
    assert kinds(log, Sight(AGENCY)) == [
        "member.invited",
        "change.approved",
        "collaboration.written",
        "change.applied",
        "member.joined",
    ]


def test_a_no_ends_a_change_and_nothing_moves(house: Collaborations, log: Log) -> None:
    change = propose(house, SetAbilities(RETAILER, ASK))
    ended = house.vote(change, approves=False, author=P, at=NOON)
    assert (ended.state, ended.decided_at) == (ChangeState.REJECTED, NOON)
    assert members(house.agreement(RETAIL_MEDIA)) == {m.partner: m.abilities for m in COLLABORATION.members}
    with pytest.raises(Conflict) as caught:
        house.vote(change, approves=True, author=P, at=NOON)
    assert caught.value.code == "change.ended"
    assert kinds(log)[-1] == "change.rejected"


def test_the_last_yes_makes_the_next_version_under_its_voters_name(house: Collaborations, book: PolicyBook) -> None:
    change = propose(house, Describe("For sales."))
    applied = house.vote(change, approves=True, author=P, at=later(5))
    assert applied.state is ChangeState.APPLIED
    assert [(v.partner, v.approves) for v in applied.votes] == [(RETAILER, True), (PUBLISHER, True)]
    agreement = house.agreement(RETAIL_MEDIA)
    assert agreement is not None
    assert (agreement.version, agreement.collaboration.description) == (2, "For sales.")


def test_saying_yes_twice_is_saying_it_once(house: Collaborations, log: Log) -> None:
    change = propose(house, Invite(AGENCY, ASK))
    size = log.size()
    assert len(house.vote(change, approves=True, author=R, at=NOON).votes) == 1
    assert log.size() == size


def test_only_the_proposer_withdraws(house: Collaborations) -> None:
    change = propose(house, Invite(AGENCY, ASK))
    with pytest.raises(NotPermitted):
        house.withdraw(change, author=P, at=NOON)
    with pytest.raises(NotFound):
        house.withdraw(change, author=A, at=NOON)
    house.vote(change, approves=True, author=P, at=NOON)
    invitation = only(house, AGENCY)
    assert house.withdraw(change, author=R, at=NOON).state is ChangeState.WITHDRAWN
    with pytest.raises(NotFound):
        house.accept(change, invitation.terms, author=A, at=NOON)


def test_whoever_is_to_be_removed_has_no_say(house: Collaborations) -> None:
    accept_agency(house)
    change = propose(house, Remove(PUBLISHER))
    with pytest.raises(NotPermitted):
        house.vote(change, approves=False, author=P, at=NOON)
    house.vote(change, approves=True, author=A, at=NOON)
    assert set(members(house.agreement(RETAIL_MEDIA))) == {RETAILER, AGENCY}


def accept_agency(house: Collaborations) -> None:
    house.vote(propose(house, Invite(AGENCY, frozenset(Ability))), approves=True, author=P, at=NOON)
    accept(house, A)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (Invite(PUBLISHER, ASK), "change.unfit"),
        (SetAbilities(AGENCY, ASK), "change.unfit"),
        (SetAbilities(RETAILER, GIVE), "change.unfit"),
        (Remove(AGENCY), "change.unfit"),
        (Remove(RETAILER), "change.unfit"),
        (Describe(COLLABORATION.description), "change.unfit"),
        (Invite(PartnerName("open"), ASK), "change.duplicate"),
    ],
)
def test_what_would_change_nothing_is_not_proposed(house: Collaborations, change: object, code: str) -> None:
    propose(house, Invite(PartnerName("open"), ASK))
    with pytest.raises(Conflict) as caught:
        propose(house, change)
    assert caught.value.code == code


def test_open_changes_have_a_limit(house: Collaborations) -> None:
    for n in range(MOST_OPEN_CHANGES):
        propose(house, Describe(f"{n}"))
    with pytest.raises(Conflict) as caught:
        propose(house, Describe("one more"))
    assert caught.value.code == "change.too_many"


def test_strangers_change_nothing_and_learn_nothing(house: Collaborations) -> None:
    change = propose(house, Describe("else"))
    acts: list[Callable[[], object]] = [
        lambda: propose(house, Describe("mine"), A),
        lambda: house.vote(change, approves=False, author=A, at=NOON),
        lambda: house.leave(RETAIL_MEDIA, author=A, at=NOON),
        lambda: house.leave(CollaborationName("nothing"), author=A, at=NOON),
    ]
    for act in acts:
        with pytest.raises(NotFound):
            act()


def test_who_leaves_takes_its_rules_its_queries_and_its_votes(
    house: Collaborations, queries: Queries, queue: Queue, book: PolicyBook, log: Log
) -> None:
    queries.submit(query("running"), happened())
    assert queue.lease("one", later(60)) is not None
    assert queue.started(QueryId("running"), happened(EventKind.QUERY_STARTED))
    queries.submit(query("queued"), happened())
    queries.submit(query("theirs", datasets=(IMPRESSIONS,)), happened())
    change = propose(house, Describe("else"), P)
    theirs = propose(house, Describe("ours"), R)
    house.leave(RETAIL_MEDIA, author=R, at=NOON)
    policy = book.policy(RETAIL_MEDIA)
    assert policy is not None
    assert set(policy.rules) == {IMPRESSIONS}
    found = {record.id: (record.state, record.cancel_requested) for record in queries.page().records}
    assert found == {
        "running": (QueryState.RUNNING, True),
        "queued": (QueryState.CANCELLED, True),
        "theirs": (QueryState.QUEUED, False),
    }
    assert house.change(RETAIL_MEDIA, theirs).state is ChangeState.SUPERSEDED  # type: ignore[union-attr]
    assert house.change(RETAIL_MEDIA, change).state is ChangeState.APPLIED  # type: ignore[union-attr]
    assert not queue.succeed(QueryId("running"), sealed("running"), 1, happened(EventKind.QUERY_RELEASED))
    assert {"member.left", "document.removed", "query.cancelled", "query.cancel_requested"} <= set(kinds(log))
    assert log.verify().holds


def test_a_query_that_was_judged_before_and_arrives_after_is_refused(house: Collaborations, queries: Queries) -> None:
    house.leave(RETAIL_MEDIA, author=R, at=NOON)
    with pytest.raises(Conflict) as caught:
        queries.submit(query("late"), happened())
    assert caught.value.code == "collaboration.moved"
    queries.submit(query("theirs", datasets=(IMPRESSIONS,)), happened())


def test_who_comes_back_brings_nothing_of_what_it_had(
    house: Collaborations, queries: Queries, book: PolicyBook
) -> None:
    house.leave(RETAIL_MEDIA, author=R, at=NOON)
    change = propose(house, Invite(RETAILER, GIVE), P)
    accept(house, R)
    assert house.change(RETAIL_MEDIA, change) is not None
    policy = book.policy(RETAIL_MEDIA)
    assert policy is not None
    assert CUSTOMERS not in policy.rules
    with pytest.raises(Conflict):
        queries.submit(query("late"), happened())


def test_whoever_contributes_no_more_has_no_rules(house: Collaborations, book: PolicyBook) -> None:
    change = propose(house, SetAbilities(RETAILER, ASK))
    house.vote(change, approves=True, author=P, at=NOON)
    policy = book.policy(RETAIL_MEDIA)
    assert policy is not None
    assert set(policy.rules) == {IMPRESSIONS}


def test_the_operator_decides_alone_and_what_does_not_fit_any_more_is_superseded(
    house: Collaborations, database: Database, book: PolicyBook, queries: Queries, log: Log
) -> None:
    queries.submit(query("queued"), happened())
    change = propose(house, SetAbilities(PUBLISHER, ASK))
    alone = Collaboration(RETAIL_MEDIA, "Mine.", COLLABORATION.members[:1])
    with database.begin() as transaction:
        book.write(transaction, alone, author=None, at=NOON)
    assert house.change(RETAIL_MEDIA, change).state is ChangeState.SUPERSEDED  # type: ignore[union-attr]
    record = queries.get(QueryId("queued"))
    assert record is not None
    assert record.state is QueryState.CANCELLED
    assert "member.removed" in kinds(log, Sight(PUBLISHER))


def test_a_collaboration_that_the_operator_removes_stops_whole(
    house: Collaborations, database: Database, book: PolicyBook, queries: Queries
) -> None:
    queries.submit(query("queued"), happened())
    propose(house, Describe("else"))
    with database.begin() as transaction:
        book.remove(transaction, key_of(COLLABORATION), author=None, at=NOON)
    assert queries.get(QueryId("queued")).state is QueryState.CANCELLED  # type: ignore[union-attr]
    assert [r.state for r in house.changes(RETAIL_MEDIA).requests] == [ChangeState.SUPERSEDED]
    with pytest.raises(Conflict):
        queries.submit(query("late"), happened())


def test_changes_are_listed_newest_first_page_by_page(house: Collaborations) -> None:
    made = [propose(house, Describe(f"{n}")) for n in range(5)]
    first = house.changes(RETAIL_MEDIA, limit=3)
    second = house.changes(RETAIL_MEDIA, cursor=first.next_cursor, limit=3)
    assert [r.id for r in (*first.requests, *second.requests)] == made[::-1]
    assert second.next_cursor is None
    assert house.changes(RETAIL_MEDIA, state=ChangeState.APPLIED).requests == ()
    assert house.change(NEW, made[0]) is None


def at_once(*acts: Callable[[], object]) -> list[str]:
    """What came of acts that begin together: "done", or the code of what refused each."""
    barrier, came = threading.Barrier(len(acts)), ["" for _ in acts]

    def run(position: int, act: Callable[[], object]) -> None:
        barrier.wait()
        try:
            act()
            came[position] = "done"
        except CleanroomError as error:
            came[position] = error.code

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came


def test_two_last_votes_at_once_make_one_version(house: Collaborations, log: Log) -> None:
    accept_agency(house)
    change = propose(house, Describe("else"))
    votes = [lambda who=who: house.vote(change, approves=True, author=who, at=NOON) for who in (P, A)]
    assert at_once(*votes) == ["done", "done"]
    assert house.agreement(RETAIL_MEDIA).version == 3  # type: ignore[union-attr]
    assert kinds(log).count("change.applied") == 2


def test_a_yes_and_a_no_at_once_have_one_outcome(house: Collaborations) -> None:
    change = propose(house, Describe("else"))
    came = at_once(
        lambda: house.vote(change, approves=True, author=P, at=NOON),
        lambda: house.vote(change, approves=False, author=R, at=NOON),
    )
    assert sorted(came) == ["change.ended", "done"]
    state = house.change(RETAIL_MEDIA, change).state  # type: ignore[union-attr]
    assert state is (ChangeState.APPLIED if came[0] == "done" else ChangeState.REJECTED)


def test_an_accept_and_a_withdrawal_at_once_have_one_outcome(house: Collaborations) -> None:
    change = propose(house, Invite(AGENCY, ASK))
    house.vote(change, approves=True, author=P, at=NOON)
    invitation = only(house, AGENCY)
    came = at_once(
        lambda: house.accept(change, invitation.terms, author=A, at=NOON),
        lambda: house.withdraw(change, author=R, at=NOON),
    )
    assert came in (["done", "change.ended"], ["name.unknown", "done"])
    assert (AGENCY in members(house.agreement(RETAIL_MEDIA))) == (came[0] == "done")


def test_a_departure_and_the_last_vote_at_once_leave_the_leaver_out(house: Collaborations, log: Log) -> None:
    change = propose(house, SetAbilities(RETAILER, frozenset(Ability)))
    at_once(
        lambda: house.vote(change, approves=True, author=P, at=NOON),
        lambda: house.leave(RETAIL_MEDIA, author=R, at=NOON),
    )
    assert set(members(house.agreement(RETAIL_MEDIA))) == {PUBLISHER}
    assert house.change(RETAIL_MEDIA, change).state in (ChangeState.APPLIED, ChangeState.SUPERSEDED)  # type: ignore[union-attr]
    assert log.verify().holds


def test_a_departure_and_a_release_at_once_have_one_order(
    house: Collaborations, queries: Queries, queue: Queue, log: Log
) -> None:
    queries.submit(query("q1"), happened())
    assert queue.lease("one", later(60)) is not None
    assert queue.started(QueryId("q1"), happened(EventKind.QUERY_STARTED))
    released: list[bool] = []
    at_once(
        lambda: released.append(queue.succeed(QueryId("q1"), sealed(), 1, happened(EventKind.QUERY_RELEASED))),
        lambda: house.leave(RETAIL_MEDIA, author=R, at=NOON),
    )
    order = [kind for kind in kinds(log) if kind in ("query.released", "member.left")]
    assert order == (["query.released", "member.left"] if released == [True] else ["member.left"])


def test_going_back_before_changes_and_forth_again_keeps_what_was_agreed(
    house: Collaborations, database: Database, book: PolicyBook, log: Log
) -> None:
    house.vote(propose(house, Describe("For sales.")), approves=True, author=P, at=NOON)
    propose(house, Invite(AGENCY, ASK))
    with database.begin() as connection:
        migration.downgrade(connection, "0006")
    database.upgrade()
    assert book.collaborations()[0].description == "For sales."
    assert house.changes(RETAIL_MEDIA).requests == ()
    assert log.verify().holds
    propose(house, Invite(AGENCY, ASK))
