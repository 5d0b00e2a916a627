"""`raytap tail` for people who know stern: its options, against a broker on real sockets."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from broker import cli
from broker.frame import Frame, replace
from broker.topic import Stream
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import (
    OTHER,
    SECOND,
    STREAM,
    gap_frame,
    log_frame,
    point_frame,
    text,
)
from tests.support.wait import wait_until

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


def tail(broker: FakeBroker, *arguments: str) -> int:
    places = ["--zeromq", broker.endpoint, "--broker", broker.http]
    return cli.run(["tail", *places, *arguments])


def ended(stream: Stream = STREAM, at: int = 20, status: str = "SUCCEEDED") -> Frame:
    return replace(point_frame("end", at), status=status, cluster=stream.cluster, job=stream.job)


def lines(*texts: str, first: int = 0, stream: Stream = STREAM) -> Frame:
    frame = log_frame(first, first + len(texts), stream)
    return replace(frame, lines=list(texts))


def ago(seconds: float) -> int:
    return time.time_ns() - round(seconds * SECOND)


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def until_it_joined(broker: FakeBroker, *frames: Frame) -> threading.Thread:
    """Publish once somebody listens."""

    def publish() -> None:
        wait_until(lambda: broker.joins)
        broker.publish(*frames)

    writer = threading.Thread(target=publish)
    writer.start()
    return writer


# Which jobs ---------------------------------------------------------------------------------


def test_all_is_every_job(broker: FakeBroker, capfd: Captured) -> None:
    for stream in (STREAM, OTHER):
        broker.publish(log_frame(0, 20, stream), ended(stream), live=False)
    assert tail(broker, "--all", "--no-follow") == 0
    out = capfd.readouterr().out.splitlines()
    assert len(out) == 40
    assert f"{OTHER.job} | {text(0)}" in out


def test_jobs_of_several_clusters_are_told_apart(broker: FakeBroker, capfd: Captured) -> None:
    away = Stream("lab", STREAM.job)
    for stream in (STREAM, away):
        broker.publish(log_frame(0, 2, stream), ended(stream, 2), live=False)
    assert tail(broker, "--all", "--no-follow", "--tail", "1") == 0
    assert sorted(capfd.readouterr().out.splitlines()) == [
        f"lab/job-1 | {text(1)}",
        f"ray/job-1 | {text(1)}",
    ]


@pytest.mark.parametrize("here", [True, False])
def test_a_new_job_joins_and_a_terminal_is_told(
    broker: FakeBroker, capfd: Captured, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: here)
    broker.publish(log_frame(0, 20), live=False)
    shown = 0

    def show(self: object, frame: Frame) -> None:  # the third of the new job's ends the command
        nonlocal shown
        shown += frame.job == OTHER.job and frame.kind == "log"
        if shown == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("subscribers.tail.printer.TextPrinter.show", show)
    new = [log_frame(line, line + 5, OTHER) for line in range(0, 15, 5)]
    writer = until_it_joined(broker, *new)
    assert tail(broker, "job*") == 130
    writer.join()
    assert ("[raytap] + ray/job-12" in capfd.readouterr().err) is here


# Where it begins ----------------------------------------------------------------------------


def test_since_begins_at_a_time(broker: FakeBroker, capfd: Captured) -> None:
    broker.publish(
        log_frame(0, 10, ts=ago(3600)), log_frame(10, 20, ts=ago(60)), ended(), live=False
    )
    for arguments in (["--since", "10m"], ["-s", "10m", "--no-follow"]):
        assert tail(broker, STREAM.job, *arguments) == 0
        out, err = capfd.readouterr()
        assert out.splitlines() == [text(line) for line in range(10, 20)]
        assert "missing" not in err


def test_since_shows_an_older_line_that_grew_meanwhile(broker: FakeBroker, capfd: Captured) -> None:
    begun = replace(lines("begun", first=10), partial=True, ts=ago(3600))
    broker.publish(log_frame(0, 10, ts=ago(3600)), begun, live=False)
    grown = replace(lines("begun, and done", "next", first=10), amends=True, ts=ago(0))
    writer = until_it_joined(broker, grown, ended(at=12))
    assert tail(broker, STREAM.job, "--since", "1m") == 0
    writer.join()
    assert capfd.readouterr().out.splitlines() == ["begun, and done", "next"]


def test_since_shows_a_job_that_starts_later_whole(broker: FakeBroker, capfd: Captured) -> None:
    broker.publish(log_frame(0, 20, ts=ago(3600)), live=False)
    writer = until_it_joined(broker, log_frame(0, 5, OTHER), ended(OTHER, 5), ended())
    assert tail(broker, STREAM.job, OTHER.job, "--since", "1m", "--wait") == 0
    writer.join()
    assert len(capfd.readouterr().out.splitlines()) == 5


def test_of_a_pattern_jobs_that_were_over_before_are_not_told(
    broker: FakeBroker, capfd: Captured
) -> None:
    broker.publish(log_frame(0, 20, ts=ago(3600)), ended(), live=False)
    broker.publish(log_frame(0, 5, OTHER, ts=ago(1)), ended(OTHER, 5), live=False)
    assert tail(broker, "job*", "--since", "1m", "--no-follow") == 0
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 5
    assert "job-12: ended" in err
    assert "job-1: ended" not in err


def test_tail_is_the_last_lines_of_each_job(broker: FakeBroker, capfd: Captured) -> None:
    for stream in (STREAM, OTHER):
        broker.publish(log_frame(0, 20, stream), ended(stream), live=False)
    assert tail(broker, STREAM.job, OTHER.job, "--tail", "2") == 0
    assert sorted(capfd.readouterr().out.splitlines()) == sorted(
        f"{stream.job} | {text(line)}" for stream in (STREAM, OTHER) for line in (18, 19)
    )
    assert tail(broker, STREAM.job, "--tail", "0", "--no-follow") == 0
    assert capfd.readouterr().out == ""


def test_since_and_tail_together_are_the_later_of_both(broker: FakeBroker, capfd: Captured) -> None:
    broker.publish(log_frame(0, 10, ts=ago(99)), log_frame(10, 20, ts=ago(1)), ended(), live=False)
    for arguments, first in ((["--tail", "3"], 17), (["--tail", "15"], 10)):
        for follow in ([], ["--no-follow"]):
            assert tail(broker, STREAM.job, "--since", "30s", *arguments, *follow) == 0
            out = capfd.readouterr().out.splitlines()
            assert out == [text(line) for line in range(first, 20)]


# Which lines --------------------------------------------------------------------------------


SAMPLE = lines("INFO:x:start", "loss 1", "WARNING:x:hot", "loss nan", "ERROR:x:bad")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--include", "loss"], [1, 3]),
        (["-i", "loss", "-i", "hot"], [1, 2, 3]),
        (["--exclude", "loss", "-e", "start"], [2, 4]),
        (["-i", "loss", "-e", "nan"], [1]),
        (["--level", "warning"], [2, 4]),
        (["--level", "ERROR"], [4]),
        (["-i", "nothing"], []),
    ],
)
def test_lines_are_chosen_alike_in_every_output_and_gaps_are_told(
    broker: FakeBroker, capfd: Captured, arguments: list[str], shown: list[int]
) -> None:
    broker.publish(SAMPLE, gap_frame(5, 9), ended(at=9), live=False)
    expected = [SAMPLE.lines[index] for index in shown]
    for output in ("text", "raw"):
        assert tail(broker, STREAM.job, "--no-follow", "-o", output, *arguments) == 0
        out, err = capfd.readouterr()
        assert out.splitlines() == expected
        assert "lines 5 to 8 are missing (limit)" in err
    assert tail(broker, STREAM.job, "-o", "json", *arguments) == 0
    *objects, gap, end = map(json.loads, capfd.readouterr().out.splitlines())
    assert [(row["line"], row["text"]) for row in objects] == list(
        zip(shown, expected, strict=True)
    )
    assert (gap["gap"], end["kind"]) == ([5, 9], "end")


def test_timestamps_are_local_iso_times(broker: FakeBroker, capfd: Captured) -> None:
    broker.publish(log_frame(0, 2, ts=1_700_000_000_123_000_000), ended(at=2), live=False)
    assert tail(broker, STREAM.job, "--timestamps", "--no-follow") == 0
    first, _ = capfd.readouterr().out.splitlines()
    assert re.fullmatch(rf"20\d\d-\d\d-\d\dT\d\d:\d\d:20\.123[+-]\d\d:\d\d {text(0)}", first)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--all", "job"],
        ["job", "--from", "3", "--tail", "3"],
        ["job", "--from", "live", "--since", "3m"],
        ["job", "--since", "soon"],
        ["job", "--tail", "-3"],
        ["job", "--level", "loud"],
        ["job", "--include", "("],
        ["job", "--exclude", "(?=x)"],
        ["job", "--highlight", "["],
        ["job", "-o", "raw", "--timestamps"],
        ["job", "--token", "two words"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert cli.run(["tail", *arguments]) == 2


def test_a_wrong_level_is_told_as_a_wrong_duration_is(capfd: Captured) -> None:
    for option, said in (("--since", "is not a duration"), ("--level", "is no level; there are")):
        assert cli.run(["tail", "job", option, "bogus"]) == 2
        told = capfd.readouterr().err
        assert told.startswith("Usage: raytap tail ")
        assert "Error: Invalid value for" in told
        assert option in told
        assert f"'bogus' {said}" in " ".join(told.split())


# On a terminal ------------------------------------------------------------------------------


def test_jobs_workers_and_what_is_highlighted_have_colours_on_a_terminal(
    broker: FakeBroker, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.publish(lines("(train pid=7) loss 1", "(train pid=8) loss 2", "plain"), live=False)
    broker.publish(lines("x", stream=OTHER), live=False)
    arguments = ("job*", "--no-follow", "--highlight", r"loss \d")
    assert tail(broker, *arguments) == 0
    plain = capfd.readouterr().out
    assert "\x1b" not in plain
    on_a_terminal(monkeypatch)
    assert tail(broker, *arguments) == 0
    coloured = capfd.readouterr().out
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert coloured.count("\x1b[1;7mloss ") == 2
    prefixes = set(re.findall(r"^(\x1b\[\d+m)job", coloured, re.MULTILINE))
    workers = set(re.findall(r"(\x1b\[\d+m)\(train", coloured))
    assert (len(prefixes), len(workers)) == (2, 2)
    monkeypatch.setenv("NO_COLOR", "1")
    assert tail(broker, *arguments) == 0
    assert capfd.readouterr().out == plain


def test_colours_are_put_in_and_left_out_when_asked_for(
    broker: FakeBroker, capfd: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.publish(lines("loss 1"), live=False)
    arguments = (STREAM.job, "--no-follow", "--highlight", "loss")
    assert tail(broker, *arguments, "--color", "always") == 0
    assert capfd.readouterr().out == "\x1b[1;7mloss\x1b[22;27m 1\n"
    on_a_terminal(monkeypatch)
    assert tail(broker, *arguments, "--color", "never") == 0
    assert capfd.readouterr().out == "loss 1\n"
    monkeypatch.setenv("TERM", "dumb")
    assert tail(broker, *arguments) == 0
    assert capfd.readouterr().out == "loss 1\n"


# Tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--no-follow",), ("--since", "1m"), ("--wait",)])
def test_a_missing_or_wrong_token_ends_it_in_one_line(
    capfd: Captured, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.delenv("RAYTAP_TOKEN", raising=False)
    with FakeBroker(token="right") as broker:
        assert tail(broker, STREAM.job, *options) == 2
        (said,) = capfd.readouterr().err.splitlines()
        assert "no token was given (--token, RAYTAP_TOKEN" in said
        assert tail(broker, STREAM.job, "--token", "wrong", *options) == 2
        (said,) = capfd.readouterr().err.splitlines()
        assert "the token is not taken" in said


@pytest.mark.parametrize("options", [(), ("--no-follow",), ("--since", "1h"), ("--tail", "20")])
def test_with_the_right_token_lines_come(
    capfd: Captured, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("RAYTAP_TOKEN", "right")
    with FakeBroker(token="right") as broker:
        broker.publish(log_frame(0, 20, ts=ago(1)), ended(), live=False)
        assert tail(broker, STREAM.job, *options) == 0
        assert len(capfd.readouterr().out.splitlines()) == 20
        assert tail(broker, "nope") == 4
        assert "for this token" not in capfd.readouterr().out
