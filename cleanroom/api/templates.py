"""Templates of a collaboration: written by a member, approved by every owner of a dataset that they read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import home, principal
from cleanroom.api.document_writes import etag, make_current, require, require_unmoved
from cleanroom.api.documents import ETAG, MATCH, document_body, takes
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.documents import RollbackBody, VersionList, VersionQuery, WrittenDocument
from cleanroom.api.schemas.templates import ApprovalBody, TemplateList, TemplateSchema
from cleanroom.api.views import versions_view
from cleanroom.documents import check_template, read_document
from cleanroom.documents.template import write_parameters
from cleanroom.domain.document import DocumentKey, key_of
from cleanroom.domain.errors import Conflict, NotPermitted, Problem
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import CollaborationName, PartnerName, TemplateName, owner_of
from cleanroom.domain.policy import Policy, Template
from cleanroom.domain.query import Role
from cleanroom.sql.template_text import template_datasets
from cleanroom.store.versions import DocumentVersion

templates = StrictBlueprint(
    "templates", __name__, url_prefix="/v1/collaborations/<collaboration>/templates", description="Agreed questions."
)

_APPROVING = frozenset({Role.DATA_OWNER, Role.ADMIN})


@templates.route("")
@templates.response(200, TemplateList)
def listing(collaboration: str) -> dict[str, Any]:
    """The templates of the collaboration, by name."""
    policy = _policy(collaboration)
    shown = [policy.templates[name] for name in sorted(policy.templates)]
    return {"templates": [_view(value, policy, _version(value, policy)) for value in shown]}


@templates.route("/<template>")
@templates.arguments(VersionQuery, location="query")
@templates.response(200, TemplateSchema, headers=ETAG)
def read(query: dict[str, Any], collaboration: str, template: str) -> Any:
    """One template: its text, its parameters, who has approved it and whose approval is missing. Of an earlier version:
    who had."""
    if "version" not in query:
        shown = _now(collaboration, template)
    else:
        policy = _policy(collaboration)
        found = _written(_template_key(collaboration, template), query["version"], policy)
        shown = _view(_as_template(found), policy, found.version)
    return shown, 200, {"ETag": etag(shown["version"])}


@templates.route("/<template>/versions")
@templates.response(200, VersionList)
def versions(collaboration: str, template: str) -> dict[str, Any]:
    """Every version of the template, the newest first; of one that holds no more, for its partner alone."""
    key = _template_key(collaboration, template)
    found = home().drawers.history.of(key, _whose(key, _policy(collaboration)))
    if not found:
        raise unknown("template")
    return versions_view(key, found)


@templates.route("/<template>", methods=["PUT"])
@templates.doc(**takes("Template"))
@templates.response(200, WrittenDocument, headers=ETAG)
@templates.alt_response(201, schema=WrittenDocument, description="Created", success=True, headers=ETAG)
def put(collaboration: str, template: str) -> Any:
    """A template of the caller's partner. A change of text, dialect or parameters begins without approvals."""
    body = {"partner": principal().partner, **document_body()}
    address = {"name": template, "collaboration": collaboration}
    value = read_document("Template", body, partner=principal().partner, address=address)
    assert isinstance(value, Template)
    with home().database.begin() as transaction:
        policy = _policy(collaboration)
        before = _standing(value, policy)
        require(check_template(replace(value, approvals=frozenset()), policy))
        approvals = _approvals(value, before, policy)
        require(_sent_approvals(value, approvals))
        return _put(transaction, replace(value, approvals=approvals))


@templates.route("/<template>:rollback", methods=["POST"])
@templates.arguments(RollbackBody)
@templates.response(200, WrittenDocument, headers=ETAG)
@templates.alt_response(201, schema=WrittenDocument, description="It holds again", success=True, headers=ETAG)
def rollback(body: dict[str, Any], collaboration: str, template: str) -> Any:
    """What an earlier version of the caller's partner's template said is a new version. It brings no approval back: those
    that stand for the same text now stay."""
    with home().database.begin() as transaction:
        policy, key = _policy(collaboration), _template_key(collaboration, template)
        standing = policy.templates.get(TemplateName(template))
        _require_own(standing)
        value = _as_template(_written(key, body["version"], policy))
        value = value.agreed_as(standing)
        require(check_template(replace(value, approvals=frozenset()), policy))
        return _put(transaction, value, rolled_back_to=body["version"])


@templates.route("/<template>", methods=["DELETE"])
@templates.doc(parameters=MATCH)
@templates.response(204)
def delete(collaboration: str, template: str) -> None:
    """The caller's partner's template is asked no more."""
    with home().database.begin() as transaction:
        policy = _policy(collaboration)
        value = _template(template, policy)
        _require_own(value)
        require_unmoved(_version(value, policy))
        home().drawers.policies.remove(transaction, key_of(value), author=principal(), at=home().clock.now())


@templates.route("/<template>:approve", methods=["POST"])
@templates.arguments(ApprovalBody)
@templates.response(200, TemplateSchema)
def approve(body: dict[str, Any], collaboration: str, template: str) -> dict[str, Any]:
    """The caller's partner agrees to exactly this version. 409, template.moved, where another one is current."""
    with home().database.begin() as transaction:
        policy = _policy(collaboration)
        value = _template(template, policy)
        if principal().partner not in _owners(value, policy):
            raise NotPermitted("Your partner owns no dataset that this template reads.")
        if body["version"] != _version(value, policy):
            raise Conflict("Another version of the template is current; read it first.", "template.moved")
        _write(transaction, replace(value, approvals=value.approvals | {principal().partner}), approved=True)
    return _now(collaboration, template)


@templates.route("/<template>:withdraw-approval", methods=["POST"])
@templates.response(200, TemplateSchema)
def withdraw(collaboration: str, template: str) -> dict[str, Any]:
    """The caller's partner agrees no longer: from the next query on, the template is not approved."""
    with home().database.begin() as transaction:
        policy = _policy(collaboration)
        value = _template(template, policy)
        mine = principal().partner
        if mine not in value.approvals and mine not in _owners(value, policy):
            raise NotPermitted("Your partner owns no dataset that this template reads.")
        _write(transaction, replace(value, approvals=value.approvals - {mine}), approved=False)
    return _now(collaboration, template)


def _now(collaboration: str, template: str) -> dict[str, Any]:
    """The template as it is now."""
    policy = _policy(collaboration)
    value = _template(template, policy)
    return _view(value, policy, _version(value, policy))


def _policy(collaboration: str) -> Policy:
    policy = home().drawers.policies.policy(CollaborationName(collaboration))
    if policy is None:
        raise unknown("collaboration")
    return policy


def _template(name: str, policy: Policy) -> Template:
    found = policy.templates.get(TemplateName(name))
    if found is None:
        raise unknown("template")
    return found


def _template_key(collaboration: str, template: str) -> DocumentKey:
    return DocumentKey("template", f"{collaboration}/{template}")


def _whose(key: DocumentKey, policy: Policy) -> PartnerName:
    """Whose versions of the name are shown: of a template that holds, its partner's; else the caller's partner's own."""
    standing = next((t for t in policy.templates.values() if key_of(t) == key), None)
    return principal().partner if standing is None else standing.partner


def _written(key: DocumentKey, version: int, policy: Policy) -> DocumentVersion:
    found = home().drawers.history.at(key, version, _whose(key, policy))
    if found is None:
        raise unknown(key.kind)
    return found


def _as_template(found: DocumentVersion) -> Template:
    assert isinstance(found.value, Template)
    return found.value


def _require_own(standing: Template | None) -> None:
    """The template is the caller's partner's, if there is one. NotPermitted: every member may see it."""
    if standing is not None and standing.partner != principal().partner:
        raise NotPermitted("This template is another member's.")


def _standing(value: Template, policy: Policy) -> Template | None:
    """The partner's own template of that name, if there is one. Conflict where it is another member's."""
    standing = policy.templates.get(value.name)
    if standing is not None and standing.partner != value.partner:
        raise Conflict("Another member has a template of this name.", "template.taken")
    return standing


def _owners(value: Template, policy: Policy) -> frozenset[PartnerName]:
    return frozenset(owner_of(name) for name in template_datasets(value, policy))


def _approvals(value: Template, before: Template | None, policy: Policy) -> frozenset[PartnerName]:
    """Those that stand: all of an unchanged text, of a new one that of a writer who could approve it."""
    if before is not None and before.asks_the_same(value):
        return before.approvals
    mine, roles = value.partner, principal().roles_in(value.collaboration)
    return frozenset({mine}) if mine in _owners(value, policy) and roles & _APPROVING else frozenset()


def _sent_approvals(value: Template, approvals: frozenset[PartnerName]) -> tuple[Problem, ...]:
    """Nobody writes an approval that is not there: each owner approves by itself."""
    if value.approvals - (approvals & {value.partner}):
        hint = "leave the key out; each owner approves by :approve"
        return (Problem("policy.not_permitted", "`approvals` are not written here", field="approvals", hint=hint),)
    return ()


def _put(
    transaction: Any, value: Template, rolled_back_to: int | None = None
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """What became of it, the status and the ETag, where nobody moved the template meanwhile."""
    require_unmoved(home().drawers.policies.current_number(transaction, key_of(value)))
    return make_current(transaction, value, rolled_back_to=rolled_back_to)


def _write(transaction: Any, value: Template, *, approved: bool) -> None:
    kind = EventKind.TEMPLATE_APPROVED if approved else EventKind.TEMPLATE_APPROVAL_WITHDRAWN
    home().drawers.policies.put(transaction, value, author=principal(), at=home().clock.now(), kind=kind)


def _version(value: Template, policy: Policy) -> int:
    return policy.versions[str(key_of(value))]


def _view(value: Template, policy: Policy, version: int) -> dict[str, Any]:
    """The template as every member sees it."""
    datasets = template_datasets(value, policy)
    owners = {owner_of(name) for name in datasets}
    return {
        "name": value.name,
        "collaboration": value.collaboration,
        "partner": value.partner,
        "version": version,
        "description": value.description,
        "sql": value.sql,
        "dialect": value.dialect,
        "parameters": write_parameters(value),
        "datasets": list(datasets),
        "approvals": sorted(value.approvals & owners),
        "missing_approvals": sorted(owners - value.approvals),
    }
