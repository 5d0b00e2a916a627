"""Who a token is."""

from __future__ import annotations

import hmac
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from broker.access.attempts import LIMIT, Attempts
from broker.access.grant import ANYONE, Grant
from broker.access.jwt_tokens import Expired, JwtTokens
from broker.access.token import hash_token
from broker.config.config import AccessConfig
from broker.errors import ClientError, ConfigError
from broker.events import get_logger

events: Final = get_logger("access")

_MAX_TOKEN: Final = 8192  # characters


class TooManyWrong(ClientError):
    """An address was wrong too often. `retry_after`: seconds."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = math.ceil(retry_after)
        said = f"too many wrong tokens from this address; ask again in {self.retry_after} s"
        super().__init__(429, said)


class _Known(NamedTuple):
    """What one reading of the configuration lets in."""

    grants: Mapping[str, Grant]  # by the token's hash
    jwt: JwtTokens | None

    @property
    def required(self) -> bool:
        return bool(self.grants) or self.jwt is not None


class Access:
    """The tokens of `[access]`: raytap's own, and JWTs. Any thread. `of` builds one."""

    def __init__(
        self, grants: Mapping[str, Grant], jwt: JwtTokens | None, clock: Callable[[], float]
    ) -> None:
        self._known = _Known(grants, jwt)
        self._clock = clock
        self._attempts = Attempts()
        self._lock = threading.Lock()

    @classmethod
    def of(cls, config: AccessConfig, clock: Callable[[], float] = time.time) -> Access:
        """What the configuration says. Reads the key file; raises `ConfigError`. `clock`: unix
        seconds, for the pause after many wrong tokens."""
        return cls(*_read(config), clock)

    @property
    def required(self) -> bool:
        """Whether a request needs a token; where not, everyone is `ANYONE`."""
        return self._known.required

    def reload(self, config: AccessConfig) -> None:
        """From now on what this configuration says. Raises `ConfigError`, and nothing has changed:
        a key file is wrong, or permissions would be switched on or off, which a start does."""
        known = _read(config)
        if self.required and not known.required:
            raise ConfigError("access: holds no token and no key; only a start opens all to all")
        if known.required and not self.required:
            raise ConfigError("access: asks for tokens; only a start begins to")
        self._known = known

    def holds(self, grant: Grant) -> bool:
        """Whether the token of a grant that was given is still let in, and opens the same."""
        known = self._known
        if not known.required:
            return True
        return known.grants.get(grant.origin) == grant or (
            known.jwt is not None and grant.origin in known.jwt.origins
        )

    def authenticate(self, token: str, address: str = "") -> Grant:
        """What the token opens. Raises `ClientError`: 401 it is unknown or has expired, 429 it is
        unknown, and so were many others that came from the address."""
        try:
            return self._found(token)
        except Expired:  # it was right once: nobody is guessing
            raise
        except ClientError:
            with self._lock:
                times, left = self._attempts.wrong(address, self._clock())
            if times in (1, LIMIT):  # not one a guess, or the log is the next thing to fill
                events.warning("token_refused", address=address, times=times)
            if times > LIMIT:
                raise TooManyWrong(left) from None
            raise

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

    def _found(self, token: str) -> Grant:
        known, digest = self._known, hash_token(token)
        found: Grant | None = None
        for one, grant in known.grants.items():  # all of them, each in constant time
            if hmac.compare_digest(one, digest):
                found = grant
        if found is not None:
            return found
        if known.jwt is not None and token.count(".") == 2 and len(token) <= _MAX_TOKEN:
            return known.jwt.grant(token)
        raise ClientError(401, "this token is not known here")


def _read(config: AccessConfig) -> _Known:
    grants = {
        token.hash: Grant(
            name,
            tuple(token.clusters),
            tuple(token.jobs),
            frozenset(token.actions),
            origin=token.hash,
        )
        for name, token in config.token.items()
    }
    return _Known(grants, JwtTokens(config.jwt) if config.jwt.key_file else None)
