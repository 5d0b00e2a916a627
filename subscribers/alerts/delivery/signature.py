"""The signature of a webhook: who has the secret can tell that we sent it, and when. Pure.

X-Raytap-Timestamp: 1763700000
X-Raytap-Signature: sha256=HEX of HMAC-SHA256(secret, timestamp + "." + body)
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

TIMESTAMP: Final = "X-Raytap-Timestamp"
SIGNATURE: Final = "X-Raytap-Signature"
TOLERANCE_S: Final = 300.0


def signed(secret: bytes, body: bytes, now: float) -> dict[str, str]:
    """The two headers for a body that is sent at `now`, unix seconds."""
    timestamp = str(int(now))
    return {TIMESTAMP: timestamp, SIGNATURE: _signature(secret, timestamp, body)}


def verify(
    secret: bytes,
    timestamp: str,
    signature: str,
    body: bytes,
    now: float,
    tolerance: float = TOLERANCE_S,
) -> bool:
    """Whether the body is ours and not older (nor newer) than `tolerance` seconds."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    fresh = abs(now - int(timestamp)) <= tolerance
    expected = _signature(secret, timestamp, body).encode()
    return hmac.compare_digest(expected, signature.encode("utf-8", "replace")) and fresh


def _signature(secret: bytes, timestamp: str, body: bytes) -> str:
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"
