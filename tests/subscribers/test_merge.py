"""The inside of a subscription: what it asks the journals for."""

from __future__ import annotations

from typing import cast

import pytest

from broker.frame import encode
from broker.jobview import JobList, JobView
from subscribers.events import Answered, Received, Surveyed
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


def merged(asked: Asked, start: Start) -> Merge:
    repairer = cast("Repairer", asked)
    return Merge(
        Selection("*"), start, Budget(1 << 20), Stats(), repairer, 15.0, {}, learn_brokers=False
    )


@pytest.mark.parametrize("start", ["live", "begin", -3])
def test_a_job_that_comes_later_is_begun_at_its_first_line_where_its_first_frames_are_lost(
    start: Start,
) -> None:
    asked = Asked()
    merge = merged(asked, start)
    there = JobList("a", [], [JobView(*STREAM, "streaming", epoch=EPOCH, next=50)])
    merge.handle(Surveyed({"http://broker": there}, {}), 0.0)
    merge.handle(Received(OTHER.topic, encode(log_frame(90, 100, OTHER))), 1.0)
    assert asked.questions[-1] == Question(OTHER, EPOCH, 0, 90)


def test_where_no_journal_answers_the_gap_and_the_problem_are_told_at_once_until_one_does() -> None:
    asked = Asked()
    merge = merged(asked, "begin")
    merge.handle(Received(STREAM.topic, encode(log_frame(50, 60))), 0.0)
    (question,) = asked.questions
    frames = merge.handle(Answered(question, "HTTP 401", unanswered=True), 1.0)
    assert [frame.kind for frame in frames] == ["gap", "log"]
    assert merge.unanswered == "HTTP 401"
    merge.handle(Surveyed({"http://broker": JobList("a", [], [])}, {}), 2.0)
    assert merge.unanswered == ""


def test_a_stream_that_had_to_make_room_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("subscribers.merge._MOST_STREAMS", 1)
    asked = Asked()
    merge = merged(asked, "begin")
    for stream in (STREAM, OTHER):
        (frame,) = merge.handle(Received(stream.topic, encode(log_frame(0, 5, stream))), 0.0)
        assert frame.next == 5
    (frame,) = merge.handle(Received(STREAM.topic, encode(log_frame(0, 8))), 0.0)
    assert (frame.first, frame.next) == (5, 8)
