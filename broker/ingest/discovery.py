"""Which jobs are new, which are gone: one listing of the cluster beside the last. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from broker.errors import ClientError
from broker.sources.ray_api import RayJob
from broker.topic import Stream, matches
from broker.validate import validate_resource_id

CLOCK_SKEW_MS: Final = 60_000  # start times are of the head's clock, `since` is of ours


@dataclass(frozen=True, slots=True)
class Found:
    """What one listing brought."""

    follow: list[RayJob]  # to be followed from now on, or again for a new run
    known: list[RayJob]  # those of them and of the earlier ones that the head lists
    skipped: dict[str, str]  # id: why it is not followed
    lost: list[str]  # followed, and not listed for `lost_after`


@dataclass(slots=True)
class Discovery:
    """Remembers the (id, start_time) pairs it has seen. Times in seconds of the caller's clock.

    The first listing is the baseline: of it, the jobs that are not over are followed (all, where
    `follow` is "all"), those that `resume` names (they were running when the daemon went down),
    and those that began after `since`, when it was last up. Of every later listing, each new pair.
    """

    cluster: str
    patterns: Sequence[str]
    follow_all: bool
    lost_after: float
    resume: Collection[str] = ()
    since: int | None = None  # ms since 1970
    ended: Collection[tuple[str, int]] = ()  # (id, start_time) read to their end before
    _seen: set[tuple[str, int]] | None = None
    _followed: set[str] = field(default_factory=set)
    _missing: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.resume = [job for job in self.resume if self._wanted(job)]
        self._followed.update(self.resume)

    def listing(self, jobs: Iterable[RayJob], now: float) -> Found:
        """Take the head's whole list."""
        first = self._seen is None
        seen: set[tuple[str, int]] = set()
        follow: list[RayJob] = []
        known: list[RayJob] = []
        skipped: dict[str, str] = {}
        for job in jobs:
            name = job.submission_id
            if name is None:
                if job.job_id:
                    skipped[job.job_id] = "an interactive driver: Ray keeps no log file for it"
                continue
            reason = self._invalid(name)
            if reason:
                skipped[name] = reason
                continue
            if not self._wanted(name):
                continue
            pair = (name, job.run)
            seen.add(pair)
            known.append(job)
            new = self._new_at_first(job) if first else pair not in (self._seen or ())
            if new:
                follow.append(job)
                self._followed.add(name)
        # Pairs that the head has forgotten stay seen: a listing cut short must not bring a
        # finished job back.
        self._seen = seen if self._seen is None else self._seen | seen
        return Found(follow, known, skipped, self._lost({name for name, _ in seen}, now))

    def following(self, job: str) -> None:
        """The job has a worker, and can be lost."""
        self._followed.add(job)

    def retired(self, job: str, lost: bool = False) -> None:
        """The job is over and its worker gone. One that was lost is new should it come back."""
        self._followed.discard(job)
        self._missing.pop(job, None)
        if lost and self._seen is not None:
            self._seen = {pair for pair in self._seen if pair[0] != job}

    def forget(self, job: RayJob) -> None:
        """There was no place for the job: it is new again in the next listing."""
        if self._seen is not None:
            self._seen.discard((job.submission_id or "", job.run))

    def _new_at_first(self, job: RayJob) -> bool:
        if job.terminal and (job.submission_id, job.run) in self.ended:
            return False  # read to its end before
        return (
            self.follow_all
            or not job.terminal
            or job.submission_id in self.resume
            or (self.since is not None and job.run > self.since - CLOCK_SKEW_MS)
        )

    def _wanted(self, job: str) -> bool:
        stream = Stream(self.cluster, job)
        return any(matches(pattern, stream) for pattern in self.patterns)

    def _lost(self, listed: set[str], now: float) -> list[str]:
        for job in listed:
            self._missing.pop(job, None)
        for job in self._followed - listed:
            self._missing.setdefault(job, now)
        return [job for job, since in self._missing.items() if now - since >= self.lost_after]

    @staticmethod
    def _invalid(job: str) -> str:
        try:
            validate_resource_id(job, "job id")
        except ClientError as error:
            return error.message
        return ""
