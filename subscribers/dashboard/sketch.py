"""Percentiles of a stream of values, from the first one on, in bounded memory. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

ACCURACY: Final = 0.01
"""A percentile told differs from the true one by at most this part of it."""

_LEAST: Final = 0.01
_MOST: Final = 1e8
_GAMMA: Final = (1 + ACCURACY) / (1 - ACCURACY)
_PER_BUCKET: Final = 1 / math.log(_GAMMA)
_MIDDLE: Final = 2 / (1 + 1 / _GAMMA)  # of a bucket, as a multiple of its lower bound


class Sketch(dict[int, int]):
    """How many values fell into each bucket, [γⁿ, γⁿ⁺¹). It is DDSketch's mapping on a plain dict:
    with the few values that a job has in a minute that is far smaller than an array, and two of
    them are merged by adding. Values are within 0.01 and 10⁸ (else taken for the nearest): 1,150
    buckets at most."""

    __slots__ = ()

    def add(self, value: float) -> None:
        """Count a value, 0 or more."""
        value = _LEAST if value < _LEAST else min(value, _MOST)
        bucket = math.floor(math.log(value) * _PER_BUCKET)
        self[bucket] = self.get(bucket, 0) + 1

    def merge(self, other: Sketch) -> None:
        """Count the other's values too."""
        for bucket, count in other.items():
            self[bucket] = self.get(bucket, 0) + count

    def percentiles(self, wanted: Sequence[float]) -> list[float | None]:
        """The values that such parts (0 to 1, ascending) of all are not above; None where there
        is no value. Of few values it is the nearest rank: one value is every percentile."""
        total = sum(self.values())
        if not total:
            return [None] * len(wanted)
        told: list[float | None] = []
        passed = 0
        buckets = iter(sorted(self.items()))
        bucket = 0
        for part in wanted:
            rank = max(1, math.ceil(part * total))
            while passed < rank:
                bucket, count = next(buckets)
                passed += count
            told.append(math.exp(bucket / _PER_BUCKET) * _MIDDLE)
        return told
