"""Windows against what one would count by hand."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.alerts.engine.windows import CELLS, MOST_ENTRIES, Window

STEPS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=80)


@given(STEPS, st.integers(1, 100))
def test_it_counts_what_came_in_the_last_so_many_seconds(
    steps: list[tuple[int, int]], span: int
) -> None:
    window, all_of_them, now = Window(), [], 0.0
    for wait, count in steps:
        now += wait
        window.add(now, count, span)
        all_of_them += [now] * count
        assert window.count(now, span) == sum(now - span < one <= now for one in all_of_them)


@given(STEPS, st.integers(1, 10))
def test_it_knows_when_the_nth_from_the_end_came(steps: list[tuple[int, int]], nth: int) -> None:
    window, all_of_them, now = Window(), [], 0.0
    for wait, count in steps:
        now += wait
        window.add(now, count, 1e9)
        window.keep(nth)
        all_of_them += [now] * count
        expected = all_of_them[-nth] if len(all_of_them) >= nth else None
        assert window.since(nth) == expected


@settings(max_examples=10)
@given(st.lists(st.floats(0.001, 0.5), min_size=MOST_ENTRIES * 2, max_size=MOST_ENTRIES * 3))
def test_many_times_stay_bounded_and_right_to_a_256th(waits: list[float]) -> None:
    window, all_of_them, now, span = Window(), [], 1000.0, 60.0
    for wait in waits:
        now += wait
        window.add(now, 1, span)
        all_of_them.append(now)
        assert len(window.times) <= MOST_ENTRIES
    counted = window.count(now, span)
    longest = span + span / CELLS
    assert sum(now - span < one for one in all_of_them) <= counted
    assert counted <= sum(now - longest < one for one in all_of_them)


def test_a_time_that_goes_back_counts_with_the_newest() -> None:
    window = Window()
    window.add(10, 1, 5)
    window.add(3, 1, 5)
    assert window.count(14, 5) == 2
    assert window.count(15, 5) == 0
