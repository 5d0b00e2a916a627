"""Lines a second: the mean of the last ten seconds, on a clock of the test's."""

from __future__ import annotations

import pytest

from broker.ingest.rate import WINDOW, Rate


def test_before_any_sample_the_rate_is_0() -> None:
    assert Rate().per_second(5.0, 1_000) == 0.0


def test_a_steady_job_has_its_rate_from_the_first_second_on() -> None:
    rate = Rate()
    for tick in range(31):
        rate.sample(tick / 10, tick * 10)
        if tick >= 2:
            assert rate.per_second(tick / 10, tick * 10) == pytest.approx(100.0)


def test_lines_older_than_the_window_do_not_count() -> None:
    rate = Rate()
    rate.sample(0.0, 0)
    rate.sample(1.0, 1_000_000)
    for second in range(2, 13):
        rate.sample(float(second), 1_000_000)
    assert rate.per_second(12.0, 1_000_000) == 0.0


def test_a_burst_is_spread_over_the_window_that_holds_it() -> None:
    rate = Rate()
    for second in range(11):
        rate.sample(float(second), 0)
    assert rate.per_second(10.0, 500) == pytest.approx(500 / WINDOW)


def test_lines_just_after_the_first_sample_are_no_absurd_rate() -> None:
    rate = Rate()
    rate.sample(1.0, 0)
    assert rate.per_second(1.0, 10) == 50.0


def test_a_thousand_samples_a_second_take_bounded_memory_and_keep_the_window() -> None:
    rate = Rate()
    for tick in range(20_000):
        rate.sample(tick / 1_000, tick)
    assert len(rate._samples) <= 64
    assert rate.per_second(20.0, 20_000) == pytest.approx(1_000.0, rel=0.01)
