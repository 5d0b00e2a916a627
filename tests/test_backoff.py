"""Delays grow, are jittered and capped; Retry-After is read in both of its forms."""

from __future__ import annotations

from itertools import islice

import pytest

from broker.backoff import Backoff, retry_after
from broker.errors import ClientError

NOV_6_1994 = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


def test_the_upper_bound_doubles_up_to_the_cap() -> None:
    backoff = Backoff(base=0.5, cap=3.0, random=lambda: 1.0)
    assert list(islice(backoff, 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_delay_is_anywhere_between_zero_and_its_bound() -> None:
    draws = iter([0.0, 0.25, 0.999])
    backoff = Backoff(base=1.0, cap=30.0, random=lambda: next(draws))
    assert [backoff.next() for _ in range(3)] == [0.0, 0.5, 0.999 * 4]


def test_reset_makes_the_next_delay_a_short_one() -> None:
    backoff = Backoff(base=0.5, random=lambda: 1.0)
    for _ in range(4):
        next(backoff)
    assert backoff.attempts == 4
    backoff.reset()
    assert backoff.attempts == 0
    assert backoff.next() == 0.5


def test_a_thousand_attempts_stay_at_the_cap() -> None:
    backoff = Backoff(random=lambda: 1.0)
    assert list(islice(backoff, 2000))[-1] == 30.0
    assert backoff.attempts == 2000


def test_real_jitter_stays_in_its_bounds() -> None:
    assert all(0 <= delay <= 30.0 for delay in islice(Backoff(), 100))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_base_and_cap_are_positive_seconds(value: float) -> None:
    with pytest.raises(ClientError, match="base"):
        Backoff(base=value)
    with pytest.raises(ClientError, match="cap"):
        Backoff(cap=value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", 1.0),
        ("999999", 300.0),
        ("9" * 400, 300.0),
        ("Sun, 06 Nov 1994 08:49:57 GMT", 20.0),
        ("Sunday, 06-Nov-94 08:49:57 GMT", 20.0),
        ("Sun Nov  6 08:49:57 1994", 20.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 1.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_within_bounds(value: str, seconds: float) -> None:
    assert retry_after({"Retry-After": value}, now=lambda: NOV_6_1994) == seconds


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "nan", "inf", "1e3", "1_0", "٣", "Sun, 99 Foo"]
)
def test_an_unreadable_retry_after_is_the_default(value: str) -> None:
    assert retry_after({"Retry-After": value}) == 30.0
    assert retry_after({"Retry-After": value}, default=5.0) == 5.0


def test_no_retry_after_is_the_default_and_its_name_has_no_case() -> None:
    assert retry_after({}) == 30.0
    assert retry_after({"retry-after": "3"}) == 3.0
