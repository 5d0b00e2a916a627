"""Since when a job is listened to."""

from __future__ import annotations

from broker.topic import Stream
from subscribers.alerts.store.eras import Era, Eras

TRAIN, OTHER = Stream("ray", "train-1"), Stream("ray", "other")


def test_what_was_printed_before_the_first_start_is_old() -> None:
    eras = Eras()
    assert not eras.is_old(TRAIN, 0)
    eras.begin(["*"], 1000)
    assert eras.is_old(TRAIN, 999)
    assert not eras.is_old(TRAIN, 1000)


def test_jobs_that_are_named_later_count_from_then_and_others_from_before() -> None:
    eras = Eras()
    eras.begin(["train-*"], 1000)
    eras.begin(["*"], 2000)
    assert not eras.is_old(TRAIN, 1500)
    assert eras.is_old(TRAIN, 999)
    assert eras.is_old(OTHER, 1999)


def test_a_job_that_was_not_listened_to_for_a_while_counts_from_its_return() -> None:
    eras = Eras()
    for since, patterns in ((1000, ["*"]), (2000, ["train-*"]), (3000, ["*"])):
        eras.begin(patterns, since)
    assert eras.is_old(OTHER, 2500)
    assert not eras.is_old(TRAIN, 1500)


def test_where_places_were_known_no_time_counts_but_that_of_an_era_before_still_does() -> None:
    eras = Eras()
    eras.begin(["train-*"], 1000)
    eras.begin(["*"], 0)
    assert eras.is_old(TRAIN, 999)
    assert not eras.is_old(OTHER, 1)


def test_they_go_on_after_a_restart_and_are_bounded() -> None:
    eras = Eras()
    for since in range(100):
        eras.begin([f"job-{since % 2}", "train-*"], since)
    again = Eras(eras.all)
    assert again.patterns == ["job-1", "train-*"]
    assert len(again.all) == 20
    assert not again.is_old(TRAIN, 80)


def test_one_without_a_time_makes_nothing_old() -> None:
    assert not Eras([Era(0, ["*"])]).is_old(TRAIN, 0)
