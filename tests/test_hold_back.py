"""The allowance by which a slow transport may hold ingest back."""

from __future__ import annotations

import pytest

from broker.bus.hold_back import HoldBack


def test_five_seconds_may_be_spent_at_once() -> None:
    allowance = HoldBack(now=100.0)
    assert allowance.left(100.0) == 5.0
    allowance.spend(5.0, 105.0)
    assert allowance.left(105.0) == 0.0


def test_a_tenth_of_the_time_comes_back() -> None:
    allowance = HoldBack(now=0.0)
    allowance.spend(5.0, 0.0)
    assert allowance.left(10.0) == pytest.approx(1.0)


def test_it_never_holds_more_than_the_burst() -> None:
    assert HoldBack(now=0.0).left(1e6) == 5.0


def test_in_the_long_run_at_most_a_tenth_is_spent() -> None:
    allowance = HoldBack(now=0.0)
    now = held = 0.0
    while now < 3600.0:
        turn = min(allowance.left(now), 0.2)
        now += turn
        allowance.spend(turn, now)
        held += turn
        now += 0.05  # what the caller does in between
    assert held <= 5.0 + 0.1 * now
