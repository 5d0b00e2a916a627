"""Logs that were being read when they were first listened to."""

from __future__ import annotations

from typing import Any

from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.alerts.store.backlog import Backlog
from tests.support.alerting import EPOCH, log

TRAIN = Stream("ray", "train-1")


def view(next: int, offset: int | None, size: int | None = 1000, **fields: Any) -> JobView:
    fields = {"status": "RUNNING", "epoch": EPOCH} | fields
    return JobView(*TRAIN, "streaming", next=next, offset=offset, size=size, **fields)


def begun(*views: JobView) -> Backlog:
    backlog = Backlog({})
    backlog.begin(views)
    return backlog


def test_a_log_that_was_read_to_its_end_has_none() -> None:
    for one in (view(9, 1000), view(9, None, None), view(9, None), view(9, 2000)):
        assert not begun(one).holds(TRAIN)


def test_what_a_log_held_is_hidden_until_its_broker_has_read_and_published_it() -> None:
    backlog = begun(view(9, 100))
    assert backlog.hides(log(9, "old"))
    assert backlog.told([view(50, 999)]) == []
    assert backlog.told([view(90, 1000)]) == []
    backlog = Backlog(backlog.all)  # a restart
    assert backlog.hides(log(90, "old, and read already"))
    assert backlog.told([]) == []
    assert backlog.told([caught_up := view(99, 1100)]) == [caught_up]
    assert not backlog.hides(log(99, "new"))
    assert backlog.all == {}


def test_a_job_that_ends_meanwhile_is_told_of_and_one_that_had_ended_is_not() -> None:
    end = Frame("end", *TRAIN, 9, 9, epoch=EPOCH, status="FAILED")
    assert not begun(view(9, 100)).hides(end)
    assert begun(view(9, 100, status="FAILED")).hides(end)


def test_one_that_had_ended_is_old_until_it_runs_again() -> None:
    backlog = begun(view(9, 100, status="FAILED"))
    for _ in range(3):
        assert backlog.told([view(99, 1000, status="FAILED")]) == []
    assert backlog.holds(TRAIN)
    assert backlog.told([view(99, 1000, status="RUNNING")]) == []
    assert backlog.told([view(100, 1010, status="RUNNING")]) != []


def test_another_file_is_new() -> None:
    for one in (view(3, 50, epoch="bbbbbbbbbbbb"), view(3, 50, 60)):
        backlog = begun(view(9, 100))
        assert backlog.told([one]) == [one]


def test_of_several_brokers_the_one_that_is_ahead_counts() -> None:
    assert not begun(view(9, 100), view(99, 1000)).holds(TRAIN)
    backlog = begun(view(9, 100), view(5, 50))
    assert backlog.told([view(99, 1000), view(10, 110)]) == []
    assert backlog.told([view(10, 110), view(99, 1000)]) == [view(99, 1000)]
