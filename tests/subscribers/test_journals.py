"""A question put to several journals that each lack something."""

from __future__ import annotations

from collections.abc import Container
from typing import cast

from broker.frame import Frame, replace
from subscribers.journals import Answer
from subscribers.replay import JournalClient
from subscribers.sequencer import Question
from tests.support.journal_records import EPOCH, STREAM, gap_frame, log_frame, point_frame, record
from tests.support.publishing import Files, Publishing

ALL = Question(STREAM, EPOCH, 0, None)


def journal(name: str, *frames: Frame) -> Publishing:
    broker = Publishing(name, Files())
    broker.journal.append([record(frame) for frame in frames])
    return broker


def spans(
    answer: Answer, *brokers: Publishing, waited_for: Container[str] = ()
) -> list[tuple[str, int, int]]:
    got: list[Frame] = []
    clients = cast("list[JournalClient]", brokers)
    answer.read(clients, lambda frame, _: got.append(frame), waited_for)
    return [(frame.kind, frame.first, frame.next) for frame in got]


def test_what_one_journal_has_of_anothers_gap_comes_though_it_lacks_the_beginning() -> None:
    first = journal("a", gap_frame(0, 10), log_frame(10, 12))
    second = journal("b", gap_frame(0, 3), log_frame(3, 10))
    assert spans(Answer(Question(STREAM, EPOCH, 0, 12)), first, second) == [
        ("gap", 0, 3), ("log", 3, 10), ("log", 10, 12),
    ]  # fmt: skip


def test_a_third_journal_fills_what_two_lack() -> None:
    first, second = journal("a", gap_frame(0, 10)), journal("b", gap_frame(0, 3), log_frame(3, 10))
    third = journal("c", log_frame(0, 3))
    assert spans(Answer(Question(STREAM, EPOCH, 0, 10)), first, second, third) == [
        ("log", 0, 3), ("log", 3, 10),
    ]  # fmt: skip


def test_the_end_of_a_partial_line_comes_from_the_journal_that_has_it() -> None:
    first = journal("a", log_frame(0, 5, partial=True), log_frame(6, 8))
    second = journal("b", log_frame(0, 6))
    assert spans(Answer(Question(STREAM, EPOCH, 0, 8)), first, second) == [
        ("log", 0, 5), ("log", 4, 6), ("log", 6, 8),
    ]  # fmt: skip


def test_a_question_to_the_end_is_put_to_every_journal() -> None:
    first = journal("a", log_frame(0, 5))
    second = journal("b", log_frame(0, 8), point_frame("end", 8))
    answer = Answer(ALL)
    assert spans(answer, first, second) == [("log", 0, 5), ("log", 5, 8), ("end", 8, 8)]
    assert answer.complete


def test_a_question_to_the_end_is_not_answered_while_a_journal_is_away() -> None:
    first, second = journal("a", log_frame(0, 5)), journal("b", log_frame(0, 8))
    second.up = False
    answer = Answer(ALL)
    assert spans(answer, first, second) == [("log", 0, 5)]
    assert not answer.complete
    second.up = True
    assert spans(answer, first, second) == [("log", 5, 8)]
    assert answer.complete


def test_a_gap_is_held_back_while_a_journal_is_away_that_may_have_the_lines() -> None:
    first = journal("a", log_frame(0, 5), gap_frame(5, 8), log_frame(8, 10))
    second = journal("b", log_frame(0, 10))
    second.up = False
    answer = Answer(Question(STREAM, EPOCH, 0, 10))
    assert spans(answer, first, second, waited_for={second.base}) == [("log", 0, 5)]
    assert not answer.complete
    second.up = True
    assert spans(answer, first, second, waited_for={second.base}) == [("log", 5, 9), ("log", 8, 10)]


def test_a_gap_comes_with_what_follows_it_once_nobody_is_waited_for_any_more() -> None:
    first = journal("a", log_frame(0, 5), gap_frame(5, 8), log_frame(8, 10))
    second = journal("b")
    second.up = False
    answer = Answer(Question(STREAM, EPOCH, 0, 10))
    spans(answer, first, second, waited_for={second.base})
    assert spans(answer, first, second) == [("gap", 5, 8), ("log", 8, 10)]
    assert answer.complete


def test_another_journal_is_asked_for_the_same_file_though_its_newest_is_another_one() -> None:
    first = journal("a", log_frame(0, 5), gap_frame(5, 8))
    second = journal("b", log_frame(0, 8), replace(log_frame(0, 2), epoch="b" * 12))
    assert spans(Answer(Question(STREAM, "", 0, None)), first, second) == [
        ("log", 0, 5), ("log", 5, 8),
    ]  # fmt: skip
