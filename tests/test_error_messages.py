"""Error messages carry no secret, fit on one line, and are at most 200 characters long."""

from __future__ import annotations

import time

import pytest

from broker.error_message import sanitize_error_message

OPAQUE = "3fa85f6457174562b3fc2c963f66afa6x9"


@pytest.mark.parametrize(
    ("message", "secret"),
    [
        ("login failed for 'hunter2'", "hunter2"),
        ('login failed for "hunter2"', "hunter2"),
        ("login failed for `hunter2`", "hunter2"),
        ("bad value b'hunter2'", "hunter2"),
        (r"bad value 'it\'s hunter2'", "hunter2"),
        ("bad value 'it's hunter2'", "hunter2"),
        ("bad value 'hunter2 and no end", "hunter2"),
        ('bad value "hunter2 and no end', "hunter2"),
        ('{"password": "hunter2"}', "hunter2"),
        ("password=hunter2", "hunter2"),
        ("password = hunter2;x", "hunter2"),
        ("PASSWORD: hunter2", "hunter2"),
        ("DB_PASSWD=hunter2 failed", "hunter2"),
        ("api_key=hunter2", "hunter2"),
        ("X-Api-Key: hunter2", "hunter2"),
        ("aws_secret_access_key = hunter2", "hunter2"),
        ("client-secret=hunter2&x=1", "hunter2"),
        ("Cookie: sid=hunter2", "hunter2"),
        ("Authorization: Bearer hunter2", "hunter2"),
        ("authorization: basic aHVudGVyMg==", "aHVudGVyMg"),
        ("sent bearer hunter2, refused", "hunter2"),
        ("token hunter2 was refused", "hunter2"),
        ("the password is hunter2", "hunter2"),
        ("GET http://user:hunter2@ray:8265/x", "hunter2"),
        ("GET http://user:p@hunter2@ray:8265/x", "hunter2"),
        ("redis://:hunter2@cache:6379/0 is down", "hunter2"),
        ("GET /x?access_token=hunter2&page=1", "hunter2"),
        ("GET /x?page=1&sig=hunter2", "hunter2"),
        ("GET /x?X-Amz-Signature=hunter2", "hunter2"),
        ("used AKIAIOSFODNN7EXAMPLE here", "AKIAIOSFODNN7EXAMPLE"),
        ("used ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
        ("used sk-proj-abcdefghijklmnop1234", "abcdefghijklmnop"),
        ("used hf_abcdefghijklmnopqrstuvwx", "abcdefghijkl"),
        ("used xoxb-123456789012-abcdef", "123456789012"),
        ("used eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_g", "eyJhbGci"),
        (f"used {OPAQUE} here", OPAQUE),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEow", "MIIEow"),
        ("pass\x1b[0mword=hunter2", "hunter2"),
        ("AKIA\x00IOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    ],
)
def test_a_secret_is_replaced(message: str, secret: str) -> None:
    sanitized = sanitize_error_message(message, "tail")
    assert secret not in sanitized
    assert "[REDACTED]" in sanitized


@pytest.mark.parametrize(
    "message",
    [
        "Job nope does not exist",
        "Connection refused",
        "can't connect, doesn't answer",
        "the users' list at http://ray:8265/api/jobs/raysubmit_1?lines=100 was cut",
        "[Errno 111] KeyError: status",
        "missing bearer token",
        "5 keys of 10 authors in 20 tokens were read",
    ],
)
def test_a_message_without_secrets_stays_as_it_is(message: str) -> None:
    assert sanitize_error_message(message, "tail") == f"tail: {message}"


def test_the_context_is_checked_for_secrets_as_well() -> None:
    sanitized = sanitize_error_message("cut", "GET http://u:hunter2@ray/?token=hunter3")
    assert "hunter" not in sanitized
    assert sanitized.endswith(": cut")


def test_the_whole_string_has_at_most_200_characters() -> None:
    assert sanitize_error_message("x" * 195, "tail") == "tail: " + "x" * 193 + "…"
    assert sanitize_error_message("x" * 194, "tail") == "tail: " + "x" * 194
    assert len(sanitize_error_message("x", "c" * 500)) == 200


def test_a_secret_across_the_cut_leaves_nothing_of_itself() -> None:
    for before in range(150, 200):
        sanitized = sanitize_error_message("x" * before + " password=hunter2", "tail")
        assert "hunt" not in sanitized


def test_line_ends_and_what_steers_a_terminal_cannot_get_through() -> None:
    sanitized = sanitize_error_message("a\r\nb\tc\x1b[31md\x00e\u2028f\x9bg\u202eh\ud800", "tail")
    assert sanitized.startswith(r"tail: a\r\nb\tcde\u2028f")
    assert sanitized.isprintable()
    sanitized.encode()


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (ValueError("too big"), "tail: too big"),
        (TimeoutError(), "tail: TimeoutError"),
        (Broken(), "tail: Broken"),
        (b"caf\xc3\xa9 \xff", "tail: café \ufffd"),
        (None, "tail: None"),
        (404, "tail: 404"),
    ],
)
def test_anything_can_be_a_message(message: object, expected: str) -> None:
    assert sanitize_error_message(message, "tail") == expected


def test_sanitizing_twice_is_sanitizing_once() -> None:
    once = sanitize_error_message("password='a b' at http://u:p@h/?key=1 token abc123", "tail")
    assert sanitize_error_message(once, "") == once


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "key",
        "' '",
        '"',
        "\\",
        "'a",
        "://",
        "-----BEGIN PRIVATE KEY-----",
        "token ",
        "A1",
        "\n",
    ],
)
def test_time_is_linear_in_a_hostile_message(piece: str) -> None:
    def seconds(size: int) -> float:
        start = time.process_time()
        sanitize_error_message(piece * (size // len(piece)), "tail")
        return time.process_time() - start

    # Quadratic time would take 256 times as long; the floor keeps timer noise out.
    assert seconds(16 * 8192) < 64 * max(seconds(8192), 0.002)
