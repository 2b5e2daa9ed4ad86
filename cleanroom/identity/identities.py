"""A JWT → the credential of one partner's principal. What the token says of a partner counts for nothing: its issuer decides."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cleanroom.domain.people import Credential, Issuer, principal_id
from cleanroom.domain.ports import Clock
from cleanroom.domain.query import Principal
from cleanroom.identity.claims import glance, unknown, verify
from cleanroom.identity.keys import IssuerKeys


class Identities:
    """Who holds a JWT. `trusted`: an issuer's URL → what the operator configured for it, None where nothing."""

    def __init__(
        self,
        trusted: Callable[[str], Issuer | None],
        clock: Clock,
        keys: Callable[[str], IssuerKeys] = IssuerKeys,
    ) -> None:
        self._trusted = trusted
        self._clock = clock
        self._make_keys = keys
        self._keys: dict[str, IssuerKeys] = {}
        self._lock = threading.Lock()

    def authenticate(self, text: str) -> Credential:
        """Principal "<partner>/oidc:<sub>" of the partner that the issuer speaks for, with what its roles are mapped to.

        NotAuthenticated "auth.token_unknown" or, where the signature holds, "auth.token_expired"; OperationError
        "auth.issuer_unavailable".
        """
        said = glance(text)
        issuer = self._trusted(said.issuer)
        key = None if issuer is None else self._keys_of(issuer.url).find(said.kid)
        if issuer is None or key is None:
            raise unknown()
        found = verify(text, key, issuer, self._clock.now())
        name = principal_id(issuer.partner, f"oidc:{found.subject}")
        return Credential(Principal(name, issuer.partner, found.grants), found.expires_at)

    def _keys_of(self, url: str) -> IssuerKeys:
        with self._lock:
            if url not in self._keys:
                self._keys[url] = self._make_keys(url)
            return self._keys[url]
