"""Documents beside each other → what does not fit: names that are not there, abilities that are missing, duplicates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from cleanroom.documents import collaboration as collaborations
from cleanroom.documents import connection as connections
from cleanroom.documents import dataset as datasets
from cleanroom.documents import rule_contradictions
from cleanroom.documents.dataset import comparable
from cleanroom.documents.flaws import did_you_mean
from cleanroom.documents.rule_shape import ALL_OTHERS
from cleanroom.documents.template import check_template
from cleanroom.domain.errors import Problem
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import PartnerName, fold, owner_of
from cleanroom.domain.policy import (
    Ability,
    AnalysisRule,
    Collaboration,
    Connection,
    Dataset,
    JoinPartner,
    PolicyFolder,
    PolicyTest,
    Template,
)

RowFilterCheck: TypeAlias = Callable[[Dataset, str], tuple[Finding, ...]]


def check_folder(folder: PolicyFolder, check_row_filter: RowFilterCheck | None = None) -> tuple[Problem, ...]:
    """All that does not fit in the folder, by file and line.

    `check_row_filter` says what is wrong with an owner's condition over its dataset; None leaves conditions unread, and the
    texts of templates.
    """
    found = [*_duplicates(folder)]
    for i, collaboration in enumerate(folder.collaborations):
        found += _at(folder, f"collaborations[{i}]", collaborations.contradictions(collaboration))
    for i, connection in enumerate(folder.connections):
        found += _at(folder, f"connections[{i}]", check_connection(connection, partners_of(folder)))
    for i, dataset in enumerate(folder.datasets):
        found += _at(folder, f"datasets[{i}]", _dataset_in(folder, dataset))
    for i, rule in enumerate(folder.rules):
        found += _at(folder, f"rules[{i}]", _rule_in(folder, rule, check_row_filter))
    for i, template in enumerate(folder.templates if check_row_filter is not None else ()):
        found += _at(folder, f"templates[{i}]", _template_in(folder, template))
    for i, test in enumerate(folder.tests):
        found += _at(folder, f"tests[{i}]", _test_in(folder, test))
    return tuple(sorted(dict.fromkeys(found), key=lambda p: (p.file or "", p.line or 0)))


def check_connection(connection: Connection, partners: Iterable[PartnerName] = ()) -> tuple[Problem, ...]:
    """What is wrong with a connection among the partners that there are: its secret must be its partner's alone."""
    return tuple(connections.contradictions(connection, partners))


def check_dataset(dataset: Dataset, connection: Connection | None) -> tuple[Problem, ...]:
    """What is wrong with a dataset beside the connection that it names; None where there is none of that name."""
    found = [*datasets.contradictions(dataset)]
    if connection is None or connection.partner != dataset.partner:
        # one message for both: whether another partner has a connection of that name is not told
        message = f"{dataset.partner} has no connection of this name"
        found.append(
            Problem("policy.unknown_name", message, field="connection", hint="write the name of a connection of yours")
        )
    return tuple(found)


def check_rule(
    rule: AnalysisRule,
    dataset: Dataset,
    collaboration: Collaboration,
    others: Sequence[Dataset] = (),
    check_row_filter: RowFilterCheck | None = None,
) -> tuple[Problem, ...]:
    """What is wrong with a rule beside its dataset and collaboration; `others`: the datasets that pairs are held against."""
    found = [*rule_contradictions.contradictions(rule), *rule_contradictions.beside(rule, dataset)]
    found += _members(rule, collaboration)
    known = {d.name: d for d in (*others, dataset)}
    for i, partner in enumerate(rule.joins.partners):
        found += _pair(dataset, known.get(partner.dataset), partner, f"joins.with[{i}]")
        if not collaboration.has(owner_of(partner.dataset)):
            message = f"`{partner.dataset}` belongs to no member of {collaboration.name}"
            found.append(
                _unknown(
                    partner.dataset, message, f"joins.with[{i}].dataset", (m.partner for m in collaboration.members)
                )
            )
    if check_row_filter is not None:
        found += [
            Problem(f.code, f.message, field=place, hint=f.hint)
            for place, text in _row_filters(rule)
            for f in check_row_filter(dataset, text)
        ]
    return tuple(found)


def _row_filters(rule: AnalysisRule) -> Iterator[tuple[str, str]]:
    """Every condition of the owner's, with its place in the document."""
    if rule.row_filter is not None:
        yield f"row_filter.{ALL_OTHERS}" if rule.row_filters else "row_filter", rule.row_filter
    for runner, text in rule.row_filters.items():
        yield f"row_filter.{runner}", text


def _members(rule: AnalysisRule, collaboration: Collaboration) -> Iterator[Problem]:
    owner = owner_of(rule.dataset)
    if not collaboration.can(owner, Ability.CONTRIBUTE):
        yield _not_able(collaboration, owner, Ability.CONTRIBUTE, "dataset")
    for key, partners, ability in (
        ("query_runners", rule.query_runners, Ability.QUERY),
        ("result_receivers", rule.result_receivers, Ability.RECEIVE_RESULTS),
    ):
        for partner in sorted(partners):
            if not collaboration.can(partner, ability):
                yield _not_able(collaboration, partner, ability, key)


def _not_able(collaboration: Collaboration, partner: PartnerName, ability: Ability, key: str) -> Problem:
    if not collaboration.has(partner):
        message = f"`{partner}` is not a member of {collaboration.name}"
        return _unknown(partner, message, key, (m.partner for m in collaboration.members))
    message = f"`{partner}` is a member of {collaboration.name} without the ability `{ability}`"
    hint = f"the collaboration must give {partner} the ability {ability}, or the name go from here"
    return Problem("policy.not_permitted", message, field=key, hint=hint)


def _pair(mine: Dataset, theirs: Dataset | None, partner: JoinPartner, place: str) -> Iterator[Problem]:
    """What is wrong with the columns of a pair; nothing is said of a dataset that is not known here."""
    for my_name, their_name in partner.keys:
        key = f"{place}.keys.{my_name}"
        my_column = mine.column(my_name)
        their_column = theirs.column(their_name) if theirs else None
        if my_column is None:
            yield _unknown(my_name, f"`{my_name}` is not a column of {mine.name}", key, (c.name for c in mine.columns))
        if theirs and their_column is None:
            yield _unknown(
                their_name, f"`{their_name}` is not a column of {theirs.name}", key, (c.name for c in theirs.columns)
            )
        if my_column and their_column and not comparable(my_column.type, their_column.type):
            message = (
                f"`{my_name}` is a {my_column.type} and `{their_name}` a {their_column.type}: they are never equal"
            )
            yield Problem("policy.contradiction", message, field=key, hint="pair columns of one type")


def _dataset_in(folder: PolicyFolder, dataset: Dataset) -> Iterator[Problem]:
    named = next((c for c in folder.connections if c.name == dataset.connection), None)
    for problem in check_dataset(dataset, named):
        if problem.field == "connection":
            own = [c.name for c in folder.connections if c.partner == dataset.partner]
            yield replace(problem, hint=did_you_mean(dataset.connection, own))
        else:
            yield problem


def _rule_in(folder: PolicyFolder, rule: AnalysisRule, check_row_filter: RowFilterCheck | None) -> Iterator[Problem]:
    dataset = next((d for d in folder.datasets if d.name == rule.dataset), None)
    collaboration = next((c for c in folder.collaborations if c.name == rule.collaboration), None)
    if dataset is None:
        yield _unknown(
            rule.dataset, f"there is no dataset `{rule.dataset}`", "dataset", (d.name for d in folder.datasets)
        )
    if collaboration is None:
        names = (c.name for c in folder.collaborations)
        yield _unknown(rule.collaboration, f"there is no collaboration `{rule.collaboration}`", "collaboration", names)
    if dataset and collaboration:
        yield from check_rule(rule, dataset, collaboration, folder.datasets, check_row_filter)
        yield from _partners_in(folder, rule)
    else:
        yield from rule_contradictions.contradictions(rule)
        yield from rule_contradictions.beside(rule, dataset) if dataset else ()


def _template_in(folder: PolicyFolder, template: Template) -> tuple[Problem, ...]:
    policy = folder.policy(template.collaboration)
    if policy is None:
        names = (c.name for c in folder.collaborations)
        message = f"there is no collaboration `{template.collaboration}`"
        return (_unknown(template.collaboration, message, "collaboration", names),)
    return check_template(template, policy)


def _partners_in(folder: PolicyFolder, rule: AnalysisRule) -> Iterator[Problem]:
    """Pairs with a dataset that the folder lacks, though it holds others of that owner."""
    for i, partner in enumerate(rule.joins.partners):
        theirs = [d.name for d in folder.datasets if d.partner == owner_of(partner.dataset)]
        if theirs and partner.dataset not in theirs:
            yield _unknown(
                partner.dataset, f"there is no dataset `{partner.dataset}`", f"joins.with[{i}].dataset", theirs
            )


def _test_in(folder: PolicyFolder, test: PolicyTest) -> Iterator[Problem]:
    collaboration = next((c for c in folder.collaborations if c.name == test.collaboration), None)
    if collaboration is None:
        names = (c.name for c in folder.collaborations)
        yield _unknown(test.collaboration, f"there is no collaboration `{test.collaboration}`", "collaboration", names)
        return
    for i, case in enumerate(test.cases):
        if not collaboration.has(case.runner):
            message = f"`{case.runner}` is not a member of {collaboration.name}"
            yield _unknown(case.runner, message, f"cases[{i}].as", (m.partner for m in collaboration.members))


def _duplicates(folder: PolicyFolder) -> Iterator[Problem]:
    documents = (
        ("collaborations", "name", [("collaboration", c.name) for c in folder.collaborations]),
        ("connections", "name", [("connection", c.name) for c in folder.connections]),
        ("datasets", "name", [("dataset", fold(d.name)) for d in folder.datasets]),
        ("templates", "name", [("template", f"{t.name} in {t.collaboration}") for t in folder.templates]),
        ("rules", "dataset", [("rule", f"{r.dataset} in {r.collaboration}") for r in folder.rules]),
    )
    for bucket, key, names in documents:
        first: dict[str, int] = {}
        for i, (kind, name) in enumerate(names):
            if first.setdefault(name, i) != i:
                file, line = folder.places.get(f"{bucket}[{first[name]}].{key}", ("", 0))
                where = f", first in {file}, line {line}" if file else ""
                problem = Problem(
                    "policy.duplicate", f"{kind} `{name}` is written twice{where}", field=key, hint="remove one"
                )
                yield from _at(folder, f"{bucket}[{i}]", (problem,))


def partners_of(folder: PolicyFolder) -> frozenset[PartnerName]:
    """Every partner that a document of the folder speaks of as a member or an owner."""
    members = {m.partner for c in folder.collaborations for m in c.members}
    return frozenset(members | {c.partner for c in folder.connections} | {d.partner for d in folder.datasets})


def _at(folder: PolicyFolder, document: str, problems: Iterable[Problem]) -> list[Problem]:
    """The problems with the file and line of their keys, or of what those would stand in."""
    return [_placed(folder, document, p) for p in problems]


def _placed(folder: PolicyFolder, document: str, problem: Problem) -> Problem:
    path = f"{document}.{problem.field}" if problem.field else document
    while path and path not in folder.places:
        path = _PARENT.sub("", path)
    file, line = folder.places.get(path, (None, None))
    return replace(problem, file=file, line=line)


_PARENT = re.compile(r"(?:\.[^.\[\]]*|\[\d+\]|^[^.\[\]]+)\Z")


def _unknown(name: str, message: str, field: str, known: Iterable[str]) -> Problem:
    return Problem("policy.unknown_name", message, field=field, hint=did_you_mean(name, known))
