"""What grants allow, held against the obvious: a role somewhere is allowed where it is named for there or for everywhere."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from cleanroom.domain.identifiers import CollaborationName, PartnerName
from cleanroom.domain.people import common, covers, in_reach, may_give, principal_id
from cleanroom.domain.query import Grant, Principal, Role

PLACES = (None, CollaborationName("media"), CollaborationName("other"))
GRANTS = tuple(Grant(role, place) for role in (Role.ADMIN, Role.ANALYST) for place in PLACES)
SETS = tuple(frozenset(chosen) for size in range(3) for chosen in combinations(GRANTS, size))


def allowed(grants: frozenset[Grant]) -> set[tuple[Role, str | None]]:
    """Every role and place that the grants open, counted out."""
    return {(g.role, place) for g in grants for place in PLACES if g.collaboration is None or g.collaboration == place}


@pytest.mark.parametrize("held", SETS)
def test_a_token_opens_exactly_what_its_scopes_and_its_principal_s_grants_both_do(held: frozenset[Grant]) -> None:
    for scopes in SETS:
        assert allowed(common(held, scopes)) == allowed(held) & allowed(scopes)


def test_a_grant_is_covered_where_it_opens_nothing_more() -> None:
    for held, wanted in product(SETS, GRANTS):
        assert covers(held, wanted) is (allowed(frozenset({wanted})) <= allowed(held))


def test_an_admin_gives_any_role_where_it_is_one_and_nothing_anywhere_else() -> None:
    for held, wanted in product(SETS, GRANTS):
        giver = Principal(principal_id(PartnerName("shop"), "ruth"), PartnerName("shop"), held)
        places = {place for role, place in allowed(held) if role is Role.ADMIN}
        assert may_give(giver, wanted) is (wanted.collaboration in places)
        assert in_reach(giver, GRANTS) == {grant for grant in GRANTS if grant.collaboration in places}
