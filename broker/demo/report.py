"""The demo's verdict: what the source holds, and what reached the plain subscribers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final, NamedTuple

from broker.demo.counting import JobCount, Tally, compare
from broker.demo.receiver import Notice

SUCCEEDED: Final = "SUCCEEDED"


class Report:
    """The jobs' counts at one moment."""

    def __init__(
        self,
        logs: Mapping[str, bytes],
        zeromq: Tally,
        redis: Tally,
        notices: Sequence[Notice],
    ) -> None:
        self.alerts = count_alerts(notices)
        self.counts: dict[str, JobCount] = {}
        self._status: dict[str, str] = {}
        for job, log in logs.items():
            by_zeromq, by_redis = zeromq.of(job), redis.of(job)
            self.counts[job] = compare(log, by_zeromq, by_redis)
            self._status[job] = by_zeromq.status

    @property
    def ok(self) -> bool:
        """Whether both jobs succeeded, all counts agree, and the alerts came and went."""
        return (
            all(count.agrees for count in self.counts.values())
            and all(status == SUCCEEDED for status in self._status.values())
            and self.alerts.as_expected
        )

    def as_json(self) -> str:
        """One line."""
        jobs = {job: asdict(count) for job, count in self.counts.items()}
        for fields in jobs.values():
            del fields["agrees"]
        return json.dumps({"jobs": jobs, "alerts": self.alerts._asdict(), "ok": self.ok})

    def as_text(self) -> str:
        """A line a job, and one for the alerts."""
        lines = [
            f"{job}: {self._status[job] or 'not over'}; {count.source_lines} lines in Ray's log, "
            f"{count.zeromq} over ZeroMQ, {count.redis} over Redis, {count.gaps} missing, "
            f"{count.repeats} repeated, redacted: {count.redacted}; "
            f"{'all agree' if count.agrees else 'these do NOT agree'}"
            for job, count in self.counts.items()
        ]
        signed = "all" if self.alerts.verified == self.alerts.requests else "NOT all"
        lines.append(
            f"alerts: {self.alerts.fired} fired, {self.alerts.resolved} resolved, "
            f"{signed} of them rightly signed"
        )
        return "\n".join(lines)


class AlertCount(NamedTuple):
    """What reached the webhook receiver."""

    fired: int  # different ones
    resolved: int  # of those
    requests: int  # alerts told in all
    verified: int  # of those, with the right signature

    @property
    def as_expected(self) -> bool:
        """The samples print tracebacks; each fires, and resolves when nothing follows it."""
        return 0 < self.fired == self.resolved and self.verified == self.requests


def count_alerts(notices: Sequence[Notice]) -> AlertCount:
    """How many alerts came, and went again."""
    last = {notice.fingerprint: notice.status for notice in notices}
    gone = sum(status == "resolved" for status in last.values())
    return AlertCount(len(last), gone, len(notices), sum(notice.verified for notice in notices))
