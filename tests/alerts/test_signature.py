"""The signature of a webhook."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from subscribers.alerts.delivery.signature import signed, verify

SECRET, BODY, NOW = b"s3cret", b'{"version":"4"}', 1_763_700_000.9


def test_the_signature_is_the_hmac_of_timestamp_dot_body() -> None:
    expected = hmac.new(SECRET, b"1763700000." + BODY, hashlib.sha256).hexdigest()
    assert signed(SECRET, BODY, NOW) == {
        "X-Raytap-Timestamp": "1763700000",
        "X-Raytap-Signature": f"sha256={expected}",
    }


def test_what_was_signed_is_verified() -> None:
    timestamp, signature = signed(SECRET, BODY, NOW).values()
    assert verify(SECRET, timestamp, signature, BODY, NOW + 100)


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "later"),
    [
        (b"other", "1763700000", BODY, 0),
        (SECRET, "1763700001", BODY, 0),
        (SECRET, "1763700000", BODY + b" ", 0),
        (SECRET, "1763700000", BODY, 301),  # replayed
        (SECRET, "1763700000", BODY, -302),
        (SECRET, "١٢٣", BODY, 0),
        (SECRET, "", BODY, 0),
    ],
)
def test_what_was_changed_or_is_old_is_not(
    secret: bytes, timestamp: str, body: bytes, later: float
) -> None:
    _, signature = signed(SECRET, BODY, NOW).values()
    assert not verify(secret, timestamp, signature, body, NOW + later)
    assert not verify(secret, timestamp, "sha256=ü", body, NOW + later)
