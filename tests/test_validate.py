"""What comes from outside is checked whole, and refused with a 400 that says why."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from broker.errors import ClientError
from broker.validate import http_to_websocket_url, validate_resource_id, validate_timeout


@pytest.mark.parametrize("value", ["a", "-", "_", "raysubmit_AbC-09", "x" * 100])
def test_a_resource_id_of_1_to_100_plain_characters_is_returned(value: str) -> None:
    assert validate_resource_id(value) == value


@pytest.mark.parametrize(
    "value",
    ["", "x" * 101, "job\n", "\njob", "a/b", "..", "a.b", "a b", "jöb", "٣", "a\0", "a%2fb"],
)
def test_any_other_text_is_no_resource_id(value: str) -> None:
    with pytest.raises(ClientError) as caught:
        validate_resource_id(value)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", [None, b"job", 7, True, ["job"]])
def test_what_is_no_string_is_no_resource_id(value: object) -> None:
    with pytest.raises(ClientError, match="string") as caught:
        validate_resource_id(value)
    assert caught.value.status == 400


def test_the_message_names_the_resource_and_stays_on_one_short_line() -> None:
    with pytest.raises(ClientError) as caught:
        validate_resource_id("\n\x1b" * 5000, "cluster")
    assert caught.value.message.startswith("cluster: ")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 250


class FloatLike(float):
    """As numpy's float64 is one."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1, 1.0),
        (0.001, 0.001),
        (300, 300.0),
        (FloatLike(2.5), 2.5),
        (Fraction(1, 2), 0.5),
        (Decimal("1.5"), 1.5),
    ],
)
def test_a_positive_number_up_to_the_maximum_comes_back_as_a_float(
    value: object, seconds: float
) -> None:
    checked = validate_timeout(value)
    assert checked == seconds
    assert type(checked) is float


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        -0.0,
        300.001,
        True,
        False,
        None,
        "5",
        b"5",
        [5],
        1j,
        float("nan"),
        float("inf"),
        float("-inf"),
        10**400,
        Decimal("sNaN"),
        Fraction(1, 10**400),
    ],
)
def test_any_other_value_is_no_timeout(value: object) -> None:
    with pytest.raises(ClientError, match="timeout") as caught:
        validate_timeout(value)
    assert caught.value.status == 400


def test_the_maximum_can_be_chosen_and_infinity_is_over_every_maximum() -> None:
    assert validate_timeout(5, max_timeout=5) == 5.0
    with pytest.raises(ClientError):
        validate_timeout(5.1, max_timeout=5)
    with pytest.raises(ClientError):
        validate_timeout(float("inf"), max_timeout=float("inf"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://ray:8265", "ws://ray:8265"),
        ("https://ray", "wss://ray"),
        ("HTTPS://Ray.Example/a", "wss://Ray.Example/a"),
        ("http://[::1]:8265/api/jobs/x/logs/tail", "ws://[::1]:8265/api/jobs/x/logs/tail"),
        ("http://u:p%40w@h:1/p//q?a=http://b&c=#frag", "ws://u:p%40w@h:1/p//q?a=http://b&c=#frag"),
        ("http://h?", "ws://h?"),
    ],
)
def test_only_the_scheme_of_a_url_changes(url: str, expected: str) -> None:
    assert http_to_websocket_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ray:8265",
        "ws://ray",
        "wss://ray",
        "ftp://ray",
        "file:///etc/passwd",
        "http:ray",
        "http:/ray",
        "http://",
        "http:///path",
        "http://:8265",
        "http://u:p@:80/",
        "http://[::1",
        "http://ray:port",
        "http://ray:99999",
        " http://ray",
        "http://ray\n",
        "ht\ntp://ray",
        "http://ra y",
        None,
        b"http://ray",
        7,
    ],
)
def test_what_is_no_http_url_is_refused(url: object) -> None:
    with pytest.raises(ClientError, match="URL") as caught:
        http_to_websocket_url(url)
    assert caught.value.status == 400


def test_a_refused_url_is_not_shown_since_it_may_hold_a_password() -> None:
    with pytest.raises(ClientError) as caught:
        http_to_websocket_url("ftp://user:hunter2@ray/?token=abc")
    assert "hunter2" not in caught.value.message
    assert "abc" not in caught.value.message
