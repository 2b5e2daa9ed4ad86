"""The log, its checkpoints and proofs."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields


class AuditEvent(ma.Schema):
    """One entry of the log. `canonical` is the exact text whose hash is the leaf."""

    number = fields.Integer(required=True)
    kind = fields.String(required=True)
    at = fields.String(required=True, metadata={"format": "date-time"})
    canonical = fields.String(required=True)


class AuditPage(ma.Schema):
    events = fields.List(fields.Nested(AuditEvent), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class CheckpointSchema(ma.Schema):
    checkpoint = fields.String(required=True)
    key = fields.String(required=True)


class ProofSchema(ma.Schema):
    """An inclusion proof: `hashes` lead from `leaf`, the hash of `canonical`, to the root of `checkpoint`."""

    number = fields.Integer(required=True)
    canonical = fields.String(required=True)
    leaf = fields.String(required=True)
    hashes = fields.List(fields.String(), required=True)
    checkpoint = fields.String(required=True)
