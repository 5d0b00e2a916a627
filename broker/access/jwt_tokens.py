"""JSON Web Tokens of an identity provider, as grants."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from broker.access.grant import ACTIONS, Grant
from broker.access.jwt_key import read_key
from broker.config import JwtConfig
from broker.errors import ClientError
from broker.plain_text import one_line

_MAX_NAME: Final = 100


class _Claims(msgspec.Struct):
    """The claim `raytap`. What is left out allows nothing."""

    clusters: list[str] = []
    jobs: list[str] = []
    actions: list[str] = []


class JwtTokens:
    """Checks them with one key and one algorithm: what a token says of its own is not asked.

    Raises `ConfigError` for a key file that does not fit.
    """

    def __init__(self, config: JwtConfig) -> None:
        self._config = config
        self._key: Any = read_key(config)
        import jwt  # 60 ms, with what it loads of cryptography

        self._jwt = jwt.PyJWT({"require": ["exp"], "verify_aud": bool(config.audience)})
        self._invalid = jwt.PyJWTError
        self._expired = jwt.ExpiredSignatureError

    def grant(self, token: str) -> Grant:
        """What the token opens, at this moment. Raises `ClientError` 401."""
        config = self._config
        try:
            claims = self._jwt.decode(
                token,
                self._key,
                algorithms=[config.algorithm],
                issuer=config.issuer or None,
                audience=config.audience or None,
                leeway=config.leeway,
            )
            opened = msgspec.convert(claims.get("raytap", {}), _Claims)
            expires = float(claims["exp"])
        except self._expired:
            raise ClientError(401, "this token has expired; get a new one") from None
        except (self._invalid, msgspec.ValidationError, ValueError, TypeError, OverflowError):
            raise ClientError(401, "this token is not known here") from None
        return Grant(
            one_line(str(claims.get("sub", "")), _MAX_NAME),
            tuple(opened.clusters),
            tuple(opened.jobs),
            frozenset(action for action in ACTIONS if action in opened.actions),
            expires + config.leeway,
        )
