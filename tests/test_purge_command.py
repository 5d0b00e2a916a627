"""`raytap purge`: by the daemon where one runs, in the journal's directory where none does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import urllib3

from broker import cli
from broker.config.settings import resolve
from broker.daemon import Daemon
from broker.errors import ClientError
from broker.exit_status import ExitStatus
from broker.http.app import create_app
from broker.journal.sqlite import SqliteJournal
from broker.metrics import Metrics
from broker.processes.state_dir import StateDir
from broker.topic import Stream
from broker.web.server import HttpServer
from tests.http.conftest import STREAM, FakeStatus, log
from tests.support.journal_records import OTHER, log_records
from tests.support.journal_records import STREAM as JOB
from tests.support.permissions import OPEN
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

PATH = f"/v1/jobs/{STREAM.cluster}/{STREAM.job}/log"


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from around the test, and nobody at the default address."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("RAY_", "RAYTAP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("broker.commands.journals.BROKER", f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def status() -> Iterator[FakeStatus]:
    status = FakeStatus()
    status.journal.append([log(0, "a", "b"), log(2, "c")])
    yield status
    status.journal.close()


@contextmanager
def served(status: FakeStatus, bind: str = "127.0.0.1:0") -> Iterator[str]:
    server = HttpServer(create_app(status, Metrics("1"), bind, OPEN), bind)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.address.rpartition(':')[2]}"
    finally:
        server.stop(2)


@contextmanager
def open_journal(directory: Path) -> Iterator[SqliteJournal]:
    with (
        StateDir(directory) as state,
        closing(SqliteJournal(state.journal, 1 << 30, 1 << 30, 1e9)) as journal,
    ):
        yield journal


def test_a_running_daemon_removes_the_job(
    status: FakeStatus, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(status) as url:
        assert cli.run(["purge", str(STREAM), "--broker", url]) == ExitStatus.OK
        assert capsys.readouterr().err == f"raytap: {STREAM}: 2 frames removed\n"
        assert status.journal.spans(STREAM) == []
        assert cli.run(["purge", str(STREAM), "--broker", url]) == ExitStatus.UNKNOWN_JOB


def test_an_api_that_other_machines_reach_removes_nothing(
    status: FakeStatus, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(status, "0.0.0.0:0") as url:
        assert cli.run(["purge", str(STREAM), "--broker", url]) == ExitStatus.CHECK_FAILED
        assert "so it removes nothing" in capsys.readouterr().err
        assert status.journal.spans(STREAM)


def test_a_page_of_another_host_cannot_have_a_job_removed(status: FakeStatus) -> None:
    with served(status) as url:
        headers = {"Host": "evil.example"}
        answer = urllib3.request("DELETE", url + PATH, headers=headers, retries=False)
        assert answer.status == 403
        assert status.journal.spans(STREAM)


def test_without_a_daemon_the_job_is_removed_from_the_journal_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAYTAP_STATE_DIR", str(tmp_path / "state"))
    with open_journal(tmp_path / "state") as journal:
        journal.append([*log_records(3), *log_records(2, stream=OTHER)])
    assert cli.run(["purge", "job-1"]) == ExitStatus.OK
    assert capsys.readouterr().err == f"raytap: {JOB}: 3 frames removed\n"
    with open_journal(tmp_path / "state") as journal:
        assert journal.spans(JOB) == []
        assert journal.usage().frames == 2
        assert list(journal.checkpoints()) == [OTHER]
    assert cli.run(["purge", "job-1"]) == ExitStatus.UNKNOWN_JOB


def test_neither_daemon_nor_journal_is_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYTAP_STATE_DIR", str(tmp_path / "none"))
    assert cli.run(["purge", "job-1"]) == ExitStatus.UNREACHABLE


@pytest.fixture
def daemon(standin: RayStandIn, tmp_path: Path) -> Iterator[Daemon]:
    flags = {
        "ray": (standin.url,),
        "state_dir": str(tmp_path / "state"),
        "http": "127.0.0.1:0",
        "zeromq": f"ipc://{tmp_path}/bus",
    }
    settings = {"RAYTAP_CLUSTER__DEFAULT__SETTLE": "0.1"}
    settings |= {"RAYTAP_CLUSTER__DEFAULT__DISCOVERY_INTERVAL": "0.1"}
    config = resolve(flags, settings, tmp_path).config
    daemon = Daemon(config, {}, [], "1")
    daemon.start()
    yield daemon
    daemon.stop()


def test_a_job_is_refused_while_it_is_read_and_forgotten_afterwards(
    daemon: Daemon, standin: RayStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.ingest.worker.LINGER", 0.1)
    monkeypatch.setattr("broker.ingest.worker.LINGER_POLL", 0.1)
    stream = Stream("default", "job-1")
    wait_until(daemon.ready)
    standin.add_job("job-1")
    standin.append("job-1", b"one\ntwo\n")
    wait_until(lambda: [view for view in daemon.jobs() if view.next == 2])
    with pytest.raises(ClientError) as refused:
        daemon.forget(stream)
    assert refused.value.status == 409
    standin.finish("job-1")

    def forgotten() -> bool:
        return cli.run(["purge", "job-1", "--broker", daemon.http]) == ExitStatus.OK

    wait_until(forgotten, timeout=20, interval=0.1)
    assert [view.job for view in daemon.jobs()] == []
    with pytest.raises(ClientError) as unknown:
        daemon.replay(stream, None, 0, None)
    assert unknown.value.status == 404


def test_a_daemon_without_a_journal_says_so(tmp_path: Path, standin: RayStandIn) -> None:
    flags = {"ray": (standin.url,), "state_dir": str(tmp_path / "state"), "http": "127.0.0.1:0"}
    config = resolve(flags, {"RAYTAP_JOURNAL__ENABLED": "false"}, tmp_path).config
    daemon = Daemon(config, {}, [], "1")
    try:
        with pytest.raises(ClientError) as refused:
            daemon.forget(Stream("default", "job-1"))
        assert refused.value.status == 503
    finally:
        daemon.stop()
