from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.dashboard.meter import SERIES, SPARK, STEP_S, STEPS, Meter


def test_the_first_frame_has_a_rate_and_a_lag() -> None:
    meter = Meter(100.5)
    meter.saw(100.5, 30, 3_000, 12.0)
    assert tuple(meter.rates(100.5)) == (30.0, 3_000.0, 1.0)
    assert all(lag == pytest.approx(12, rel=0.01) for lag in meter.lags(100.5))


def test_a_steady_flow_has_its_rate_from_the_first_second_on() -> None:
    meter = Meter(0.7)
    for tick in range(300):
        now = 0.7 + tick / 10
        meter.saw(now, 5, 500, 1.0)
        if tick >= 10:
            assert meter.rates(now).lines_per_s == pytest.approx(50, rel=0.11)


def test_a_flow_that_stops_is_forgotten_after_ten_seconds() -> None:
    meter = Meter(0.0)
    meter.saw(0.0, 100, 1_000, 1.0)
    assert meter.rates(5.0).lines_per_s == 20.0
    assert meter.rates(10.0) == (0.0, 0.0, 0.0)


def test_lags_are_forgotten_after_a_minute_and_not_within_half_a_minute() -> None:
    meter = Meter(3.0)
    meter.saw(3.0, 1, 1, 8.0)
    assert meter.lags(33.0).p99 == pytest.approx(8, rel=0.01)
    assert meter.lags(63.1).p99 is None


def test_percentiles_are_of_all_frames_in_the_time() -> None:
    meter = Meter(0.0)
    for number in range(1, 101):
        meter.saw(number / 10, 1, 1, float(number))
    assert tuple(meter.lags(10.0)) == tuple(pytest.approx(rank, rel=0.01) for rank in (50, 95, 99))


def test_the_course_has_a_value_for_each_step_and_none_where_nothing_is_known() -> None:
    meter = Meter(10.0)
    meter.saw(10.5, 4, 400, 2.0)
    meter.reconnected(12.5, 3)
    meter.saw(16.1, 6, 600, 5.0)
    series = meter.series(18.0, 5)
    assert series["lines_per_s"] == [None, 2.0, 0.0, 0.0, 3.0]
    assert series["bytes_per_s"] == [None, 200.0, 0.0, 0.0, 300.0]
    assert series["frames_per_s"] == [None, 0.5, 0.0, 0.0, 0.5]
    assert series["reconnects"] == [None, 0.0, 3.0, 0.0, 0.0]
    assert series["lag_p99_ms"][:4] == [None, pytest.approx(2, rel=0.01), None, None]
    assert set(series) == set(SERIES)


def test_a_long_silence_leaves_zeros_and_no_lags() -> None:
    meter = Meter(0.0)
    meter.saw(0.0, 4, 400, 2.0)
    series = meter.series(STEPS * STEP_S * 3, STEPS)
    assert series["lines_per_s"] == [0.0] * STEPS
    assert series["lag_p50_ms"] == [None] * STEPS


def test_the_course_goes_back_for_sixteen_minutes() -> None:
    meter = Meter(0.0)
    for step in range(1_000):
        meter.saw(step * STEP_S, step, 0, None)
    told = meter.series(1_000 * STEP_S, STEPS)["lines_per_s"]
    assert told == [step / STEP_S for step in range(1_000 - STEPS, 1_000)]
    assert STEPS * STEP_S == 16 * 60


def test_the_spark_is_the_last_minute_and_has_no_holes() -> None:
    meter = Meter(0.0)
    meter.saw(0.0, 4, 400, None)
    assert meter.spark(4.0) == [0.0] * (SPARK - 2) + [2.0, 0.0]


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 1_000)), max_size=60))
def test_no_line_is_lost_between_steps(frames: list[tuple[float, int]]) -> None:
    now, meter, sent = 1_000.0, Meter(1_000.0), 0
    for wait, lines in frames:
        now += wait
        meter.saw(now, lines, lines, 1.0)
        sent += lines
    assert meter.lines == meter.bytes == sent
    if now - 1_000 < STEPS * STEP_S - 4:
        told = meter.series(now + STEP_S, STEPS)["lines_per_s"]
        assert sum(value or 0 for value in told) * STEP_S == pytest.approx(sent, rel=1e-3)


def test_a_clock_that_stands_still_or_goes_back_breaks_nothing() -> None:
    meter = Meter(10.0)
    meter.saw(10.0, 1, 1, 1.0)
    meter.saw(3.0, 1, 1, 1.0)
    assert meter.rates(3.0).lines_per_s == 2.0
