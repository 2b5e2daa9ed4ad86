"""Collaboration documents ↔ the agreement: who takes part, and what each may do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from cleanroom.documents.fields import Choice, Part, Several, Shape, Text, resource
from cleanroom.domain.errors import Problem
from cleanroom.domain.events import Json
from cleanroom.domain.identifiers import CollaborationName, PartnerName
from cleanroom.domain.policy import Ability, Collaboration, Member


class MemberShape(Shape):
    partner = resource("partner", required=True, metadata={"description": "the partner's name"})
    abilities = Several(
        Choice(tuple(Ability)),
        required=True,
        metadata={"description": "contribute datasets, query, receive_results; an empty list: may only look on"},
    )


class CollaborationShape(Shape):
    name = resource("collaboration", required=True, metadata={"description": "unique; part of URLs"})
    description = Text(load_default="", metadata={"description": "what it is for"})
    members = Several(Part(MemberShape), required=True, least=1, metadata={"description": "who takes part"})


def build(data: Mapping[str, Any]) -> Collaboration:
    members = tuple(
        Member(PartnerName(m["partner"]), frozenset(Ability(a) for a in m["abilities"])) for m in data["members"]
    )
    return Collaboration(CollaborationName(data["name"]), data["description"], members)


def write(value: Collaboration) -> dict[str, Json]:
    members: list[Json] = [
        {"partner": m.partner, "abilities": [a.value for a in Ability if a in m.abilities]} for m in value.members
    ]
    text: dict[str, Json] = {"description": value.description} if value.description else {}
    return {"name": value.name, **text, "members": members}


def contradictions(value: Collaboration) -> Iterator[Problem]:
    """A partner that is a member twice."""
    seen: Counter[str] = Counter()
    for i, member in enumerate(value.members):
        seen[member.partner] += 1
        if seen[member.partner] > 1:
            yield Problem(
                "policy.duplicate",
                f"`{member.partner}` is a member twice",
                field=f"members[{i}].partner",
                hint="write all its abilities into one entry",
            )
