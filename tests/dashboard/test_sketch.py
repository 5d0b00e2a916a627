from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.dashboard.sketch import ACCURACY, Sketch

PARTS = (0.5, 0.95, 0.99)
VALUES = st.lists(st.floats(0.01, 1e8), min_size=1, max_size=200)


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


def exact(values: list[float]) -> list[float]:
    """By nearest rank."""
    ordered = sorted(values)
    return [ordered[max(1, math.ceil(part * len(ordered))) - 1] for part in PARTS]


@given(VALUES)
def test_percentiles_are_right_within_the_stated_accuracy(values: list[float]) -> None:
    told = sketch_of(values).percentiles(PARTS)
    assert told == [pytest.approx(true, rel=ACCURACY * 1.001) for true in exact(values)]


@pytest.mark.parametrize("value", [0.01, 1.0, 12.5, 3_600_000.0])
def test_one_value_is_every_percentile(value: float) -> None:
    assert sketch_of([value]).percentiles(PARTS) == [pytest.approx(value, rel=0.0101)] * 3


def test_no_value_has_no_percentile() -> None:
    assert Sketch().percentiles(PARTS) == [None] * 3


@given(VALUES, VALUES)
def test_two_merged_are_as_one(some: list[float], others: list[float]) -> None:
    merged = sketch_of(some)
    merged.merge(sketch_of(others))
    assert merged == sketch_of(some + others)


@given(st.lists(st.floats(0, 1e300), max_size=100))
def test_values_beyond_its_range_are_counted_and_memory_is_bounded(values: list[float]) -> None:
    sketch = sketch_of([*values, 0.0, 1e300])
    assert sum(sketch.values()) == len(values) + 2
    assert max(sketch) - min(sketch) < 1_200
