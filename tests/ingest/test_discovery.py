"""Which jobs are new and which are gone, listing by listing."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest

from broker.ingest.discovery import CLOCK_SKEW_MS, Discovery
from broker.sources.ray_api import RayJob

LOST_AFTER = 300.0


def job(name: str, status: str = "RUNNING", run: int = 1) -> RayJob:
    return RayJob(submission_id=name, status=status, start_time=run)


def discovery(
    *,
    patterns: Sequence[str] = ("*",),
    follow_all: bool = False,
    resume: Collection[str] = (),
    since: int | None = None,
    ended: Collection[tuple[str, int]] = (),
) -> Discovery:
    return Discovery("ray", patterns, follow_all, LOST_AFTER, resume, since, ended)


def followed(of: Discovery, jobs: list[RayJob], now: float = 0.0) -> list[str | None]:
    return [found.submission_id for found in of.listing(jobs, now).follow]


def test_of_the_first_listing_what_is_not_over_is_followed() -> None:
    jobs = [job("a"), job("b", "SUCCEEDED"), job("c", "PENDING"), job("d", "STOPPED")]
    assert followed(discovery(), jobs) == ["a", "c"]


def test_follow_all_takes_what_is_over_too() -> None:
    assert followed(discovery(follow_all=True), [job("a"), job("b", "FAILED")]) == ["a", "b"]


def test_of_later_listings_every_new_job_is_followed_over_or_not() -> None:
    found = discovery()
    followed(found, [job("a", "SUCCEEDED")])
    later = [job("a", "SUCCEEDED"), job("b", "SUCCEEDED"), job("c")]
    assert followed(found, later) == ["b", "c"]
    assert followed(found, later) == []


def test_a_change_of_status_is_nothing_new() -> None:
    found = discovery()
    followed(found, [job("a", "PENDING")])
    result = found.listing([job("a", "SUCCEEDED")], 1.0)
    assert result.follow == []
    assert [known.status for known in result.known] == ["SUCCEEDED"]


def test_an_id_submitted_again_is_new() -> None:
    found = discovery()
    followed(found, [job("a", "SUCCEEDED", run=1)])
    assert followed(found, [job("a", "FAILED", run=2)]) == ["a"]


def test_a_listing_cut_short_brings_no_finished_job_back() -> None:
    found = discovery()
    followed(found, [job("a", "SUCCEEDED"), job("b", "SUCCEEDED")])
    followed(found, [job("b", "SUCCEEDED")])
    assert followed(found, [job("a", "SUCCEEDED"), job("b", "SUCCEEDED")]) == []


def test_an_empty_first_listing_is_a_baseline_too() -> None:
    found = discovery()
    followed(found, [])
    assert followed(found, [job("a", "SUCCEEDED")]) == ["a"]


def test_what_ran_when_the_daemon_went_down_is_followed_though_it_is_over() -> None:
    found = discovery(resume=["a"])
    assert followed(found, [job("a", "SUCCEEDED"), job("b", "SUCCEEDED")]) == ["a"]


def test_what_began_and_ended_while_the_daemon_was_down_is_followed() -> None:
    since = 10_000_000
    found = discovery(since=since, ended=[("read", since)])
    jobs = [
        job("old", "SUCCEEDED", since - 10 * CLOCK_SKEW_MS),
        job("skewed", "SUCCEEDED", since - CLOCK_SKEW_MS // 2),
        job("missed", "SUCCEEDED", since + 1),
        job("read", "SUCCEEDED", since),
    ]
    assert followed(found, jobs) == ["skewed", "missed"]


def test_a_new_run_of_a_job_that_was_read_to_its_end_is_followed() -> None:
    found = discovery(since=1_000, ended=[("a", 1_000)])
    assert followed(found, [job("a", "SUCCEEDED", 2_000)]) == ["a"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["train-*"], ["train-1", "train-2"]),
        (["ray/train-1"], ["train-1"]),
        (["other/*"], []),
        (["*-1", "eval"], ["train-1", "eval"]),
    ],
)
def test_jobs_are_picked_by_their_patterns(patterns: list[str], expected: list[str]) -> None:
    found = discovery(patterns=patterns, resume=["train-1", "eval", "x"])
    jobs = [job("train-1"), job("train-2"), job("eval")]
    assert followed(found, jobs) == expected
    assert set(found.resume) <= set(expected)


def test_an_invalid_id_is_skipped_with_its_reason() -> None:
    result = discovery(follow_all=True).listing([job("a/b"), job("x" * 101), job("a\n")], 0.0)
    assert result.follow == result.known == []
    assert result.skipped.keys() == {"a/b", "x" * 101, "a\n"}
    assert all("job id" in reason for reason in result.skipped.values())


def test_an_interactive_driver_is_skipped_with_its_reason() -> None:
    result = discovery().listing([RayJob(type="DRIVER", job_id="02000000"), RayJob()], 0.0)
    assert result.skipped.keys() == {"02000000"}
    assert "no log file" in result.skipped["02000000"]


def test_a_job_is_lost_only_after_it_was_missing_for_so_long() -> None:
    found = discovery()
    found.listing([job("a"), job("b")], 0.0)
    assert found.listing([job("b")], 10.0).lost == []
    assert found.listing([job("b")], 10.0 + LOST_AFTER - 0.1).lost == []
    assert found.listing([job("b")], 10.0 + LOST_AFTER).lost == ["a"]


def test_a_job_that_was_missing_for_a_while_is_not_lost() -> None:
    found = discovery()
    found.listing([job("a")], 0.0)
    found.listing([], 10.0)
    found.listing([job("a")], 200.0)
    found.listing([], 210.0)
    assert found.listing([], 10.0 + LOST_AFTER).lost == []
    assert found.listing([], 210.0 + LOST_AFTER).lost == ["a"]


def test_a_job_of_before_the_restart_that_the_head_does_not_know_is_lost() -> None:
    found = discovery(resume=["a"])
    assert found.listing([], 0.0).lost == []
    assert found.listing([], LOST_AFTER).lost == ["a"]


def test_a_job_that_is_over_is_not_lost() -> None:
    found = discovery()
    found.listing([job("a")], 0.0)
    found.retired("a")
    found.listing([], 10.0)
    assert found.listing([], 10.0 + LOST_AFTER).lost == []


def test_a_job_that_was_lost_is_new_should_it_come_back() -> None:
    found = discovery()
    found.listing([job("a")], 0.0)
    found.retired("a", lost=True)
    assert followed(found, [job("a")], 1.0) == ["a"]


def test_a_job_there_was_no_place_for_is_new_in_the_next_listing() -> None:
    found = discovery()
    followed(found, [])
    assert followed(found, [job("a"), job("b")]) == ["a", "b"]
    found.forget(job("b"))
    assert followed(found, [job("a"), job("b")]) == ["b"]


def test_a_finished_job_that_was_read_to_its_end_before_is_not_read_again() -> None:
    discovery = Discovery("default", ["*"], True, 300.0, ended=[("old", 5)])
    jobs = [
        RayJob(submission_id="old", status="SUCCEEDED", start_time=5),
        RayJob(submission_id="new", status="SUCCEEDED", start_time=6),
    ]
    assert [job.submission_id for job in discovery.listing(jobs, 0.0).follow] == ["new"]
