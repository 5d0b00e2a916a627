"""The key that JSON Web Tokens are checked with: read from its file, of the right kind, strong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from broker.config import JwtConfig
from broker.errors import ConfigError
from broker.plain_text import one_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_SECRET_BYTES: Final = 32  # of HS256, as RFC 7518 asks
_RSA_BITS: Final = 2048
_MAX_BYTES: Final = 64 * 1024
_PEM: Final = b"-----BEGIN "


def read_key(config: JwtConfig) -> bytes | PublicKeyTypes:
    """The secret (HS256), or the public key. Raises `ConfigError` where the file cannot be read
    or does not hold such a key; never with anything of what it holds."""
    try:
        with Path(config.key_file).expanduser().open("rb") as file:
            data = file.read(_MAX_BYTES)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _refused(config, f"cannot be read: {reason}") from None
    return _secret(config, data) if config.algorithm == "HS256" else _public_key(config, data)


def _secret(config: JwtConfig, data: bytes) -> bytes:
    # A text file's last line end is the editor's; random bytes are taken as they are.
    secret = data.rstrip(b"\r\n") if data.isascii() else data
    if secret.lstrip().startswith(_PEM):  # a public key is known to all: they could sign with it
        raise _refused(config, "holds a key in PEM; HS256 takes a secret: openssl rand -hex 32")
    if len(secret) < _SECRET_BYTES:
        raise _refused(
            config,
            f"holds {len(secret)} bytes; a secret for HS256 has at least {_SECRET_BYTES}, "
            "such as openssl rand -hex 32 makes",
        )
    return secret


def _public_key(config: JwtConfig, data: bytes) -> PublicKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY-----" in data:
        raise _refused(config, "holds a private key; raytap needs, and should have, the public one")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise _refused(
            config, f"holds no public key (PEM, -----BEGIN PUBLIC KEY-----) for {config.algorithm}"
        ) from None
    if config.algorithm == "RS256":
        if not isinstance(key, RSAPublicKey):
            raise _refused(config, "holds no RSA key, which RS256 is checked with")
        if key.key_size < _RSA_BITS:
            raise _refused(config, f"holds an RSA key of {key.key_size} bits; {_RSA_BITS} or more")
    elif not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise _refused(config, "holds no key on the curve P-256, which ES256 is checked with")
    return key


def _refused(config: JwtConfig, message: str) -> ConfigError:
    return ConfigError(one_line(f"access.jwt.key_file: {config.key_file} {message}", 1000))
