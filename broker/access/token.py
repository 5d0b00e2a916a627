"""raytap's own tokens. Pure but for the randomness of `new_token`.

A token is 43 random letters and digits, 256 bits. A slow hash with a salt is for passwords, which
people choose and others can guess; nobody guesses one of 2^256, so sha256 keeps it as safe, and
each request is checked in a microsecond.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from typing import Final

PREFIX: Final = "raytap_"
"""Found by redaction rules and by scanners of repositories."""

OWN_NAME: Final = "raytap-serve"
"""Of the token that `raytap serve` makes for what it starts; nobody else's."""

HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_ALPHABET: Final = string.ascii_letters + string.digits
_LENGTH: Final = 43  # 62^43 > 2^256


def new_token() -> str:
    """A token nobody has seen before."""
    return PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def hash_token(token: str) -> str:
    """What the configuration keeps of it: `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
