"""The demo from the jobs' submission to the verdict. What shows frames is handed in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from broker.demo.clusters import SAMPLES
from broker.demo.report import Report
from broker.demo.stage import Stage
from broker.errors import ClientError

JOBS_S: Final = 120.0  # for the jobs to be over, with --once
AGREE_S: Final = 15.0  # from then on, for what Ray appends after the end
_AGAIN_S: Final = 0.5  # between two looks at the log


class Run:
    """The two jobs on a stage, of so many `rounds`. `jobs_s`: when to give up on them; `clock` in
    seconds."""

    def __init__(
        self,
        stage: Stage,
        jobs_s: float = JOBS_S,
        rounds: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stage = stage
        self._clock = clock
        self._too_late = clock() + jobs_s
        self._over_since: float | None = None
        self._looked = 0.0
        self.jobs = [stage.cluster.submit(sample, rounds) for sample in SAMPLES]

    def verdict(self, shown: bool) -> Report | None:
        """The final report; None while it is too early, or not all was shown yet.

        Raises `ClientError` where a part of the stage has ended.
        """
        self._stage.check()
        now = self._clock()
        if not (shown and self._over()):
            self._over_since = None
            return self._report() if now > self._too_late else None
        if self._over_since is None:
            self._over_since = now
        if now - self._looked < _AGAIN_S:
            return None
        self._looked = now
        late = now - self._over_since > AGREE_S
        report = self._report()
        return report if report.ok or late else None

    def _report(self) -> Report:
        logs = {}
        for job in self.jobs:
            try:
                logs[job] = self._stage.cluster.log(job)
            except ClientError:  # not there, or not to be had: then the counts do not agree
                logs[job] = b""
        stage = self._stage
        return Report(logs, stage.zeromq.tally, stage.redis.tally, stage.receiver.notices)

    def _over(self) -> bool:
        return all(
            listener.tally.of(job).status
            for job in self.jobs
            for listener in (self._stage.zeromq, self._stage.redis)
        )
