"""A partner's document → current, where it fits what stands and nobody moved it meanwhile; or an error, and nothing written."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, TypeAlias, assert_never

from flask import request

from cleanroom.api.context import home, principal
from cleanroom.api.permissions import unknown
from cleanroom.documents import check_connection, check_dataset, check_rule, partners_of
from cleanroom.domain.document import DocumentKey, key_of, resting_on
from cleanroom.domain.errors import Conflict, InvalidInput, Moved, NotPermitted, Problem
from cleanroom.domain.identifiers import ConnectionName, fold
from cleanroom.domain.policy import AnalysisRule, Collaboration, Connection, Dataset, PolicyFolder, Template
from cleanroom.sql import check_row_filter

Owned: TypeAlias = Connection | Dataset | AnalysisRule


def write(
    transaction: Any, value: Owned, *, rolled_back_to: int | None = None
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """The document is current once the transaction commits; answers what became of it, the status, and its ETag.

    Raises NotFound where its name is another partner's, Moved where the request's preconditions do not hold, InvalidInput
    or NotPermitted where it does not fit.
    """
    if isinstance(value, Connection):
        _require_own(value)
    require_unmoved(home().drawers.policies.current_number(transaction, key_of(value)))
    require_fits(value)
    return make_current(transaction, value, rolled_back_to=rolled_back_to)


def make_current(
    transaction: Any, value: Owned | Template, *, rolled_back_to: int | None = None
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """As `write`, of a document that fits and that nobody moved."""
    policies, key = home().drawers.policies, key_of(value)
    before = policies.current_number(transaction, key)
    changed = policies.write(
        transaction, value, author=principal(), at=home().clock.now(), rolled_back_to=rolled_back_to
    )
    number = policies.current_number(transaction, key)
    change = "unchanged" if not changed else "replaced" if before else "created"
    told = {"document": str(key), "change": change, "version": number}
    return told, 201 if change == "created" else 200, {"ETag": etag(number)}


def remove(transaction: Any, key: DocumentKey) -> None:
    """The document of the caller's partner holds no more once the transaction commits.

    Raises NotFound where it holds none of that name, Moved as `write` does, and Conflict "document.in_use" while other
    documents of its own rest on it.
    """
    drawers = home().drawers
    found = drawers.history.at(key, partner=principal().partner)
    if found is None:
        raise unknown(key.kind)
    require_unmoved(found.version)
    resting = resting_on(found.value, drawers.policies.folder())
    if resting:
        named = ", ".join(str(other) for other in resting[:5])
        raise Conflict(f"Other documents of yours rest on this one; remove them first: {named}.", "document.in_use")
    drawers.policies.remove(transaction, key, author=principal(), at=home().clock.now())


def etag(version: int | None) -> str:
    """The entity tag of a version (RFC 9110, 8.8.3): its number."""
    return f'"{version}"'


def require_fits(value: Owned) -> None:
    """The document fits what stands, as far as its owner may know. Raises InvalidInput, NotPermitted or NotFound."""
    match value:
        case Connection():
            require(check_connection(value, partners_of(home().drawers.policies.folder())))
            _require_admitted(value)
        case Dataset():
            folder = home().drawers.policies.folder()
            connection = home().drawers.policies.connection(ConnectionName(value.connection))
            require(_spelled_otherwise(value, folder))
            require(check_dataset(value, connection) or _rules_that_break(value, folder))
        case AnalysisRule():
            _require_rule(value)
        case _ as never:
            assert_never(never)


def _require_rule(value: AnalysisRule) -> None:
    about = home().drawers.policies.dataset(value.dataset)
    if about is None:
        raise unknown("dataset")
    policy = home().drawers.policies.policy(value.collaboration)
    if policy is None:
        raise unknown("collaboration")
    others = tuple(policy.datasets.values())  # those the members can see anyway
    require(check_rule(value, about, policy.collaboration, others, check_row_filter))


def require_unmoved(current: int | None) -> None:
    """`If-Match` and `If-None-Match` (RFC 9110, 13.1) hold for the document whose current version this is; None: none holds."""
    tag = None if current is None else str(current)
    wanted, unwanted = request.if_match, request.if_none_match
    lost = "If-Match" in request.headers and (tag is None or not wanted.contains(tag))
    there = "If-None-Match" in request.headers and tag is not None and unwanted.contains_weak(tag)
    if lost or there:
        now = "there is none" if current is None else f"it is {current}"
        raise Moved(f"The document's current version is not the one that the request names: {now}.", "document.moved")


def require(problems: tuple[Problem, ...]) -> None:
    """There is none. Raises InvalidInput with all of them."""
    if problems:
        raise InvalidInput(problems)


def _require_own(connection: Connection) -> None:
    """The name is free or the partner's own. A name that another partner took is answered as any unknown one is."""
    known = home().drawers.policies.connection(connection.name)
    if known is not None and known.partner != connection.partner:
        raise unknown("connection")


def _require_admitted(connection: Connection) -> None:
    """The root lies, by its name, within what the operator admitted. Storage checks again, links followed, at every read."""
    root = PurePosixPath(connection.options["root"])
    admitted = home().drawers.roots.of(connection.partner)
    if not any(root.is_relative_to(PurePosixPath(a)) for a in admitted):
        raise NotPermitted(
            "The operator has not admitted this location for your partner; ask for it to be admitted.",
            "connection.not_admitted",
        )


def _spelled_otherwise(dataset: Dataset, folder: PolicyFolder) -> tuple[Problem, ...]:
    """Engines tell names apart without regard to case: two datasets whose names differ in nothing else are one too many."""
    others = (d.name for d in folder.datasets if d.name != dataset.name)
    if fold(dataset.name) not in {fold(name) for name in others}:
        return ()
    return (Problem("policy.duplicate", "You have a dataset of this name in other letters' case.", field="name"),)


def _rules_that_break(dataset: Dataset, folder: PolicyFolder) -> tuple[Problem, ...]:
    """What would be wrong with the owner's rules over the dataset as it would be, and is not already: a member that they
    name may have left."""
    standing = next((d for d in folder.datasets if d.name == dataset.name), None)
    rules = [rule for rule in folder.rules if rule.dataset == dataset.name]
    named: dict[str, Collaboration] = {c.name: c for c in folder.collaborations}
    return tuple(
        Problem(p.code, f"The rule of {rule.collaboration} would not fit: {p.message}", hint=p.hint)
        for rule in rules
        if rule.collaboration in named
        for p in _new_problems(rule, dataset, standing, named[rule.collaboration])
    )


def _new_problems(
    rule: AnalysisRule, dataset: Dataset, standing: Dataset | None, collaboration: Collaboration
) -> tuple[Problem, ...]:
    known = () if standing is None else check_rule(rule, standing, collaboration, (), check_row_filter)
    return tuple(p for p in check_rule(rule, dataset, collaboration, (), check_row_filter) if p not in known)
