"""Limits are validated; a window's budget is kept on average, and never blocks for ever."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ClientError
from broker.limits import Room, StreamLimits, WindowBudget


def test_the_defaults_are_those_of_the_specification() -> None:
    assert StreamLimits() == StreamLimits(
        max_messages=10_000,
        max_lines=50_000,
        max_bytes=50 * 1024 * 1024,
        max_message_size=10_240,
        queue_size=1_000,
        exception_queue_size=10,
    )


@pytest.mark.parametrize("field", [field.name for field in fields(StreamLimits)])
@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None])
def test_a_limit_that_is_no_positive_int_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ClientError, match=field) as caught:
        StreamLimits(**{field: value})  # type: ignore[arg-type]
    assert caught.value.status == 400


def test_limits_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        StreamLimits().max_lines = 1  # type: ignore[misc]


LIMITS = StreamLimits(max_messages=3, max_lines=100, max_bytes=1000)


def test_a_message_that_fits_passes_at_once_and_takes_its_room() -> None:
    budget = WindowBudget(LIMITS)
    assert budget.room(5.0) == Room(3, 100, 1000)
    assert budget.wait(5.0, 60, 600) == 0.0
    budget.spend(5.0, 60, 600)
    assert budget.room(5.5) == Room(2, 40, 400)


@pytest.mark.parametrize(("lines", "size"), [(41, 1), (1, 401)])
def test_a_message_that_does_not_fit_waits_for_the_windows_end(lines: int, size: int) -> None:
    budget = WindowBudget(LIMITS)
    budget.spend(5.0, 60, 600)
    assert budget.wait(5.25, lines, size) == pytest.approx(0.75)
    assert budget.wait(6.0, lines, size) == 0.0
    assert budget.room(6.0) == Room(3, 100, 1000)


def test_messages_are_counted_as_well() -> None:
    budget = WindowBudget(LIMITS)
    for _ in range(3):
        budget.spend(5.0, 1, 1)
    assert budget.room(5.0).messages == 0
    assert budget.wait(5.0) == pytest.approx(1.0)


def test_an_oversize_message_passes_when_nothing_is_owed_and_the_rest_is_owed_later() -> None:
    budget = WindowBudget(LIMITS)
    assert budget.wait(0.0, 1, 2500) == 0.0
    budget.spend(0.0, 1, 2500)
    assert budget.room(0.5).bytes == 0
    assert budget.wait(0.5, 1, 500) == pytest.approx(1.5)
    assert budget.wait(0.5, 1, 501) == pytest.approx(2.5)
    assert budget.wait(0.5, 1, 2500) == pytest.approx(2.5)
    assert budget.room(1.5).bytes == 0
    assert budget.room(2.5).bytes == 500


def test_a_long_silence_saves_nothing_up() -> None:
    budget = WindowBudget(LIMITS)
    budget.spend(0.0, 1, 1)
    assert budget.room(3600.0) == Room(3, 100, 1000)


def test_a_clock_that_goes_back_changes_nothing() -> None:
    budget = WindowBudget(LIMITS)
    budget.spend(5.0, 1, 1)
    assert budget.room(4.0) == Room(2, 99, 999)


@pytest.mark.parametrize("window", [0.0, -1.0, float("nan"), float("inf")])
def test_a_window_needs_a_length(window: float) -> None:
    with pytest.raises(ClientError) as caught:
        WindowBudget(LIMITS, window)
    assert caught.value.status == 400


@given(
    start=st.floats(0, 2e9),
    window=st.floats(0.001, 3600),
    frames=st.lists(st.tuples(st.integers(0, 350), st.integers(0, 3500)), min_size=1, max_size=40),
)
def test_waiting_as_told_always_gets_a_message_through_and_keeps_the_mean_rate(
    start: float, window: float, frames: list[tuple[int, int]]
) -> None:
    budget = WindowBudget(LIMITS, window)
    now = start
    for lines, size in frames:
        waits = 0
        while (seconds := budget.wait(now, lines, size)) > 0:
            now += seconds
            waits += 1
            assert waits <= 2, "one wait is enough, two where the clock's floats are coarse"
        budget.spend(now, lines, size)
    windows = (now - start) / window + 1.01 + 1e-6 * len(frames) / window
    last_lines, last_size = frames[-1]
    assert sum(lines for lines, _ in frames) - last_lines <= windows * LIMITS.max_lines
    assert sum(size for _, size in frames) - last_size <= windows * LIMITS.max_bytes
    assert len(frames) <= (windows + 1) * LIMITS.max_messages
