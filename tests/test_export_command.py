"""`raytap export`: from a daemon, and from the journal that one left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from broker import cli
from broker.exit_status import ExitStatus
from broker.frame import decode
from broker.http.app import create_app
from broker.jobview import JobView
from broker.journal import Record
from broker.journal.sqlite import SqliteJournal
from broker.metrics import Metrics
from broker.processes.state_dir import StateDir
from broker.topic import Stream
from broker.web.server import HttpServer
from subscribers.replay import split
from tests.http.conftest import FakeStatus
from tests.support.journal_records import (
    OTHER,
    STREAM,
    gap_frame,
    log_frame,
    log_records,
    point_frame,
    record,
    text,
)
from tests.support.permissions import OPEN
from tests.support.ports import free_port

WHOLE = [*log_records(3), record(point_frame("end", 30))]
HOLED = [
    record(log_frame(0, 10)),
    record(gap_frame(10, 15)),
    record(log_frame(15, 20)),
    record(point_frame("end", 20)),
]
Binary = pytest.CaptureFixture[bytes]


def lines(first: int, following: int) -> bytes:
    return "".join(f"{text(line)}\n" for line in range(first, following)).encode()


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from around the test, and nobody at the default address."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("RAY_", "RAYTAP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("broker.commands.journals.BROKER", f"http://127.0.0.1:{free_port()}")


@contextmanager
def daemon(records: list[Record], *streams: Stream) -> Iterator[str]:
    """The HTTP API over a journal with these records; its address."""
    status = FakeStatus()
    status.journal.append(records)
    known = streams or sorted({record.stream for record in records})
    status.views = [JobView(stream.cluster, stream.job, "ended") for stream in known]
    server = HttpServer(create_app(status, Metrics("1"), "127.0.0.1:0", OPEN), "127.0.0.1:0")
    server.start()
    try:
        yield f"http://{server.address}"
    finally:
        server.stop(2)
        status.journal.close()


@pytest.fixture
def whole() -> Iterator[str]:
    with daemon(WHOLE) as url:
        yield url


@pytest.fixture
def left_behind(tmp_path: Path) -> Path:
    """The state directory of a daemon that has ended."""
    directory = tmp_path / "state"
    with (
        StateDir(directory) as state,
        closing(SqliteJournal(state.journal, 1 << 30, 1 << 30, 1e9)) as journal,
    ):
        journal.append(WHOLE)
    return directory


def test_a_finished_job_is_written_as_text_and_said_to_be_complete(
    whole: str, capfdbinary: Binary
) -> None:
    assert cli.run(["export", "job-1", "--broker", whole]) == ExitStatus.OK
    out, err = capfdbinary.readouterr()
    assert out == lines(0, 30)
    assert err == b"raytap: ray/job-1: 30 lines (SUCCEEDED, complete)\n"


def test_a_job_that_runs_is_written_as_far_as_it_goes(capfdbinary: Binary) -> None:
    with daemon(log_records(2)) as url:
        assert cli.run(["export", "ray/job-1", "--broker", url, "--from", "5"]) == ExitStatus.OK
    out, err = capfdbinary.readouterr()
    assert out == lines(5, 20)
    assert err == b"raytap: ray/job-1: 15 lines (it goes on)\n"


def test_ndjson_and_msgpack_hold_every_frame(whole: str, capfdbinary: Binary) -> None:
    cli.run(["export", "job-1", "--broker", whole, "--format", "ndjson"])
    objects = capfdbinary.readouterr().out.splitlines()
    assert len(objects) == 31
    assert objects[0].startswith(b'{"line":0,"text":"line 00000000"')
    cli.run(["export", "job-1", "--broker", whole, "--format", "msgpack"])
    payloads = split(iter([capfdbinary.readouterr().out]))
    assert [decode(payload).kind for payload in payloads] == ["log", "log", "log", "end"]


def test_missing_lines_are_named_and_fail_unless_they_are_allowed(capfdbinary: Binary) -> None:
    with daemon(HOLED) as url:
        assert cli.run(["export", "job-1", "--broker", url]) == ExitStatus.CHECK_FAILED
        out, err = capfdbinary.readouterr()
        gap = b"[raytap: lines 10 to 14 are missing: limit]\n"
        assert out == lines(0, 10) + gap + lines(15, 20)
        assert err.splitlines() == [
            b"raytap: ray/job-1: lines 10 to 14 are missing: limit",
            b"raytap: ray/job-1: 15 lines, 5 missing (SUCCEEDED, complete)",
        ]
        assert cli.run(["export", "job-1", "--broker", url, "--allow-gaps"]) == ExitStatus.OK


def test_a_file_gets_its_name_when_it_is_whole(whole: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "job.log"
    target.parent.mkdir()
    target.write_text("before")
    assert cli.run(["export", "job-1", "--broker", whole, "-o", str(target)]) == ExitStatus.OK
    assert target.read_bytes() == lines(0, 30)
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_file_that_was_there(whole: str, tmp_path: Path) -> None:
    target = tmp_path / "out" / "job.log"
    target.parent.mkdir()
    target.write_text("before")
    arguments = ["export", "nothing", "--broker", whole, "-o", str(target)]
    assert cli.run(arguments) == ExitStatus.UNKNOWN_JOB
    assert target.read_text() == "before"
    assert list(target.parent.iterdir()) == [target]


def test_a_device_is_written_to_and_stays_one(whole: str) -> None:
    assert cli.run(["export", "job-1", "--broker", whole, "-o", "/dev/null"]) == ExitStatus.OK
    assert Path("/dev/null").is_char_device()


def test_a_directory_that_is_not_there_is_one_clear_error(whole: str, capfdbinary: Binary) -> None:
    arguments = ["export", "job-1", "--broker", whole, "-o", "none/job.log"]
    assert cli.run(arguments) == ExitStatus.USAGE
    said = b"raytap: --output: cannot open none/job.log: No such file or directory\n"
    assert capfdbinary.readouterr().err == said


def test_a_disk_that_fails_later_is_no_wrong_usage(whole: str, capfdbinary: Binary) -> None:
    arguments = ["export", "job-1", "--broker", whole, "-o", "/dev/full"]
    assert cli.run(arguments) == ExitStatus.CHECK_FAILED
    said = b"raytap: cannot write /dev/full: No space left on device\n"
    assert capfdbinary.readouterr().err == said


def test_an_unknown_job_or_epoch_is_status_4(whole: str) -> None:
    assert cli.run(["export", "job-9", "--broker", whole]) == ExitStatus.UNKNOWN_JOB
    arguments = ["export", "job-1", "--broker", whole, "--epoch", "bbbbbbbbbbbb"]
    assert cli.run(arguments) == ExitStatus.UNKNOWN_JOB


@pytest.mark.parametrize(
    "arguments",
    [["a/b/c"], ["job 1"], ["job-1", "--from", "-1"], ["job-1", "--format", "xml"]],
)
def test_wrong_usage_is_status_2(whole: str, arguments: list[str]) -> None:
    assert cli.run(["export", *arguments, "--broker", whole]) == ExitStatus.USAGE


def test_a_job_of_several_clusters_must_be_named_with_its_cluster(capfdbinary: Binary) -> None:
    with daemon(WHOLE, Stream("ray", "job-1"), Stream("east", "job-1")) as url:
        assert cli.run(["export", "job-1", "--broker", url]) == ExitStatus.USAGE
        assert b"several clusters: east/job-1, ray/job-1" in capfdbinary.readouterr().err
        assert cli.run(["export", "ray/job-1", "--broker", url]) == ExitStatus.OK


def test_without_a_daemon_the_journal_it_left_is_read(
    left_behind: Path, capfdbinary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYTAP_STATE_DIR", str(left_behind))
    assert cli.run(["export", "job-1"]) == ExitStatus.OK
    assert capfdbinary.readouterr().out == lines(0, 30)
    assert cli.run(["export", str(OTHER)]) == ExitStatus.UNKNOWN_JOB


def test_reading_a_journal_changes_nothing_in_it(left_behind: Path, capfdbinary: Binary) -> None:
    for _ in range(2):
        arguments = ["export", str(STREAM), "--state-dir", str(left_behind), "--from", "25"]
        assert cli.run(arguments) == ExitStatus.OK
        assert capfdbinary.readouterr().out == lines(25, 30)


def test_a_journal_that_a_silent_daemon_holds_is_left_alone(
    left_behind: Path, capfdbinary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYTAP_STATE_DIR", str(left_behind))
    with StateDir(left_behind):
        assert cli.run(["export", "job-1"]) == ExitStatus.UNREACHABLE
    err = capfdbinary.readouterr().err.decode()
    assert "no daemon answers" in err
    assert f"in use by another raytap (pid {os.getpid()})" in err
    assert "--broker" in err


def test_neither_daemon_nor_journal_is_status_3_and_makes_no_directory(
    tmp_path: Path, capfdbinary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYTAP_STATE_DIR", str(tmp_path / "none"))
    assert cli.run(["export", "job-1"]) == ExitStatus.UNREACHABLE
    assert b"there is no journal in" in capfdbinary.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_named_daemon_out_of_reach_is_status_3_and_no_other_journal_is_read(
    left_behind: Path, capfdbinary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYTAP_STATE_DIR", str(left_behind))
    arguments = ["export", "job-1", "--broker", f"http://127.0.0.1:{free_port()}"]
    assert cli.run(arguments) == ExitStatus.UNREACHABLE
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"is `raytap serve` running there?" in err
