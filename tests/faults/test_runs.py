"""A job id that is submitted again: what is told of its new run is not what held for the old."""

from __future__ import annotations

from functools import partial

from tests.support.followed import Followed
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until


def test_a_new_run_is_not_told_of_as_ended_before_its_end_is_published(
    standin: RayStandIn,
) -> None:
    with Followed(standin.url, follow="all") as followed:

        def ended(run: int) -> bool:
            beat = followed.ingest.beat("job-1")
            told = beat is not None and (beat.state, beat.run) == ("ended", run)
            published = any(end.run == run for end in followed.frames("job-1", "end"))
            assert published or not told
            return published

        for run in range(1, 6):
            standin.add_job("job-1", log=b"run %d\n" % run, start_time=run)
            standin.finish("job-1")  # at once: it is over when it is first listed
            wait_until(partial(ended, run), interval=0.0001)
