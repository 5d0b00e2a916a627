"""JSON Web Tokens of an identity provider, as grants."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from broker.access.grant import ACTIONS, Grant
from broker.access.jwt_keys import JwtKey, read_keys
from broker.config.config import JwtConfig
from broker.errors import ClientError
from broker.text.plain_text import one_line

_MAX_NAME: Final = 100


class Expired(ClientError):
    """The token was valid once."""

    def __init__(self) -> None:
        super().__init__(401, "this token has expired; get a new one")


class _Claims(msgspec.Struct):
    """The claim `raytap`. What is left out allows nothing."""

    clusters: list[str] = []
    jobs: list[str] = []
    actions: list[str] = []


class JwtTokens:
    """Checks them with the configured keys and one algorithm: a token says which of the keys it is
    (`kid`), and nothing else that it says of its own is asked.

    Raises `ConfigError` for a key file that does not fit.
    """

    def __init__(self, config: JwtConfig) -> None:
        self._config = config
        self._keys = read_keys(config)
        self.origins = frozenset(key.origin for key in self._keys)  # of the grants that it gives
        import jwt  # 60 ms, with what it loads of cryptography

        self._jwt = jwt.PyJWT({"require": ["exp"], "verify_aud": bool(config.audience)})
        self._kid_of = jwt.get_unverified_header
        self._invalid = jwt.PyJWTError
        self._other_key = jwt.InvalidSignatureError
        self._expired = jwt.ExpiredSignatureError

    def grant(self, token: str) -> Grant:
        """What the token opens, at this moment. Raises `ClientError` 401."""
        try:
            for key in self._candidates(str(self._kid_of(token).get("kid", ""))):
                try:
                    return self._grant(token, key)
                except self._other_key:
                    continue
        except self._expired:
            raise Expired from None
        except (self._invalid, msgspec.ValidationError, ValueError, TypeError, OverflowError):
            raise ClientError(401, "this token is not known here") from None
        raise ClientError(401, "this token is not known here")

    def _candidates(self, kid: str) -> list[JwtKey]:
        """The keys of that name; where there is none, those without a name, which may be it."""
        if not kid:
            return self._keys
        named = [key for key in self._keys if key.kid == kid]
        return named or [key for key in self._keys if not key.kid]

    def _grant(self, token: str, key: JwtKey) -> Grant:
        config = self._config
        claims: dict[str, Any] = self._jwt.decode(
            token,
            key.key,
            algorithms=[config.algorithm],
            issuer=config.issuer or None,
            audience=config.audience or None,
            leeway=config.leeway,
        )
        opened = msgspec.convert(claims.get("raytap", {}), _Claims)
        return Grant(
            one_line(str(claims.get("sub", "")), _MAX_NAME),
            tuple(opened.clusters),
            tuple(opened.jobs),
            frozenset(action for action in ACTIONS if action in opened.actions),
            float(claims["exp"]) + config.leeway,
            key.origin,
        )
