"""What flows through one job or one cluster: rates, lag and their course. Pure; times are injected
seconds of a clock that never goes back."""

from __future__ import annotations

import math
from array import array
from typing import Final, NamedTuple

from subscribers.dashboard.sketch import Sketch

STEP_S: Final = 2.0
STEPS: Final = 480  # 16 minutes
SPARK: Final = 30  # steps: the last minute
_WINDOW: Final = 5  # steps that a rate is taken over
_LAG_STEPS: Final = 15  # lags are kept for one to two times as many steps
_PARTS: Final = (0.5, 0.95, 0.99)
_NAN: Final = math.nan

SERIES: Final = (
    *("lines_per_s", "bytes_per_s", "frames_per_s"),
    *("lag_p50_ms", "lag_p95_ms", "lag_p99_ms", "reconnects"),
)


class Rates(NamedTuple):
    """Over the last 8 to 10 seconds, or since the first frame where that is less."""

    lines_per_s: float
    bytes_per_s: float
    frames_per_s: float


class Lags(NamedTuple):
    """Milliseconds, of the last 30 to 60 seconds; None where nothing came."""

    p50: float | None
    p95: float | None
    p99: float | None


NO_RATES: Final = Rates(0.0, 0.0, 0.0)
NO_LAGS: Final = Lags(None, None, None)


class Meter:
    """One frame costs about a microsecond; 14 KiB and the buckets of at most 90 seconds' lags."""

    __slots__ = (
        *("lines", "bytes", "frames"),
        *("_began", "_step", "_since", "_lags", "_recent", "_older", "_rings", "_reconnects"),
    )

    def __init__(self, now: float) -> None:
        self.lines = self.bytes = self.frames = 0  # totals
        self._began = now
        self._step = math.floor(now / STEP_S)  # the one that goes on
        self._since = (0, 0, 0)  # the totals when it began
        self._reconnects = 0  # in it
        self._lags = Sketch()  # of it
        self._recent, self._older = Sketch(), Sketch()  # of the steps before it
        self._rings = [array("f", [_NAN]) * STEPS for _ in SERIES]  # step n is at n % STEPS

    def saw(self, now: float, lines: int, size: int, lag_ms: float | None) -> None:
        """A frame came; its lag where it has one."""
        if now >= (self._step + 1) * STEP_S:
            self._advance(now)
        self.lines += lines
        self.bytes += size
        self.frames += 1
        if lag_ms is not None:
            self._lags.add(lag_ms)

    def reconnected(self, now: float, count: int) -> None:
        """A broker said so."""
        self._advance(now)
        self._reconnects += count

    def rates(self, now: float) -> Rates:
        """Now."""
        self._advance(now)
        passed = [
            float(total - then) for total, then in zip(self._totals(), self._since, strict=True)
        ]
        first = max(self._step - _WINDOW + 1, math.floor(self._began / STEP_S))
        for step in range(first, self._step):
            for at, ring in enumerate(self._rings[:3]):
                passed[at] += ring[step % STEPS] * STEP_S
        seconds = max(now - max(first * STEP_S, self._began), 1.0)
        return Rates(*(round(amount / seconds, 2) for amount in passed))

    def lags(self, now: float) -> Lags:
        """Now."""
        self._advance(now)
        lags = Sketch(self._recent)
        lags.merge(self._older)
        lags.merge(self._lags)
        return Lags(*(value and round(value, 3) for value in lags.percentiles(_PARTS)))

    def spark(self, now: float) -> list[float]:
        """Lines/s of the last minute's whole steps, oldest first; 0 before there was anything."""
        self._advance(now)
        told = self._last(self._rings[0], SPARK)
        return [0.0 if value != value else round(value, 1) for value in told]

    def series(self, now: float, steps: int) -> dict[str, list[float | None]]:
        """The last `steps` whole steps (at most `STEPS`), oldest first; None where unknown."""
        self._advance(now)
        return {
            name: [None if value != value else round(value, 2) for value in self._last(ring, steps)]
            for name, ring in zip(SERIES, self._rings, strict=True)
        }

    def _last(self, ring: array[float], steps: int) -> array[float]:
        end = self._step % STEPS
        return (ring[end:] + ring[:end])[STEPS - steps :]

    def _totals(self) -> tuple[int, int, int]:
        return self.lines, self.bytes, self.frames

    def _advance(self, now: float) -> None:
        """End the steps that are over."""
        step = math.floor(now / STEP_S)
        if step <= self._step:
            return
        totals = self._totals()
        amounts = (total - before for total, before in zip(totals, self._since, strict=True))
        values = [
            *(amount / STEP_S for amount in amounts),
            *(_NAN if lag is None else lag for lag in self._lags.percentiles(_PARTS)),
            self._reconnects,
        ]
        silent = (0.0, 0.0, 0.0, _NAN, _NAN, _NAN, 0.0)
        for ring, value, nothing in zip(self._rings, values, silent, strict=True):
            ring[self._step % STEPS] = value
            for passed in range(max(self._step + 1, step - STEPS), step):
                ring[passed % STEPS] = nothing
        self._recent.merge(self._lags)
        rounds = step // _LAG_STEPS - self._step // _LAG_STEPS
        if rounds:
            self._older = self._recent if rounds == 1 else Sketch()
            self._recent = Sketch()
        if self._lags:
            self._lags = Sketch()
        self._step, self._since, self._reconnects = step, totals, 0
