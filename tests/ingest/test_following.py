"""From a stand-in's log to frames, over each protocol."""

from __future__ import annotations

import pytest

from broker.config.config import LimitsConfig
from tests.support.followed import Followed, log_of
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

PROTOCOLS = ("http", "websocket", "auto")
NUMBERED = b"".join(b"line %d\n" % n for n in range(5_000))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_job_is_followed_from_its_first_line_to_its_end(
    standin: RayStandIn, protocol: str
) -> None:
    standin.add_job("job-1")
    with Followed(standin.url, protocol=protocol) as followed:
        standin.append("job-1", NUMBERED[:20_000])
        followed.until_lines("job-1", 100)
        standin.append("job-1", NUMBERED[20_000:])
        standin.finish("job-1")
        end = followed.until_end("job-1")
        assert followed.lines("job-1") == log_of(standin.log_path("job-1"))
        assert (end.status, end.complete, end.first) == ("SUCCEEDED", True, 5_000)
        statuses = [frame.status for frame in followed.frames("job-1", "status")]
        assert statuses == ["RUNNING", "SUCCEEDED"]


def test_protocols_give_the_same_epoch_numbers_and_text(standin: RayStandIn) -> None:
    hostile = b"a\r\nb\rc\n\n\x1b[31mred\x1b[0m\n\xe2\x80\xa8x\xc2\x85\n" + NUMBERED
    standin.add_job("job-1")
    standin.append("job-1", hostile)
    standin.finish("job-1")
    seen = []
    for protocol in PROTOCOLS:
        with Followed(standin.url, protocol=protocol, follow="all") as followed:
            end = followed.until_end("job-1")
            seen.append((end.epoch, end.next, followed.lines("job-1")))
    assert seen[0] == seen[1] == seen[2]


def test_a_job_that_was_over_before_the_first_discovery_is_left_alone(standin: RayStandIn) -> None:
    standin.add_job("old")
    standin.append("old", b"x\n")
    standin.finish("old")
    with Followed(standin.url) as followed:
        wait_until(lambda: followed.ingest.answered, 5, "the first discovery")
        standin.add_job("new")
        standin.append("new", b"y\n")
        standin.finish("new")
        followed.until_end("new")
        assert followed.frames("old") == []


def test_a_last_line_without_an_end_is_published_as_partial(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", b"one\ntwo")
    standin.finish("job-1")
    with Followed(standin.url, follow="all") as followed:
        followed.until_end("job-1")
        last = followed.frames("job-1", "log")[-1]
        assert (last.lines, last.first, last.partial) == (["two"], 1, True)


def test_a_partial_line_that_grows_after_the_end_is_amended(
    standin: RayStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.ingest.worker.LINGER_POLL", 0.05)
    standin.add_job("job-1")
    standin.append("job-1", b"one\ntwo")
    standin.finish("job-1")
    with Followed(standin.url, follow="all") as followed:
        followed.until_end("job-1")
        standin.append("job-1", b" and a half\nthree\n")
        wait_until(lambda: len(followed.frames("job-1", "end")) == 2, 10, "a second end")
        assert followed.lines("job-1") == ["one", "two and a half", "three"]
        assert [f.amends for f in followed.frames("job-1", "log")] == [False, False, True, False]


def test_an_id_submitted_again_goes_on_with_its_numbers(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", b"one\n")
    standin.finish("job-1")
    with Followed(standin.url, follow="all") as followed:
        first = followed.until_end("job-1")
        standin.add_job("job-1")
        standin.append("job-1", b"two\n")
        standin.finish("job-1", "FAILED")
        wait_until(lambda: len(followed.frames("job-1", "end")) == 2, 10, "a second end")
        assert followed.lines("job-1") == ["one", "two"]
        second = followed.frames("job-1", "end")[-1]
        assert (second.epoch, second.status, second.run > first.run) == (
            first.epoch,
            "FAILED",
            True,
        )


@pytest.mark.parametrize("how", ["truncated", "replaced"])
def test_a_file_that_is_not_the_same_any_more_gets_a_new_epoch(
    standin: RayStandIn, how: str
) -> None:
    standin.add_job("job-1")
    standin.append("job-1", b"first\n" * 100)
    with Followed(standin.url) as followed:
        followed.until_lines("job-1", 100)
        if how == "truncated":
            standin.truncate("job-1")
            wait_until(lambda: followed.view("job-1").resets == 1, 10, "a reset")
            standin.append("job-1", b"first\nand more\n")
        else:
            standin.replace("job-1", b"other\n" * 500)
        standin.finish("job-1")
        end = followed.until_end("job-1")
        old, new = followed.frames("job-1", "log")[0].epoch, end.epoch
        assert new != old
        assert new.startswith(old) == (how == "truncated")
        assert len(followed.frames("job-1", "reset")) == 1
        assert followed.lines("job-1", new) == log_of(standin.log_path("job-1"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_bad_byte_and_a_huge_line_stop_no_stream(standin: RayStandIn, protocol: str) -> None:
    standin.add_job("job-1")
    with Followed(standin.url, protocol=protocol) as followed:
        standin.append("job-1", b"good\n")
        followed.until_lines("job-1", 1)
        standin.append("job-1", b"bad \xff byte\nnul \0 here\n" + b"x" * 5_000_000 + b"\nafter\n")
        followed.until_lines("job-1", 5)
        standin.finish("job-1")
        followed.until_end("job-1")
        lines = followed.lines("job-1")
        assert lines[1:3] == ["bad \ufffd byte", "nul  here"]
        assert lines[3].endswith(" …[truncated 4989760 bytes]")
        assert lines[4] == "after"


def test_over_the_limit_lines_wait_and_none_is_lost(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", NUMBERED)
    standin.finish("job-1")
    limits = LimitsConfig(max_bytes=20_000, window=0.05)
    with Followed(standin.url, limits, follow="all") as followed:
        followed.until_end("job-1")
        assert followed.lines("job-1") == log_of(standin.log_path("job-1"))


def test_dropped_lines_keep_their_numbers_in_gap_frames(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", NUMBERED * 5)
    standin.finish("job-1")
    limits = LimitsConfig(max_lines=8_000, window=60, on_limit="drop")
    with Followed(standin.url, limits, follow="all") as followed:
        end = followed.until_end("job-1")
        frames = followed.frames("job-1", "log", "gap")
        assert end.next == 25_000
        assert [f.first for f in frames[1:]] == [f.next for f in frames[:-1]]
        assert {f.reason for f in frames if f.kind == "gap"} == {"limit"}
        assert followed.view("job-1").dropped == sum(
            f.next - f.first for f in frames if f.kind == "gap"
        )


def test_stop_at_the_limit_says_so_and_ends_incomplete(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", NUMBERED * 5)
    limits = LimitsConfig(max_lines=8_000, window=60, on_limit="stop")
    with Followed(standin.url, limits) as followed:
        end = followed.until_end("job-1")
        (error,) = followed.frames("job-1", "error")
        assert (error.code, end.complete) == (429, False)


def test_a_long_log_met_late_is_skimmed_and_its_end_published(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", NUMBERED * 100)
    with Followed(standin.url, backfill="1MiB") as followed:
        followed.until_lines("job-1", 500_000)
        log = followed.frames("job-1", "log")
        gaps = followed.frames("job-1", "gap")
        assert {gap.reason for gap in gaps} == {"backfill"}
        assert gaps[0].first == 0
        assert gaps[-1].next == log[0].first
        assert log[0].lines[0] == f"line {log[0].first % 5_000}"
        assert 0.9 * 2**20 < sum(len(f.lines) * 10 for f in log) < 1.3 * 2**20


def test_a_daemon_that_comes_back_goes_on_where_it_stood(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", NUMBERED)
    with Followed(standin.url) as before:
        before.until_lines("job-1", 5_000)
        at = before.checkpoint("job-1")
        epoch = before.frames("job-1", "log")[0].epoch
    standin.append("job-1", NUMBERED)
    standin.finish("job-1")
    with Followed(standin.url, checkpoints={"job-1": at}) as after:
        end = after.until_end("job-1")
        log = after.frames("job-1", "log")
        assert (log[0].first, end.next, end.epoch) == (5_000, 10_000, epoch)


def test_the_source_changes_in_the_middle_without_loss_or_repeat(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", NUMBERED)
    with Followed(standin.url) as followed:
        followed.until_lines("job-1", 5_000)
        standin.agent_down()
        standin.append("job-1", NUMBERED)
        followed.until_lines("job-1", 10_000)
        assert followed.view("job-1").source == "state-file"
        standin.finish("job-1")
        followed.until_end("job-1")
        assert followed.lines("job-1") == log_of(standin.log_path("job-1"))


def test_a_job_the_same_head_no_longer_knows_ends_as_lost(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", b"x\n")
    with Followed(standin.url, lost_after=0.3) as followed:
        followed.until_lines("job-1", 1)
        standin.delete("job-1")
        end = followed.until_end("job-1")
        assert (end.status, end.complete) == ("LOST", False)


def test_a_head_out_of_reach_ends_nothing(standin: RayStandIn) -> None:
    standin.add_job("job-1")
    standin.append("job-1", b"x\n")
    with Followed(standin.url, lost_after=0.2) as followed:
        followed.until_lines("job-1", 1)
        standin.dashboard_down()
        standin.agent_down()
        wait_until(lambda: followed.view("job-1").state == "reconnecting", 10, "reconnecting")
        wait_until(lambda: followed.view("job-1").reconnects >= 3, 10, "three attempts")
        assert followed.ingest.trouble
        assert followed.frames("job-1", "end") == []
        standin.dashboard_up()
        standin.agent_up()
        standin.append("job-1", b"y\n")
        followed.until_lines("job-1", 2)


def test_an_invalid_job_id_is_skipped_with_its_reason_and_others_go_on(standin: RayStandIn) -> None:
    standin.add_job("bad.id")
    standin.add_job("good")
    standin.append("good", b"x\n")
    with Followed(standin.url) as followed:
        followed.until_lines("good", 1)
        view = followed.view("bad.id")
        assert view.state == "skipped"
        assert "bad.id" in view.reason


def test_a_log_that_the_agent_lacks_is_read_through_the_dashboard(standin: RayStandIn) -> None:
    with RayStandIn() as another:  # `agent_host` names one node, and the driver ran on another
        standin.add_job("job-1")
        standin.append("job-1", b"one\ntwo\n")
        standin.finish("job-1")
        agent_host = another.agent_url.removeprefix("http://")
        with Followed(standin.url, follow="all", agent_host=agent_host) as followed:
            end = followed.until_end("job-1")
            assert followed.lines("job-1") == ["one", "two"]
            assert (end.next, end.complete) == (2, True)
            assert followed.view("job-1").source == "state-file"
