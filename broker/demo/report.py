"""The demo's verdict: what the source holds, and what reached the plain subscribers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from broker.demo.counting import JobCount, Tally, compare

SUCCEEDED: Final = "SUCCEEDED"


class Report:
    """The jobs' counts at one moment."""

    def __init__(self, logs: Mapping[str, bytes], zeromq: Tally, redis: Tally) -> None:
        self.counts: dict[str, JobCount] = {}
        self._status: dict[str, str] = {}
        for job, log in logs.items():
            by_zeromq, by_redis = zeromq.of(job), redis.of(job)
            self.counts[job] = compare(log, by_zeromq, by_redis)
            self._status[job] = by_zeromq.status

    @property
    def ok(self) -> bool:
        """Whether both jobs succeeded and all counts agree."""
        return all(count.agrees for count in self.counts.values()) and all(
            status == SUCCEEDED for status in self._status.values()
        )

    def as_json(self) -> str:
        """One line."""
        jobs = {job: asdict(count) for job, count in self.counts.items()}
        for fields in jobs.values():
            del fields["agrees"]
        return json.dumps({"jobs": jobs, "ok": self.ok})

    def as_text(self) -> str:
        """A line a job."""
        return "\n".join(
            f"{job}: {self._status[job] or 'not over'}; {count.source_lines} lines in Ray's log, "
            f"{count.zeromq} over ZeroMQ, {count.redis} over Redis, {count.gaps} missing, "
            f"{count.repeats} repeated, redacted: {count.redacted}; "
            f"{'all agree' if count.agrees else 'these do NOT agree'}"
            for job, count in self.counts.items()
        )
