"""The keys that JSON Web Tokens are checked with: read from their file, of the right kind, strong.

A file holds one secret (HS256), one public key in PEM or several after each other, or a JSON Web
Key Set.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

from broker.config.config import JwtConfig
from broker.errors import ConfigError
from broker.text.plain_text import one_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    Key: TypeAlias = bytes | RSAPublicKey | EllipticCurvePublicKey

MOST_KEYS: Final = 16
"""Each costs a token that names none of them a check."""

_SECRET_BYTES: Final = 32  # of HS256, as RFC 7518 asks
_RSA_BITS: Final = 2048
_MAX_BYTES: Final = 64 * 1024
_PEM: Final = b"-----BEGIN "
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_OF_ALGORITHM: Final = {"RS256": "RSA", "ES256": "EC", "HS256": "oct"}


class JwtKey(NamedTuple):
    """`kid`: its name in the set, "" for none; `origin`: of the grants that it gives."""

    key: Key
    kid: str
    origin: str


class _KeySet(msgspec.Struct):
    """RFC 7517."""

    keys: list[dict[str, Any]]


def read_keys(config: JwtConfig) -> list[JwtKey]:
    """At least one. Raises `ConfigError` where the file cannot be read or does not hold such keys;
    never with anything of what it holds."""
    try:
        with Path(config.key_file).expanduser().open("rb") as file:
            data = file.read(_MAX_BYTES)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _refused(config, f"cannot be read: {reason}") from None
    if (found := _key_set(data)) is not None:
        keys = list(_of_set(config, found))
        if not keys:
            raise _refused(config, f"is a key set without a key for {config.algorithm}")
    elif config.algorithm == "HS256":
        # A text file's last line end is the editor's; random bytes are taken as they are.
        secret = data.rstrip(b"\r\n") if data.isascii() else data
        keys = [_named(config, _strong(config, secret))]
    else:
        keys = [_named(config, _public_key(config, block)) for block in _blocks(config, data)]
    if len(keys) > MOST_KEYS:
        raise _refused(config, f"holds {len(keys)} keys; {MOST_KEYS} are the most")
    return keys


def _key_set(data: bytes) -> _KeySet | None:
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        return msgspec.json.decode(data, type=_KeySet)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None  # a secret may begin so


def _of_set(config: JwtConfig, found: _KeySet) -> Iterator[JwtKey]:
    """Those that are for the algorithm: providers publish others beside them."""
    import jwt

    for one in found.keys:
        if (
            one.get("kty") != _OF_ALGORITHM[config.algorithm]
            or one.get("use", "sig") != "sig"
            or one.get("alg", config.algorithm) != config.algorithm
            or one.get("crv", "P-256") != "P-256"
        ):
            continue
        if "d" in one:
            raise _private(config)
        try:
            key = jwt.PyJWK(one, config.algorithm).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            raise _refused(config, "holds a key that cannot be read") from None
        checked = _strong(config, key) if isinstance(key, bytes) else _checked(config, key)
        yield _named(config, checked, str(one.get("kid", "")))


def _named(config: JwtConfig, key: Key, kid: str = "") -> JwtKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if isinstance(key, bytes):
        material = key
    else:
        material = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    checks = msgspec.json.encode([config.algorithm, config.issuer, config.audience])
    return JwtKey(key, kid, "jwt:" + hashlib.sha256(checks + material).hexdigest())


def _strong(config: JwtConfig, secret: bytes) -> bytes:
    if secret.lstrip().startswith(_PEM):  # a public key is known to all: they could sign with it
        raise _refused(config, "holds a key in PEM; HS256 takes a secret: openssl rand -hex 32")
    if len(secret) < _SECRET_BYTES:
        raise _refused(
            config,
            f"holds {len(secret)} bytes; a secret for HS256 has at least {_SECRET_BYTES}, "
            "such as openssl rand -hex 32 makes",
        )
    return secret


def _blocks(config: JwtConfig, data: bytes) -> list[bytes]:
    """Each key in PEM, none of them cut short."""
    if b"PRIVATE KEY-----" in data:
        raise _private(config)
    blocks = [match[0] for match in _BLOCK.finditer(data)]
    if not blocks or len(blocks) != data.count(_PEM):
        raise _no_public_key(config)
    return blocks


def _public_key(config: JwtConfig, block: bytes) -> Key:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise _no_public_key(config) from None
    return _checked(config, key)


def _checked(config: JwtConfig, key: object) -> Key:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if config.algorithm == "RS256":
        if not isinstance(key, RSAPublicKey):
            raise _refused(config, "holds no RSA key, which RS256 is checked with")
        if key.key_size < _RSA_BITS:
            raise _refused(config, f"holds an RSA key of {key.key_size} bits; {_RSA_BITS} or more")
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise _refused(config, "holds no key on the curve P-256, which ES256 is checked with")


def _no_public_key(config: JwtConfig) -> ConfigError:
    said = f"holds no public key (PEM, -----BEGIN PUBLIC KEY-----) for {config.algorithm}"
    return _refused(config, said)


def _private(config: JwtConfig) -> ConfigError:
    message = "holds a private key; raytap needs, and should have, the public one"
    return _refused(config, message)


def _refused(config: JwtConfig, message: str) -> ConfigError:
    return ConfigError(one_line(f"access.jwt.key_file: {config.key_file} {message}", 1000))
