from __future__ import annotations

import pytest

from broker.frame import Frame
from subscribers.recognition.levels import Level
from subscribers.recognition.recogniser import Recogniser
from subscribers.recognition.workers import Worker

TRACEBACK = [
    "(f pid=1) Traceback (most recent call last):",
    '(f pid=1)   File "a.py", line 1, in f',
    "(f pid=1)     call()",
    "(f pid=1) ValueError: boom [repeated 3x across cluster]",
]


def frame(first: int, lines: list[str], **fields: object) -> Frame:
    frame = {"epoch": "e", **fields}
    return Frame("log", "c", "j", first, first + len(lines), lines=lines, **frame)  # type: ignore[arg-type]


def test_everything_about_a_frame_s_lines_is_told() -> None:
    marks = Recogniser().mark(frame(0, ["INFO:root:x", *TRACEBACK, "plain"]))
    assert list(marks.levels) == [2, 4, 4, 4, 4, 0]
    assert marks.roles == ".Tttt."
    assert marks.workers == [Worker(index, "f pid=1", 10) for index in range(1, 5)]
    assert marks.repeats == [(4, 3)]


def test_a_line_of_a_traceback_keeps_a_level_of_its_own() -> None:
    lines = ["CRITICAL:root:x Traceback (most recent call last):", '  File "a.py", line 1']
    assert list(Recogniser().mark(frame(0, lines)).levels) == [Level.CRITICAL, Level.ERROR]


def test_a_traceback_goes_on_in_the_next_frame() -> None:
    recogniser = Recogniser()
    assert recogniser.mark(frame(0, TRACEBACK[:2])).roles == "Tt"
    assert recogniser.open
    assert recogniser.mark(frame(2, TRACEBACK[2:])).roles == "tt"


@pytest.mark.parametrize("after", [{"first": 3}, {"first": 0}, {"first": 2, "epoch": "other"}])
def test_another_epoch_or_a_hole_begins_anew(after: dict[str, object]) -> None:
    recogniser = Recogniser()
    recogniser.mark(frame(0, TRACEBACK[:2]))
    assert recogniser.mark(frame(lines=TRACEBACK[2:], **after)).roles == ".."  # type: ignore[arg-type]


def test_a_last_line_that_grew_is_judged_again_where_it_stands() -> None:
    recogniser = Recogniser()
    half = frame(0, [*TRACEBACK[:3], "(f pid=1) "], partial=True)
    assert recogniser.mark(half).roles == "Ttt."
    whole = frame(3, [TRACEBACK[3], "(f pid=1) plain"], amends=True)
    assert recogniser.mark(whole).roles == "t."


def test_lines_after_one_without_its_end_go_on_from_it() -> None:
    recogniser = Recogniser()
    recogniser.mark(frame(0, TRACEBACK[:3], partial=True))
    assert recogniser.mark(frame(3, TRACEBACK[3:])).roles == "t"


def test_a_traceback_and_the_error_line_before_it_are_one_error() -> None:
    lines = [
        "ERROR train: could not save",
        "Traceback (most recent call last):",
        '  File "train.py", line 3, in <module>',
        "ValueError: no",
        "INFO train: goes on",
        "Traceback (most recent call last):",
        '  File "train.py", line 9, in <module>',
        "KeyError: 'x'",
        "ERROR train: one",
        "ERROR train: two",
    ]
    assert Recogniser().mark(frame(0, lines)).errors == 4
