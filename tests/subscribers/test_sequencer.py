"""The sequencer, step by step."""

from __future__ import annotations

import pytest

from broker.frame import Frame, replace
from subscribers.sequencer import Question, Sequencer, Start
from subscribers.stats import Budget, Stats
from tests.support.journal_records import EPOCH, STREAM, gap_frame, log_frame, point_frame

SIZE = 100


def sequencer(start: Start = "begin", budget: int = 1 << 20) -> Sequencer:
    return Sequencer(STREAM, start, Budget(budget), Stats())


def heartbeat(at: int, **fields: object) -> Frame:
    return replace(Frame("heartbeat", *STREAM, at, at, epoch=EPOCH), **fields)


def why() -> Frame:
    return Frame("gap", *STREAM, 0, 0, epoch=EPOCH, reason="unreachable")


def spans(frames: list[Frame]) -> list[tuple[str, int, int]]:
    return [(frame.kind, frame.first, frame.next) for frame in frames]


def test_a_repeated_frame_is_delivered_once() -> None:
    streams = sequencer()
    assert spans(streams.feed(log_frame(0, 5), SIZE)) == [("log", 0, 5)]
    assert streams.feed(log_frame(0, 5), SIZE) == []


def test_a_frame_that_overlaps_is_trimmed() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    (fresh,) = streams.feed(log_frame(3, 8), SIZE)
    assert (fresh.first, fresh.next, len(fresh.lines)) == (5, 8, 3)


def test_a_hole_is_asked_for_and_filled_in_order() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    assert streams.feed(log_frame(10, 15), SIZE) == []
    assert streams.questions() == [Question(STREAM, EPOCH, 5, 10)]
    filled = streams.feed(log_frame(5, 12), SIZE)
    assert spans(filled) == [("log", 5, 12), ("log", 12, 15)]
    assert streams.questions() == []


def test_what_no_journal_has_comes_as_a_gap() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    streams.feed(log_frame(10, 15), SIZE)
    settled = streams.settle(EPOCH, 10, why())
    assert spans(settled) == [("gap", 5, 10), ("log", 10, 15)]
    assert settled[0].reason == "unreachable"


def test_a_brokers_gap_is_asked_for_before_it_is_delivered_with_its_reason() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    assert streams.feed(gap_frame(5, 8), SIZE) == []
    streams.feed(log_frame(12, 15), SIZE)
    assert streams.questions() == [Question(STREAM, EPOCH, 5, 12)]
    settled = streams.settle(EPOCH, 12, why())
    assert spans(settled) == [("gap", 5, 8), ("gap", 8, 12), ("log", 12, 15)]
    assert [frame.reason for frame in settled[:2]] == ["limit", "unreachable"]


def test_another_brokers_copy_fills_a_gap() -> None:
    streams = sequencer()
    streams.feed(gap_frame(0, 8), SIZE)
    assert spans(streams.feed(log_frame(0, 8), SIZE)) == [("log", 0, 8)]
    assert streams.questions() == []


def test_a_heartbeat_beyond_the_last_line_is_a_hole_at_the_tail() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    assert streams.feed(heartbeat(9)) == []
    assert streams.questions() == [Question(STREAM, EPOCH, 5, 9)]


def test_live_begins_at_the_first_position_that_is_told() -> None:
    streams = sequencer("live")
    streams.feed(heartbeat(100))
    assert streams.questions() == []
    assert spans(streams.feed(log_frame(98, 102), SIZE)) == [("log", 100, 102)]


def test_a_negative_start_goes_back_that_many_lines() -> None:
    streams = sequencer(-30)
    streams.feed(heartbeat(100))
    assert streams.questions() == [Question(STREAM, EPOCH, 70, 100)]


def test_a_line_number_is_where_it_starts() -> None:
    streams = sequencer(40)
    streams.feed(heartbeat(100))
    assert streams.questions() == [Question(STREAM, EPOCH, 40, 100)]
    assert streams.feed(log_frame(0, 40), SIZE) == []


def test_an_end_before_the_line_where_it_starts_is_delivered_and_lines_are_not() -> None:
    streams = sequencer(15)
    streams.feed(heartbeat(10))
    assert spans(streams.feed(point_frame("end", 10))) == [("end", 10, 10)]
    assert streams.ended
    assert spans(streams.feed(log_frame(10, 20), SIZE)) == [("log", 15, 20)]
    assert not streams.ended


def test_a_job_that_was_over_before_the_line_where_it_starts_is_asked_for_its_end() -> None:
    streams = sequencer(15)
    streams.feed(heartbeat(10, state="ended", status="FAILED"))
    (question,) = streams.questions()
    assert question == Question(STREAM, EPOCH, 10, None)
    (end,) = streams.answered(question)  # no journal had it
    assert (end.kind, end.status, end.first) == ("end", "FAILED", 10)


def test_an_earlier_end_that_comes_again_is_not_delivered() -> None:
    streams = sequencer("live")
    streams.feed(heartbeat(100))
    assert streams.feed(point_frame("end", 50)) == []


def test_a_log_nobody_tells_of_is_asked_for_whole_once_where_it_has_no_such_line() -> None:
    streams = sequencer(15)
    streams.ask_from_start()
    for first in (15, 0):
        (question,) = streams.questions()
        assert question == Question(STREAM, "", first, None)
        assert streams.answered(question) == []
    assert streams.questions() == []


def test_a_job_without_lines_yet_is_live_from_its_first_line() -> None:
    streams = sequencer("live")
    streams.feed(heartbeat(0, epoch=""))
    streams.feed(log_frame(5, 8), SIZE)
    assert streams.questions() == [Question(STREAM, EPOCH, 0, 5)]


def test_a_new_epoch_begins_at_line_0_and_the_old_one_is_asked_for_its_tail() -> None:
    streams = sequencer("live")
    streams.feed(log_frame(50, 60), SIZE)
    reset = Frame("reset", *STREAM, 0, 0, epoch="b" * 12, reason="truncated")
    assert spans(streams.feed(reset)) == [("reset", 0, 0)]
    assert streams.feed(reset) == []
    assert spans(streams.feed(log_frame(0, 5, epoch="b" * 12), SIZE)) == [("log", 0, 5)]
    assert streams.questions()[0] == Question(STREAM, EPOCH, 60, None)


def test_an_end_waits_for_the_lines_before_it() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    assert streams.feed(point_frame("end", 9)) == []
    assert spans(streams.feed(log_frame(5, 9), SIZE)) == [("log", 5, 9), ("end", 9, 9)]


def test_lines_after_an_end_are_delivered() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    streams.feed(point_frame("end", 5))
    assert streams.ended
    assert spans(streams.feed(log_frame(5, 7), SIZE)) == [("log", 5, 7)]
    assert not streams.ended


def test_two_brokers_say_an_end_and_a_status_once() -> None:
    streams = sequencer()
    status = replace(point_frame("status", 0), run=7)
    assert len(streams.feed(replace(status, broker="a", epoch=""))) == 1
    assert streams.feed(replace(status, broker="b")) == []
    for broker in "ab":
        streams.feed(replace(log_frame(0, 5), broker=broker), SIZE)
    assert len(streams.feed(replace(point_frame("end", 5), broker="a"))) == 1
    assert streams.feed(replace(point_frame("end", 5), broker="b")) == []


def test_a_heartbeat_after_a_lost_end_asks_for_it() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    streams.feed(heartbeat(5, state="ended", status="FAILED"))
    (question,) = streams.questions()
    assert question == Question(STREAM, EPOCH, 5, None)
    (end,) = streams.answered(question)  # no journal had it
    assert (end.kind, end.status, end.first) == ("end", "FAILED", 5)
    assert streams.questions() == []


def test_an_amended_line_comes_again_and_is_no_repeat() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    amended = replace(log_frame(4, 7), amends=True)
    (fresh,) = streams.feed(amended, SIZE)
    assert (fresh.first, fresh.next, fresh.amends) == (4, 7, True)
    assert streams.feed(amended, SIZE) == []


def test_another_broker_that_read_the_whole_line_amends_a_partial_one() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    (fresh,) = streams.feed(log_frame(0, 6), SIZE)
    assert (fresh.first, fresh.next, fresh.amends) == (4, 6, True)


@pytest.mark.parametrize(
    "told", [heartbeat(6), heartbeat(6, state="ended", status="FAILED"), log_frame(6, 8)]
)
def test_what_follows_a_partial_line_is_asked_for_together_with_it(told: Frame) -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    streams.feed(told, SIZE)
    (question,) = streams.questions()
    assert question.first == 4
    (fresh, *_) = streams.feed(log_frame(4, 6), SIZE)
    assert (fresh.first, fresh.next, fresh.amends) == (4, 6, True)


def test_a_new_epoch_asks_for_the_tail_of_the_old_one_with_its_partial_line() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    streams.feed(replace(log_frame(0, 3), epoch="another"), SIZE)
    assert streams.questions()[0] == Question(STREAM, EPOCH, 4, None)


def test_lines_after_a_partial_one_wait_until_its_end_was_asked_for() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    assert streams.feed(log_frame(5, 8), SIZE) == []  # of a broker that read line 4 whole
    assert streams.questions() == [Question(STREAM, EPOCH, 4, 5, whole=True)]
    amended, rest = streams.feed(log_frame(3, 5), SIZE)
    assert (amended.first, amended.next, amended.amends) == (4, 5, True)
    assert spans([rest]) == [("log", 5, 8)]


def test_lines_after_a_partial_one_go_on_where_no_journal_has_its_end() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    streams.feed(log_frame(5, 8), SIZE)
    (question,) = streams.questions()
    assert streams.settle(EPOCH, 5, why()) == []  # asked for before lines that follow were seen
    assert streams.questions() == [question]
    assert spans(streams.settle(EPOCH, 5, why(), whole=True)) == [("log", 5, 8)]


def test_a_partial_line_that_no_journal_had_more_of_can_still_be_amended() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    streams.settle(EPOCH, 5, why())
    (fresh,) = streams.feed(replace(log_frame(4, 6), amends=True), SIZE)
    assert (fresh.first, fresh.next, fresh.amends) == (4, 6, True)


def test_a_heartbeat_has_a_partial_last_line_asked_for_whose_growth_no_number_shows() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5, partial=True), SIZE)
    streams.feed(replace(point_frame("end", 5), run=1), SIZE)
    for asked_at, expected in ((10, 1), (3_000, 0)):  # seconds; a log is not looked at for ever
        told = heartbeat(5, state="ended", run=1, ts=asked_at * 10**9)
        streams.feed(told)
        questions = streams.questions()
        assert questions == [Question(STREAM, EPOCH, 4, None)] * expected
        for question in questions:
            streams.answered(question)
    streams.feed(heartbeat(5, state="ended", run=1))  # of a survey, after a loss
    (question,) = streams.questions()
    (fresh,) = streams.feed(log_frame(4, 5), SIZE)
    assert (fresh.first, fresh.next, fresh.amends) == (4, 5, True)
    streams.answered(question)
    assert streams.questions() == []


def test_a_partial_line_that_is_shorter_as_it_grew_into_a_secret_is_no_repeat() -> None:
    streams = sequencer()
    ours = replace(log_frame(4, 5, partial=True), lines=["key=0123456789"], ts=1)
    grown = replace(ours, lines=["[REDACTED]"], amends=True, ts=2)
    streams.feed(log_frame(0, 4), SIZE)
    assert len(streams.feed(ours, SIZE)) == 1
    assert len(streams.feed(grown, SIZE)) == 1
    assert streams.feed(ours, SIZE) == []
    assert streams.feed(grown, SIZE) == []


def test_a_second_end_of_a_run_that_was_lost_is_asked_for() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    streams.feed(replace(point_frame("end", 5), run=1))
    streams.feed(log_frame(5, 8), SIZE)
    streams.feed(heartbeat(8, state="ended", run=1))
    assert streams.questions() == [Question(STREAM, EPOCH, 8, None)]


def test_an_end_is_found_though_another_broker_tells_of_an_earlier_one_again_and_again() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 9), SIZE)
    for at in (5, 9):
        streams.feed(heartbeat(at, state="ended", run=1, status="FAILED"))
    streams.feed(heartbeat(5, state="ended", run=1, status="FAILED"))
    ends = [
        end for _ in range(3) for asked in streams.questions() for end in streams.answered(asked)
    ]
    assert spans(ends) == [("end", 9, 9)]


def test_an_end_that_comes_late_does_not_make_the_last_one_forgotten() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 9), SIZE)
    for at in (9, 5):
        streams.feed(replace(point_frame("end", at), run=1))
    assert streams.ended
    streams.feed(heartbeat(9, state="ended", run=1))
    assert streams.questions() == []


def test_an_end_told_of_while_an_answer_is_under_way_is_asked_for_once_more() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    streams.feed(heartbeat(5, state="ended", run=1))
    (question,) = streams.questions()
    streams.feed(heartbeat(5, state="ended", run=1))
    assert streams.answered(question) == []
    assert streams.questions() == [question]
    assert spans(streams.answered(question)) == [("end", 5, 5)]


def test_the_tail_of_a_replaced_file_is_asked_for_again_where_a_journal_was_away() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    streams.feed(log_frame(0, 3, epoch="another"), SIZE)
    for question in streams.questions():
        streams.answered(question, again=True)
    assert streams.questions() == []
    streams.feed(heartbeat(3, epoch="another"))
    assert Question(STREAM, EPOCH, 5, None) in streams.questions()


def test_an_older_file_that_a_lagging_broker_tells_of_is_asked_for_to_its_end() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 3, epoch="another"), SIZE)
    streams.feed(log_frame(0, 5), SIZE)
    assert Question(STREAM, EPOCH, 5, None) in streams.questions()


def test_a_file_whose_position_was_let_go_of_is_not_begun_again() -> None:
    streams = sequencer()
    for epoch in range(70):
        streams.feed(log_frame(0, 3, epoch=f"{epoch}"), SIZE)
        for question in streams.questions():
            streams.answered(question)
    assert streams.feed(log_frame(0, 3, epoch="0"), SIZE) == []
    assert streams.settle("0", 9, why()) == []


def test_an_amendment_of_a_line_that_never_came_is_the_line() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 4), SIZE)
    (fresh,) = streams.feed(replace(log_frame(4, 6), amends=True), SIZE)
    assert (fresh.first, fresh.amends) == (4, False)


def test_what_does_not_fit_while_it_waits_is_asked_for_later() -> None:
    streams = sequencer(budget=2_000)
    streams.feed(log_frame(0, 5), SIZE)
    for first in range(10, 100, 5):
        streams.feed(log_frame(first, first + 5), SIZE)
    (question,) = streams.questions()
    assert question == Question(STREAM, EPOCH, 5, 10)
    delivered = streams.feed(log_frame(5, 10), SIZE)
    upto = delivered[-1].next
    assert 10 < upto < 100
    assert streams.questions() == [Question(STREAM, EPOCH, upto, 100)]


def at(line: int) -> Sequencer:
    return Sequencer(STREAM, "live", Budget(1 << 20), Stats(), (EPOCH, line))


def test_from_a_position_the_lines_since_then_are_asked_for() -> None:
    streams = at(20)
    assert streams.feed(log_frame(50, 60), SIZE) == []
    assert streams.questions() == [Question(STREAM, EPOCH, 20, 50)]
    assert spans(streams.feed(log_frame(0, 50), SIZE)) == [("log", 20, 50), ("log", 50, 60)]


def test_from_a_position_in_a_file_that_was_replaced_its_rest_and_the_new_one_come() -> None:
    streams = at(20)
    (fresh,) = streams.feed(replace(log_frame(0, 5), epoch="other"), SIZE)
    assert (fresh.epoch, fresh.first) == ("other", 0)
    assert streams.questions()[0] == Question(STREAM, EPOCH, 20, None)


def test_a_position_that_nobody_tells_of_is_asked_for_to_its_end() -> None:
    streams = at(20)
    streams.ask_from_start()
    assert streams.questions()[0] == Question(STREAM, EPOCH, 20, None)


def test_a_file_that_came_and_went_unheard_is_asked_for_whole() -> None:
    streams = sequencer()
    streams.feed(log_frame(0, 5), SIZE)
    streams.feed(replace(log_frame(0, 3), epoch="third"), SIZE)
    streams.learn(["before", EPOCH, "second", "third"])
    assert Question(STREAM, "second", 0, None) in streams.questions()
    assert not any(question.epoch == "before" for question in streams.questions())
    newest, _ = streams.reached or ("", 0)
    assert newest == "third"
