"""`raytap tail`, against a broker on real sockets."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from broker import cli
from broker.frame import Frame, replace
from broker.topic import Stream
from subscribers.tail.follow import Jobs
from subscribers.tail.printer import RawPrinter, TextPrinter, describe
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import (
    EPOCH,
    OTHER,
    STREAM,
    gap_frame,
    log_frame,
    point_frame,
    text,
)
from tests.support.little_http import LittleHttp, Reply
from tests.support.ports import free_port
from tests.support.wait import wait_until


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


def tail(broker: FakeBroker, *arguments: str) -> int:
    places = ["--zeromq", broker.endpoint, "--broker", broker.http]
    return cli.run(["tail", *places, *arguments])


def ended(status: str, at: int = 20, **fields: object) -> Frame:
    return replace(point_frame("end", at), status=status, **fields)


def test_a_finished_job_is_printed_whole_and_its_end_noted(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.publish(log_frame(0, 20), ended("SUCCEEDED"), live=False)
    assert tail(broker, STREAM.job) == 0
    out, err = capfd.readouterr()
    assert out.splitlines() == [text(line) for line in range(20)]
    assert "ended: SUCCEEDED, 20 lines" in err


def test_a_running_job_is_followed_to_its_end(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.publish(log_frame(0, 10), live=False)

    def finish() -> None:
        wait_until(lambda: broker.joins)
        broker.publish(log_frame(10, 20), ended("SUCCEEDED"))

    writer = threading.Thread(target=finish)
    writer.start()
    assert tail(broker, str(STREAM)) == 0
    writer.join()
    assert capfd.readouterr().out.splitlines() == [text(line) for line in range(20)]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (ended("SUCCEEDED"), 0),
        (ended("FAILED"), 10),
        (ended("STOPPED"), 11),
        (ended("LOST", complete=False), 1),
        (ended("SUCCEEDED", complete=False), 1),
    ],
)
@pytest.mark.parametrize("options", [(), ("--no-follow",), ("--from", "live")])
def test_the_exit_status_is_the_jobs(
    broker: FakeBroker, end: Frame, status: int, options: tuple[str, ...]
) -> None:
    broker.publish(log_frame(0, 20), end, live=False)
    assert tail(broker, STREAM.job, *options) == status


def test_the_end_of_an_earlier_run_is_not_the_end(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.publish(log_frame(0, 10), ended("FAILED", 10, run=1), live=False)
    broker.publish(log_frame(10, 20), ended("SUCCEEDED", 20, run=2), live=False)
    assert tail(broker, STREAM.job) == 0
    assert len(capfd.readouterr().out.splitlines()) == 20


def test_several_jobs_are_told_apart_by_a_prefix(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    for stream in (STREAM, OTHER):
        end = replace(ended("SUCCEEDED"), job=stream.job)
        broker.publish(log_frame(0, 20, stream), end, live=False)
    assert tail(broker, STREAM.job, OTHER.job) == 0
    lines = capfd.readouterr().out.splitlines()
    assert f"{STREAM.job} | {text(0)}" in lines
    assert f"{OTHER.job} | {text(19)}" in lines
    assert len(lines) == 40


def test_json_is_an_object_a_line(broker: FakeBroker, capfd: pytest.CaptureFixture[str]) -> None:
    broker.publish(log_frame(0, 2), gap_frame(2, 5), ended("SUCCEEDED", 5), live=False)
    assert tail(broker, STREAM.job, "-o", "json") == 0
    first, second, gap, end = map(json.loads, capfd.readouterr().out.splitlines())
    assert (first["cluster"], first["job"], first["epoch"]) == (*STREAM, EPOCH)
    assert (second["line"], second["text"]) == (1, text(1))
    assert (gap["gap"], gap["reason"]) == ([2, 5], "limit")
    assert (end["kind"], end["status"]) == ("end", "SUCCEEDED")


def test_raw_is_the_text_and_nothing_else(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.publish(log_frame(0, 3), gap_frame(3, 5), live=False)
    assert tail(broker, STREAM.job, "-o", "raw", "--no-follow") == 0
    out, err = capfd.readouterr()
    assert out == "".join(f"{text(line)}\n" for line in range(3))
    assert "lines 3 to 4 are missing (limit)" in err


def test_a_line_number_is_where_it_begins(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.publish(log_frame(0, 20), ended("SUCCEEDED"), live=False)
    assert tail(broker, STREAM.job, "--from", "17") == 0
    assert tail(broker, STREAM.job, "--from", "-2", "--no-follow") == 0
    assert capfd.readouterr().out.splitlines() == [text(n) for n in (17, 18, 19, 18, 19)]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (ended("SUCCEEDED", 10), 0),
        (ended("FAILED", 10), 10),
        (ended("STOPPED", 10), 11),
        (ended("LOST", 10, complete=False), 1),
    ],
)
@pytest.mark.parametrize("options", [(), ("--no-follow",)])
def test_a_line_number_beyond_the_end_of_a_job_that_is_over_brings_its_end(
    broker: FakeBroker,
    capfd: pytest.CaptureFixture[str],
    end: Frame,
    status: int,
    options: tuple[str, ...],
) -> None:
    broker.publish(log_frame(0, 10), end, live=False)
    assert tail(broker, STREAM.job, "--from", "11", *options) == status
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "[raytap] job-1: the log has 10 lines"
    assert f"ended: {end.status}, 10 lines" in err


def test_a_line_number_beyond_what_a_running_job_has_printed_is_said(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.publish(log_frame(0, 10), live=False)
    assert tail(broker, STREAM.job, "--from", "11", "--no-follow") == 0
    out, err = capfd.readouterr()
    assert (out, err) == ("", "[raytap] job-1: the log has 10 lines so far\n")


def test_an_unknown_job_is_refused(broker: FakeBroker, capfd: pytest.CaptureFixture[str]) -> None:
    assert tail(broker, "nope") == 4
    assert "raytap jobs" in capfd.readouterr().err


def test_a_glob_that_matches_nothing_is_refused_where_nothing_is_followed(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    assert tail(broker, "--all", "--no-follow") == 0
    assert capfd.readouterr().err == "[raytap] there is no job yet\n"
    broker.publish(log_frame(0, 10), live=False)
    assert tail(broker, "zzz-*", "--no-follow") == 4
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "no job matches 'zzz-*'" in err
    assert tail(broker, "zzz-*", "job*", "--no-follow") == 0


def test_an_unknown_job_can_be_waited_for(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    def submit() -> None:
        wait_until(lambda: broker.joins)
        broker.publish(log_frame(0, 20), ended("SUCCEEDED"))

    writer = threading.Thread(target=submit)
    writer.start()
    assert tail(broker, STREAM.job, "--wait") == 0
    writer.join()
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 20
    assert err.count(f"[raytap] waiting for {STREAM.job}\n") == 1


def test_what_a_glob_waits_for_is_said_unless_a_job_is_going_on(broker: FakeBroker) -> None:
    def awaited(pattern: str) -> list[str]:
        return Jobs([pattern], [broker.http], wait=False).awaited

    broker.publish(log_frame(0, 10), live=False)
    assert awaited("job*") == []
    assert awaited("zz*") == ["zz*"]
    broker.publish(ended("SUCCEEDED", 10), live=False)
    assert awaited("job*") == ["job*"]
    assert awaited("job-1") == []


def test_where_nothing_answers_it_says_what_to_check(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.tail.follow._PATIENCE_S", 0.5)
    http, bus = free_port(), free_port()
    places = ["--zeromq", f"tcp://127.0.0.1:{bus}", "--broker", f"http://127.0.0.1:{http}"]
    assert cli.run(["tail", "job-1", *places]) == 3
    (said,) = capfd.readouterr().err.splitlines()
    assert said.count("cannot connect") == 1
    assert said.endswith("Is `raytap serve` running?")
    assert cli.run(["tail", "job-1", "--no-follow", *places]) == 3


def test_where_only_the_bus_answers_it_says_once_that_earlier_lines_lack(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    broker.http_down = True

    def finish() -> None:
        wait_until(lambda: broker.joins)
        broker.publish(log_frame(0, 20), ended("SUCCEEDED"))

    writer = threading.Thread(target=finish)
    writer.start()
    assert tail(broker, STREAM.job) == 0
    writer.join()
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 20
    assert err.count("lines that were printed before can't be had") == 1
    assert f"waiting for new ones of {STREAM.job}\n" in err


@pytest.mark.parametrize("options", [(), ("--no-follow",), ("--wait",)])
def test_an_address_of_something_else_is_refused_in_one_line(
    broker: FakeBroker, capfd: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    with LittleHttp(lambda path, headers: Reply(404, b"404: Not Found")) as other:
        places = ["--zeromq", broker.endpoint, "--broker", other.url]
        assert cli.run(["tail", STREAM.job, *places, *options]) == 3
    said = f"raytap: {other.url} is no raytap (it answered 404 to /v1/jobs)\n"
    assert capfd.readouterr().err == said


def test_its_help_is_at_most_80_columns_wide_and_explains_each_output(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert cli.run(["tail", "--help"]) == 0
    shown = capfd.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    words = " ".join(shown.split())
    for said in ("text (the default) makes", "json is", "raw keeps", "Exit status: 0, 2 wrong"):
        assert said in words


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a/b/c"],
        ["job", "--from", "end"],
        ["job", "--redis", "redis://127.0.0.1", "--zeromq", "tcp://127.0.0.1:1"],
        ["job", "--broker", "127.0.0.1:8270"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert cli.run(["tail", *arguments]) == 2


def test_a_reader_that_goes_away_ends_it_quietly(broker: FakeBroker) -> None:
    frames = [log_frame(line, line + 500) for line in range(0, 50_000, 500)]
    broker.publish(*frames, live=False)
    program = [sys.executable, "-c", "from broker.cli import main; main()", "tail"]
    places = [STREAM.job, "--no-follow", "--broker", broker.http]
    with subprocess.Popen(
        [*program, *places],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_a_full_disk_is_said_in_a_line(broker: FakeBroker) -> None:
    broker.publish(log_frame(0, 10), live=False)
    program = [sys.executable, "-c", "from broker.cli import main; main()", "tail"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*program, STREAM.job, "--no-follow", "--broker", broker.http],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"raytap: cannot write the lines: No space left on device\n"


def test_control_characters_are_escaped_in_text_and_on_a_terminal() -> None:
    hostile = Frame("log", *STREAM, 0, 1, lines=["a\x1b]52;c;aGk=\x07\nb\u202e\tc"])
    escaped = b"a\\x1b]52;c;aGk=\\x07\\nb\\u202e\tc\n"
    for terminal in (False, True):
        out = io.BytesIO()
        TextPrinter(out, print, prefixed=False, terminal=terminal).show(hostile)
        assert out.getvalue() == escaped
    out = io.BytesIO()
    RawPrinter(out, print, terminal=True).show(hostile)
    assert out.getvalue() == escaped


def test_a_prefix_has_a_colour_on_a_terminal_only() -> None:
    line = log_frame(0, 1, Stream("ray", "job-1"))
    plain, coloured = io.BytesIO(), io.BytesIO()
    TextPrinter(plain, print, prefixed=True, terminal=False).show(line)
    TextPrinter(coloured, print, prefixed=True, terminal=True).show(line)
    assert plain.getvalue() == f"job-1 | {text(0)}\n".encode()
    assert b"\x1b[" in coloured.getvalue()


def test_notes_are_one_line_without_control_characters() -> None:
    error = Frame("error", *STREAM, 0, 0, code=503, message="a\nb\x1b[2J")
    assert describe(error) == "job-1: error 503: a\\nb\\x1b[2J"


def test_the_empty_line_before_a_progress_bar_is_not_shown_on_a_terminal() -> None:
    frame = replace(log_frame(0, 4), lines=["start", "", "", "50%"], cr=[1])
    for terminal, shown in ((True, b"start\n\n50%\n"), (False, b"start\n\n\n50%\n")):
        out = io.BytesIO()
        TextPrinter(out, print, prefixed=False, terminal=terminal).show(frame)
        assert out.getvalue() == shown
