"""The subscription to the jobs that rules are about, and where it begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from broker.frame import Frame
from broker.topic import Stream
from subscribers.alerts.service.brokers import Brokers, Told
from subscribers.alerts.service.evaluation import Evaluation
from subscribers.alerts.service.metrics import Metrics
from subscribers.alerts.store.eras import Eras
from subscribers.alerts.store.progress import Progress
from subscribers.selection import Selection

_SHORT_S: Final = 2.0  # for the brokers' lists, which save questions
_PATIENCE_S: Final = 10.0  # with one of several brokers that doesn't answer, at the first start


class Frames(Protocol):
    """`subscribers.Subscription`."""

    @property
    def connected(self) -> bool: ...
    @property
    def problem(self) -> str: ...
    def receive(self, timeout: float | None = None) -> Frame | None: ...
    def close(self) -> None: ...


Subscribe = Callable[[Sequence[str], Mapping[str, tuple[str, int]]], Frames]
"""Frames of the jobs that match, from these positions on; of others, from the beginning."""


class Following:
    """`open` and `close` are called on the evaluation's thread, the others on any."""

    def __init__(
        self,
        subscribe: Subscribe,
        brokers: Brokers,
        progress: Progress,
        eras: Eras,
        evaluation: Evaluation,
        metrics: Metrics,
        clock: Callable[[], float],
    ) -> None:
        self.waits = "the brokers were not asked yet"  # why there is no subscription
        self._subscribe = subscribe
        self._brokers = brokers
        self._progress = progress
        self._eras = eras
        self._evaluation = evaluation
        self._metrics = metrics
        self._clock = clock
        self._frames: Frames | None = None

    @property
    def connected(self) -> bool:
        """Whether frames can come."""
        frames = self._frames
        return frames is not None and frames.connected

    @property
    def trouble(self) -> str:
        """Why they can't; empty where they can."""
        frames = self._frames
        if frames is None:
            return self.waits
        return "" if frames.connected else frames.problem or "connecting"

    def open(self, patterns: list[str], idle: Callable[[], bool]) -> Frames | None:
        """Subscribe. Meanwhile `idle` is called often; it says whether to go on waiting, and where
        it does not, nothing is subscribed to."""
        known = patterns == self._eras.patterns
        if not self._wait_for_lists(idle, is_short=known):
            return None
        told = self._brokers.latest
        if not known and told is not None:
            self._begin(patterns, told)
        listed = None
        if told is not None and not told.missing:
            listed = {Stream(view.cluster, view.job) for view in told.jobs}
        wanted = Selection(patterns)
        now_ns = int(self._clock() * 1e9)
        positions = self._progress.reached(wanted.__contains__, listed, now_ns)
        self._frames = self._subscribe(patterns, positions)
        return self._frames

    def close(self) -> None:
        """Let go of the subscription. Idempotent."""
        frames, self._frames = self._frames, None
        self._metrics.connected.set(0)
        if frames is not None:
            frames.close()

    def _wait_for_lists(self, idle: Callable[[], bool], *, is_short: bool) -> bool:
        """Until all brokers told of their jobs, or for long enough: without any at the first start,
        for ever. Whether to go on."""
        began = time.monotonic()
        while (told := self._brokers.latest) is None or told.missing:
            waited = time.monotonic() - began > (_SHORT_S if is_short else _PATIENCE_S)
            if waited and (is_short or (told and told.answered)):
                break
            self.waits = told.missing[0] if told else "the brokers were not asked yet"
            if not idle():
                return False
        return True

    def _begin(self, patterns: list[str], told: Told) -> None:
        """Of jobs that were not listened to so far, what there is by now is passed over: by its
        place, and where a broker did not tell it, by its time, which takes clocks that agree."""
        before = Selection(self._eras.patterns) if self._eras.patterns else ()
        fresh = (view for view in told.jobs if Stream(view.cluster, view.job) not in before)
        self._evaluation.listen(patterns, fresh, by_time=bool(told.missing))
        self._evaluation.commit()  # whatever comes from now on is not passed over any more
