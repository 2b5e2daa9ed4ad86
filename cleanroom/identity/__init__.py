"""Bearer JWTs of issuers that the operator trusts → who is asking (OpenID Connect Discovery 1.0, RFC 7519, RFC 8725)."""

from cleanroom.identity.identities import Identities
from cleanroom.identity.locations import issuer_problem

__all__ = ["Identities", "issuer_problem"]
