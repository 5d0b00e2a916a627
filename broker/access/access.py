"""Who a token is."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from broker.access.attempts import LIMIT, Attempts
from broker.access.grant import ANYONE, Grant
from broker.access.jwt_tokens import JwtTokens
from broker.access.token import hash_token
from broker.config import AccessConfig
from broker.errors import ClientError
from broker.events import get_logger

events: Final = get_logger("access")

_MAX_TOKEN: Final = 8192  # characters


class Access:
    """The tokens of `[access]`: raytap's own, and JWTs. Any thread. `of` builds one."""

    def __init__(
        self, grants: Mapping[str, Grant], jwt: JwtTokens | None, clock: Callable[[], float]
    ) -> None:
        self._grants = grants  # by the token's hash
        self._jwt = jwt
        self._clock = clock
        self._attempts = Attempts()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, config: AccessConfig, clock: Callable[[], float] = time.time) -> Access:
        """What the configuration says. Reads the key file; raises `ConfigError`. `clock`: unix
        seconds, for the pause after many wrong tokens."""
        grants = {
            token.hash: Grant(
                name, tuple(token.clusters), tuple(token.jobs), frozenset(token.actions)
            )
            for name, token in config.token.items()
        }
        return cls(grants, JwtTokens(config.jwt) if config.jwt.key_file else None, clock)

    @property
    def required(self) -> bool:
        """Whether a request needs a token; where not, everyone is `ANYONE`."""
        return bool(self._grants) or self._jwt is not None

    def authenticate(self, token: str, address: str = "") -> Grant:
        """What the token opens. Raises `ClientError`: 401 it is unknown or has expired, 429 too
        many wrong ones came from the address; then this one is not even looked at."""
        digest = hash_token(token)
        with self._lock:
            if wait := self._attempts.shut_for(address, digest, self._clock()):
                raise ClientError(
                    429, f"too many wrong tokens from this address; ask again in {wait:.0f} s"
                )
        try:
            grant = self._found(token, digest)
        except ClientError:
            with self._lock:
                times = self._attempts.wrong(address, self._clock())
            if times in (1, LIMIT):  # not one a guess, or the log is the next thing to fill
                events.warning("token_refused", address=address, times=times)
            raise
        with self._lock:
            self._attempts.right(address, digest)
        return grant

    def of_headers(self, headers: Mapping[str, str], address: str = "") -> Grant:
        """The grant of `Authorization: Bearer …`; `ANYONE` where no token is required. The names
        of `headers` are lower-case, or their case does not matter.

        Raises `ClientError`: 401 there is none, or none that is known; 429 as `authenticate`.
        """
        if not self.required:
            return ANYONE
        scheme, _, token = headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise ClientError(
                401, "a token is needed: Authorization: Bearer …; `raytap token new` makes one"
            )
        return self.authenticate(token.strip(), address)

    def _found(self, token: str, digest: str) -> Grant:
        found: Grant | None = None
        for known, grant in self._grants.items():  # all of them, each in constant time
            if hmac.compare_digest(known, digest):
                found = grant
        if found is not None:
            return found
        if self._jwt is not None and token.count(".") == 2 and len(token) <= _MAX_TOKEN:
            return self._jwt.grant(token)
        raise ClientError(401, "this token is not known here")
