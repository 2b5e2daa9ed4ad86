"""The tables. Portable SQL alone; `migrations/` leads a database here, and a test holds the two together."""

from __future__ import annotations

import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """An aware moment, kept as UTC without a zone: SQLite has none to keep, and text then sorts as time does."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, _dialect: Dialect) -> datetime.datetime | None:
        return None if value is None else value.astimezone(datetime.UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime.datetime | None, _dialect: Dialect) -> datetime.datetime | None:
        return None if value is None else value.replace(tzinfo=datetime.UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

log_head = Table(
    "log_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1: whoever appends holds it
    Column("public_key", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # 32 bytes a hash, the largest subtree first
    Column("checkpoint", LargeBinary, nullable=False),
)

log_entry = Table(
    "log_entry",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("canonical", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),  # over the checkpoint that the entry completed
    Column("collaboration", String(63)),
    Index(None, "collaboration", "number"),
)

log_node = Table(
    "log_node",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)

log_sight = Table(
    "log_sight",
    metadata,
    Column("partner", String(63), primary_key=True),
    Column("number", BigInteger, ForeignKey("log_entry.number"), primary_key=True),
    Column("collaboration", String(63)),  # of the event, a query's too
)

document = Table(
    "document",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("partner", String(63)),  # whose it is; none for a collaboration
    Column("collaboration", String(63)),  # a rule's or a template's
    Column("dataset", String(191)),  # a rule's
    Column("body", Text, nullable=False),  # JSON
    Column("salt", String(32)),  # of the digest; none of what an earlier version wrote
    Column("digest", String(71), nullable=False),
    Column("author", String(191)),  # a principal's id; none for the operator
    Column("written_at", UtcDateTime, nullable=False),
)

document_current = Table(
    "document_current",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("version", Integer, nullable=False),
    ForeignKeyConstraint(["kind", "name", "version"], ["document.kind", "document.name", "document.version"]),
)

admitted_root = Table(
    "admitted_root",
    metadata,
    Column("partner", String(63), primary_key=True),
    Column("root", String(1024), primary_key=True),
    Column("admitted_at", UtcDateTime, nullable=False),
)

queries = Table(
    "query",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("position", BigInteger, ForeignKey("log_entry.number"), nullable=False, unique=True),  # of its first event
    Column("collaboration", String(63), nullable=False),
    Column("partner", String(63), nullable=False),
    Column("principal", String(191), nullable=False),
    Column("roles", JSON, nullable=False),
    Column("sql", Text, nullable=False),
    Column("dialect", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("datasets", JSON, nullable=False),
    Column("receivers", JSON, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("failure", String(64)),
    Column("row_count", BigInteger),
    Column("cancel_requested", Boolean, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("lease_holder", String(191)),
    Column("lease_until", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("notices", JSON, nullable=False, server_default="[]"),
    Column("expires_at", UtcDateTime),
    Column("parameters", JSON, nullable=False, server_default="{}"),
    Column("template", String(63)),
    Index(None, "state", "partner", "position"),
    Index(None, "state", "expires_at"),
    Index(None, "collaboration", "position"),
)

query_sight = Table(
    "query_sight",
    metadata,
    Column("partner", String(63), primary_key=True),
    Column("query", String(64), ForeignKey("query.id"), primary_key=True),
    Column("relation", String(8), primary_key=True),  # runner | owner | receiver
    Column("position", BigInteger, nullable=False),  # of the query: what a partner sees is read in this order
    Index(None, "partner", "position"),
)

result = Table(
    "result",
    metadata,
    Column("query", String(64), ForeignKey("query.id"), primary_key=True),
    Column("key_id", String(16), nullable=False),  # of the master key that wraps the data key
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", String(71), nullable=False),
)

partner = Table(
    "partner",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("title", String(200), nullable=False),
    Column("contact", String(320), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("suspended_at", UtcDateTime),
)

principal = Table(
    "principal",
    metadata,
    Column("id", String(191), primary_key=True),  # "<partner>/<name>"
    Column("partner", String(63), ForeignKey("partner.name"), nullable=False, index=True),
    Column("title", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)

principal_grant = Table(
    "principal_grant",
    metadata,
    Column("principal", String(191), ForeignKey("principal.id"), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column(
        "collaboration", String(63), primary_key=True
    ),  # "": in all that is the partner's; no key column may be null
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("principal", String(191), primary_key=True),
    Column("collaboration", String(63), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("digest", String(71), nullable=False),  # of what was asked under it
    Column("query", String(64), ForeignKey("query.id"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

quota = Table(
    "quota",
    metadata,
    Column("partner", String(63), primary_key=True),  # "*": every partner without a row of its own
    Column("per_minute", Integer, nullable=False),
    Column("most_unfinished", Integer, nullable=False),
    Column("most_running", Integer, nullable=False),
)

recent_request = Table(
    "recent_request",
    metadata,
    Column("partner", String(63), primary_key=True),
    Column("number", BigInteger, ForeignKey("log_entry.number"), primary_key=True),  # of its event
    Column("at", UtcDateTime, nullable=False),
    Index(None, "partner", "at"),
)

turn = Table(
    "turn",
    metadata,
    Column("partner", String(63), primary_key=True),
    Column("number", BigInteger, nullable=False),  # grows with each query that is leased: who was served last has most
)

executor = Table(
    "executor",
    metadata,
    Column("name", String(191), primary_key=True),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

result_chunk = Table(
    "result_chunk",
    metadata,
    Column("query", String(64), ForeignKey("result.query"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),  # from 0
    Column("body", LargeBinary, nullable=False),
)

secret = Table(
    "secret",
    metadata,
    Column("partner", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("author", String(191)),
)

master_key = Table(
    "master_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1: the key that wraps
    Column("key_id", String(16), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

oidc_issuer = Table(
    "oidc_issuer",
    metadata,
    Column("url", String(512), primary_key=True),
    Column("partner", String(63), ForeignKey("partner.name"), nullable=False),
    Column("audience", String(255), nullable=False),
    Column("roles_claim", String(128), nullable=False),
    Column("role_map", JSON, nullable=False),  # [[what the claim says, [role, collaboration or null]], …]
    Column("created_at", UtcDateTime, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("principal", String(191), ForeignKey("principal.id"), nullable=False, index=True),
    Column(
        "scopes", JSON, nullable=False
    ),  # [[role, collaboration or null], …]: what it carries of its principal's grants
    Column("hash", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

change_request = Table(
    "change_request",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("position", BigInteger, ForeignKey("log_entry.number"), nullable=False, unique=True),  # of its first event
    Column("collaboration", String(63), nullable=False),
    Column("kind", String(16), nullable=False),  # invite | set_abilities | remove | describe
    Column("partner", String(63)),  # whom it is about
    Column("abilities", JSON, nullable=False),
    Column("description", Text),
    Column("proposer", String(191), nullable=False),
    Column("proposing_partner", String(63), nullable=False),
    Column("proposed_at", UtcDateTime, nullable=False),
    Column("founding", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("invited_at", UtcDateTime),  # since when the invited partner sees it
    Column("decided_at", UtcDateTime),
    Index(None, "collaboration", "position"),
    Index(None, "partner", "state"),
)

change_vote = Table(
    "change_vote",
    metadata,
    Column("change", String(32), ForeignKey("change_request.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("partner", String(63), nullable=False),
    Column("principal", String(191), nullable=False),
    Column("approves", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("lapsed_at", UtcDateTime),
)
