"""A connection's secret reference → the secret. A partner's reference reaches only what is that partner's alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import assert_never

from cleanroom.domain.errors import SourceError
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import Connection
from cleanroom.domain.secret_names import EnvironmentSecret, StoredSecret, is_named_for, parse_reference, rivals


def resolve_secret(
    connection: Connection,
    environment: Mapping[str, str],
    stored: Callable[[PartnerName, str], str | None],
    partners: Collection[PartnerName],
) -> str | None:
    """The connection's secret, or None where the connection names none.

    `environment`: names to values. `stored`: a partner's secret of that name. `partners`: all that the operator knows.
    SourceError "source.secret_missing": the reference has another form, the name is another partner's, or there is no such
    secret; the three look the same.
    """
    if connection.secret is None:
        return None
    match parse_reference(connection.secret):
        case EnvironmentSecret(name):
            secret = environment.get(name) if _is_own(name, connection.partner, partners) else None
        case StoredSecret(name):
            secret = stored(connection.partner, name)
        case None:
            secret = None
        case _ as never:
            assert_never(never)
    if not secret:
        raise SourceError("The secret of a connection is not there.", "source.secret_missing")
    return secret


def _is_own(name: str, partner: PartnerName, partners: Collection[PartnerName]) -> bool:
    return is_named_for(name, partner) and not rivals(name, partner, partners)
