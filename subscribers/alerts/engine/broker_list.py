"""The brokers' lists of jobs, as one. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from broker.jobview import JobView
from broker.topic import Stream


def best(jobs: Iterable[JobView]) -> dict[Stream, JobView]:
    """One view a job: of several brokers', that of the one that is furthest."""
    found: dict[Stream, JobView] = {}
    for view in jobs:
        if view.state in ("skipped", "queued"):
            continue
        stream = Stream(view.cluster, view.job)
        other = found.get(stream)
        if other is None or _standing(view) > _standing(other):
            found[stream] = view
    return found


def _standing(view: JobView) -> tuple[int, bool, int]:
    return view.run, view.state in ("streaming", "waiting", "ended"), view.next
