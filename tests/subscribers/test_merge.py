"""The inside of a subscription: what it asks the journals for."""

from __future__ import annotations

from typing import cast

import pytest

from broker.frame import encode
from broker.jobview import JobList, JobView
from subscribers.events import Received, Surveyed
from subscribers.merge import Merge
from subscribers.repair import Repairer
from subscribers.selection import Selection
from subscribers.sequencer import Question, Start
from subscribers.stats import Budget, Stats
from tests.support.journal_records import EPOCH, OTHER, STREAM, log_frame


class Asked:
    """A repairer that only remembers."""

    bases = ("http://broker",)

    def __init__(self) -> None:
        self.questions: list[Question] = []

    def ask(self, question: Question) -> None:
        self.questions.append(question)


@pytest.mark.parametrize("start", ["live", "begin", -3])
def test_a_job_that_comes_later_is_begun_at_its_first_line_where_its_first_frames_are_lost(
    start: Start,
) -> None:
    asked = Asked()
    repairer = cast("Repairer", asked)
    merge = Merge(
        Selection("*"), start, Budget(1 << 20), Stats(), repairer, 15.0, {}, learn_brokers=False
    )
    there = JobList("a", [], [JobView(*STREAM, "streaming", epoch=EPOCH, next=50)])
    merge.handle(Surveyed({"http://broker": there}, {}), 0.0)
    merge.handle(Received(OTHER.topic, encode(log_frame(90, 100, OTHER))), 1.0)
    assert asked.questions[-1] == Question(OTHER, EPOCH, 0, 90)
