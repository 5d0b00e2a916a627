"""How late lines are: each says when it was printed, in ns since 1970, as its first word."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable
from math import ceil
from statistics import fmean
from typing import Final

STEP: Final = 0.005  # seconds that the wall clock may be set by while it is read


def quantile(values: Iterable[float], share: float) -> float:
    """The nearest rank: the least value that `share` of them do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, ceil(share * len(ranked)) - 1)]


def distribution(lags: array[float]) -> dict[str, float]:
    """Mean, percentiles and the worst, seconds."""
    return {
        "mean": fmean(lags),
        "p50": quantile(lags, 0.5),
        "p99": quantile(lags, 0.99),
        "max": max(lags),
    }


def printed_ns(line: str) -> int:
    """When a line was printed; 0 where it is another's (Ray has its own)."""
    word = line.partition(" ")[0]
    return int(word) if word.isdigit() and len(word) == 19 else 0


class SteadyClock:
    """Raises `AssertionError` at the end of its block where the wall clock was set meanwhile:
    printer and reader are compared by it."""

    def __enter__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __exit__(self, *_: object) -> None:
        moved = time.time() - time.monotonic() - self._ahead
        if abs(moved) > STEP:
            raise AssertionError(f"the wall clock was moved by {moved:.3f} s meanwhile")
