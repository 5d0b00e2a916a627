"""What was seen of each log is not shown to the engine again."""

from __future__ import annotations

import msgspec

from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.alerts.store.progress import STALE_NS, Position, Progress
from tests.support.alerting import EPOCH, TS, log

TRAIN = "ray/train-1"


def view(
    next: int, state: str = "streaming", epoch: str = EPOCH, status: str = "RUNNING"
) -> JobView:
    return JobView("ray", "train-1", state, status=status, run=7, epoch=epoch, next=next)  # type: ignore[arg-type]


def status(word: str, kind: str = "status", at: int = 0) -> Frame:
    return Frame(kind, "ray", "train-1", at, at, epoch=EPOCH, status=word, run=7)  # type: ignore[arg-type]


def reached(progress: Progress) -> dict[str, tuple[str, int]]:
    return progress.reached(lambda _stream: True, None, 0)


def test_lines_are_taken_once_and_repeats_are_trimmed() -> None:
    progress = Progress({})
    assert progress.take(log(0, "a", "b")) == log(0, "a", "b")
    assert progress.take(log(0, "a", "b")) is None
    assert progress.take(log(1, "b", "c")) == log(2, "c")
    assert reached(progress) == {TRAIN: (EPOCH, 3)}


def test_a_gap_counts_as_seen() -> None:
    progress = Progress({})
    gap = Frame("gap", "ray", "train-1", 0, 10, epoch=EPOCH, reason="limit")
    assert progress.take(gap) == gap
    assert progress.take(gap) is None
    assert progress.take(log(9, "x", "y")) == log(10, "y")


def test_a_partial_line_is_asked_for_again_and_taken_only_where_it_grew() -> None:
    progress = Progress({})
    progress.take(log(0, "a", "par", partial=True))
    assert reached(progress) == {TRAIN: (EPOCH, 1)}
    assert progress.take(log(1, "par", partial=True)) is None
    grown = log(1, "partial", "c", amends=True)
    assert progress.take(grown) == grown
    assert progress.take(grown) is None


def test_another_file_begins_anew_and_late_lines_of_the_old_one_are_still_taken_once() -> None:
    progress = Progress({})
    progress.take(log(0, "a"))
    assert progress.take(log(0, "x", epoch="bbbbbbbbbbbb")) is not None
    assert progress.take(log(0, "a", "b")) == log(1, "b")
    assert progress.take(log(1, "b")) is None
    assert reached(progress) == {TRAIN: ("bbbbbbbbbbbb", 1)}


def test_what_is_said_of_a_job_is_heard_once_over_restarts_too() -> None:
    progress = Progress({})
    assert progress.take(status("RUNNING")) is not None
    assert progress.take(status("FAILED", "end")) is not None
    blobs = {name: msgspec.msgpack.encode(at) for name, at in progress.changed().items()}
    again = Progress({name: msgspec.msgpack.decode(b, type=Position) for name, b in blobs.items()})
    assert again.take(status("RUNNING")) is None
    assert again.take(status("FAILED", "end")) is None
    assert again.take(status("FAILED", "end", at=5)) is not None  # after lines that came later


def test_what_there_was_before_counts_as_seen() -> None:
    progress = Progress({})
    progress.skip([view(100, "ended", status="FAILED")])
    assert reached(progress) == {TRAIN: (EPOCH, 100)}
    assert progress.take(log(98, "x", "y")) is None
    assert progress.take(status("FAILED", "end", at=100)) is None
    progress.skip([view(90)])
    assert reached(progress) == {TRAIN: (EPOCH, 100)}  # never back


def test_a_job_whose_file_is_not_known_yet_is_read_from_its_beginning() -> None:
    progress = Progress({})
    progress.skip([view(0, "connecting", epoch="")])
    assert reached(progress) == {}
    assert progress.take(log(0, "a")) == log(0, "a")


def test_only_wanted_jobs_are_gone_on_with_and_only_what_moved_is_saved() -> None:
    progress = Progress({TRAIN: Position(EPOCH, 5)})
    assert progress.reached(lambda stream: stream.job == "other", None, 0) == {}
    assert progress.changed() == {}
    progress.take(log(5, "a"))
    assert progress.changed() == {TRAIN: Position(EPOCH, 6, ts=TS)}
    assert progress.changed() == {}
    progress.mark([TRAIN, "ray/unknown"])
    assert progress.changed() == {TRAIN: Position(EPOCH, 6, ts=TS)}


def test_a_job_that_no_broker_tells_of_is_asked_for_only_while_it_may_go_on() -> None:
    now, week = 10**19, STALE_NS
    progress = Progress(
        {
            "ray/listed": Position(EPOCH, 1, ended=True),
            "ray/over": Position(EPOCH, 1, ended=True, ts=now),
            "ray/silent": Position(EPOCH, 1, ts=now - week - 1),
            "ray/open": Position(EPOCH, 1, ts=now - week),
        }
    )
    found = progress.reached(lambda _stream: True, {Stream("ray", "listed")}, now)
    assert set(found) == {"ray/listed", "ray/open"}
    assert len(progress.reached(lambda _stream: True, None, now)) == 4


def test_lines_after_an_end_open_a_job_again() -> None:
    progress = Progress({})
    progress.take(log(0, "a"))
    progress.take(status("FAILED", "end", at=1))
    assert progress.changed()[TRAIN].ended
    progress.take(log(1, "b"))
    assert not progress.changed()[TRAIN].ended


def test_a_line_that_became_whole_while_we_were_away_is_seen_whole() -> None:
    progress = Progress({TRAIN: Position(EPOCH, 2, partial=True)})
    whole = progress.take(log(0, "a", "par: CUDA out of memory", "c"))
    assert whole == log(1, "par: CUDA out of memory", "c", amends=True)
    assert progress.take(log(0, "a", "par: CUDA out of memory", "c")) is None
