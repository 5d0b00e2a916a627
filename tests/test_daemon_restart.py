"""The daemon over its restarts, and over a journal that is damaged, full or of another version."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import urllib3
import zmq

from broker import cli
from broker.config.config import ClusterConfig, Config, HttpConfig, JournalConfig
from broker.daemon import Daemon
from broker.errors import ClientError
from broker.exit_status import ExitStatus
from broker.frame import Frame, decode
from broker.journal.sqlite import SqliteJournal
from broker.topic import Stream
from publishers.memory import MemoryPublisher
from tests.support.daemon_process import DaemonProcess
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

JOB = Stream("default", "job-1")
LINES = [f"line {n} of a log that is long enough to fill pages" for n in range(20_000)]
LOG = "".join(f"{line}\n" for line in LINES).encode()


class Life:
    """One daemon in this process with a publisher in memory."""

    def __init__(self, home: Path, ray: str, **cluster: Any) -> None:
        fast: dict[str, Any] = {
            "endpoints": [ray],
            "discovery_interval": 0.1,
            "poll_interval": 0.01,
            "poll_interval_max": 0.1,
            "settle": 0.2,
            "agent_requests_per_s": 1_000.0,
        }
        config = Config(
            state_dir=str(home),
            cluster={"default": ClusterConfig(**(fast | cluster))},
            http=HttpConfig(bind="127.0.0.1:0"),
            journal=JournalConfig(),
        )
        self.publisher = MemoryPublisher()
        self.daemon = Daemon(config, {}, [self.publisher], "test")

    def frames(self, *kinds: str, job: str = "job-1") -> list[Frame]:
        frames = list(self.publisher.frames)
        return [f for f in frames if f.job == job and (not kinds or f.kind in kinds)]

    def until_lines(self, count: int, job: str = "job-1") -> None:
        wait_until(
            lambda: sum(len(f.lines) for f in self.frames("log", job=job)) >= count,
            20,
            f"{count} lines of {job}",
        )

    def until_end(self, job: str = "job-1") -> Frame:
        wait_until(lambda: self.frames("end", job=job), 20, f"{job} ends")
        return self.frames("end", job=job)[-1]

    def readyz(self) -> tuple[int, list[str]]:
        with urllib3.PoolManager(retries=False) as http:
            answer = http.request("GET", f"{self.daemon.http}/readyz")
            return answer.status, list(answer.json()["degraded"])


Start = Callable[..., Life]


@pytest.fixture
def start(tmp_path: Path, standin: RayStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr("broker.daemon.RECONNECT_SECONDS", 0.0)
    monkeypatch.setattr("broker.bus.journal_writer.RETRY_SECONDS", 0.1)
    with ExitStack() as stack:

        def start(prepare: Callable[[Daemon], None] | None = None, **cluster: Any) -> Life:
            life = Life(tmp_path / "state", standin.url, **cluster)
            stack.callback(life.daemon.stop)
            if prepare:
                prepare(life.daemon)
            life.daemon.start()
            return life

        yield start


@pytest.fixture
def journal_file(tmp_path: Path) -> Path:
    """Where the daemon's journal is, or will be."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return state / "journal.sqlite3"


@pytest.fixture
def read_before(start: Start, standin: RayStandIn, journal_file: Path) -> Path:
    """The journal of a daemon that read a job which still runs."""
    standin.add_job("job-1", log=LOG)
    life = start()
    life.until_lines(len(LINES))
    life.daemon.stop()
    return journal_file


def newer(file: Path) -> None:
    SqliteJournal(file, 1 << 30, 1 << 30, 1e9).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def garbage(file: Path) -> None:
    file.write_bytes(b"no database at all\n" * 1_000)


def damage(file: Path) -> None:
    """Every page but the first few is spoilt: what is damaged shows only when it is read."""
    size = file.stat().st_size
    with file.open("r+b") as journal:
        for at in range(4096, size, 4096):
            journal.seek(at + 100)
            journal.write(b"\xa5" * 3_000)


def test_a_restart_goes_on_with_the_next_line_and_publishes_nothing_again(
    start: Start, standin: RayStandIn, read_before: Path
) -> None:
    standin.append("job-1", b"and more\n")
    standin.finish("job-1")
    life = start()
    life.until_end()
    (more,) = life.frames("log")
    assert (more.first, more.lines) == (len(LINES), ["and more"])
    assert life.readyz() == (200, [])


def test_a_job_that_ended_while_the_daemon_was_down_is_read_to_its_end(
    start: Start, standin: RayStandIn, read_before: Path
) -> None:
    standin.append("job-1", b"the last words\n")
    standin.finish("job-1", "FAILED")
    standin.add_job("job-2", log=b"began and ended meanwhile\n", status="SUCCEEDED")
    life = start()
    assert (life.until_end().status, life.until_end().complete) == ("FAILED", True)
    assert life.until_end("job-2").status == "SUCCEEDED"
    assert life.frames("log", job="job-2")[0].lines == ["began and ended meanwhile"]


def test_after_kill_9_the_last_frames_are_published_again_under_their_numbers(
    tmp_path: Path, standin: RayStandIn
) -> None:
    standin.add_job("job-1")
    daemon = DaemonProcess(tmp_path / "daemon", standin.url)
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.subscribe(JOB.topic)
        socket.connect(daemon.zeromq)

        def lines(until: int) -> dict[int, str]:
            """What comes, by number, until that line is there."""
            found: dict[int, str] = {}
            while until not in found:
                assert socket.poll(15_000), f"nothing more came after {len(found)} lines"
                frame = decode(socket.recv_multipart()[1])
                found.update(zip(range(frame.first, frame.next), frame.lines, strict=False))
            return found

        with daemon:
            assert socket.poll(15_000), "no heartbeat tells that the subscription is there"
            standin.append("job-1", LOG)
            first = lines(len(LINES) - 1)
            daemon.kill()  # within two seconds: the watermark has not moved yet
        standin.append("job-1", b"after the kill\n")
        next_life = DaemonProcess(tmp_path / "daemon", standin.url, daemon.settings)
        next_life.launch()  # and read: a socket that nobody reads from does not subscribe again
        try:
            again = lines(len(LINES))
        finally:
            next_life.kill()
    assert again.pop(len(LINES)) == "after the kill"
    assert len(again) > 1_000
    assert {**first, **again} == dict(enumerate(LINES))


@pytest.mark.parametrize(("spoil", "said"), [(newer, "of a newer raytap"), (garbage, "no journal")])
def test_over_a_journal_that_cannot_be_opened_lines_flow_and_it_is_said(
    start: Start,
    standin: RayStandIn,
    journal_file: Path,
    spoil: Callable[[Path], None],
    said: str,
) -> None:
    spoil(journal_file)
    kept = journal_file.read_bytes()
    standin.add_job("job-1", log=LOG)
    life = start()
    life.until_lines(len(LINES))
    standin.finish("job-1")
    assert life.until_end().complete
    status, degraded = life.readyz()
    assert status == 200
    assert [said in why and why.startswith("journal: ") for why in degraded] == [True]
    with pytest.raises(ClientError, match="there is no journal") as raised:
        life.daemon.replay(JOB, None, 0, None)
    assert raised.value.status == 503
    with pytest.raises(ClientError, match="there is no journal"):
        life.daemon.forget(JOB)
    life.daemon.stop()
    assert journal_file.read_bytes() == kept


def test_over_a_journal_with_damaged_pages_what_was_followed_is_followed_on(
    start: Start, standin: RayStandIn, read_before: Path
) -> None:
    damage(read_before)
    standin.append("job-1", b"and more\n")
    standin.add_job("job-2", log=b"new\n")
    life = start()
    life.until_lines(1, "job-2")
    wait_until(lambda: any("and more" in f.lines for f in life.frames("log")), 10, "job-1 goes on")
    assert life.readyz()[0] == 200
    with pytest.raises(ClientError, match="damaged"):
        list(life.daemon.replay(JOB, None, 0, None).frames)


def test_on_a_full_disk_lines_flow_and_the_journal_comes_back_with_room(
    start: Start, standin: RayStandIn
) -> None:
    def full(daemon: Daemon) -> None:
        writer(daemon).execute("PRAGMA max_page_count = 40")

    def writer(daemon: Daemon) -> sqlite3.Connection:
        connection = daemon._journal._writer  # type: ignore[union-attr]
        assert isinstance(connection, sqlite3.Connection)
        return connection

    standin.add_job("job-1", log=LOG * 10)
    life = start(full)
    life.until_lines(10 * len(LINES))
    wait_until(lambda: "the disk is full" in str(life.readyz()), 5, "it is said")
    assert life.readyz()[0] == 200
    writer(life.daemon).execute("PRAGMA max_page_count = 1000000")

    def recovered() -> bool:
        standin.append("job-1", b"more\n")
        return life.readyz() == (200, [])

    wait_until(recovered, 10, "the journal is back", 0.05)
    position = life.frames("log")[-1].next
    found = life.daemon.replay(JOB, None, 0, None)
    lines = [line for frame in found.frames for line in frame.lines]
    # What went by unjournaled is read from Ray again, so that a replay has no hole.
    assert lines[: 10 * len(LINES)] == LINES * 10
    assert len(lines) >= position


def test_a_log_that_ray_has_deleted_is_exported_from_the_journal(
    start: Start, standin: RayStandIn, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    standin.add_job("job-1", log=LOG, status="SUCCEEDED")
    life = start(follow="all")
    life.until_end()
    standin.restart()
    capfdbinary.readouterr()
    assert cli.run(["export", "job-1", "--broker", life.daemon.http]) == ExitStatus.OK
    out, err = capfdbinary.readouterr()
    assert out == LOG
    assert b"20,000 lines (SUCCEEDED, complete)" in err


def test_a_journal_that_is_off_is_no_degradation(tmp_path: Path, standin: RayStandIn) -> None:
    standin.add_job("job-1", log=b"one\n")
    life = Life(tmp_path / "state", standin.url)
    config = Config(
        state_dir=str(tmp_path / "other"),
        cluster=life.daemon.config.cluster,
        http=HttpConfig(enabled=False),
        journal=JournalConfig(enabled=False),
    )
    life.daemon.stop()
    life.daemon = Daemon(config, {}, [life.publisher], "test")
    try:
        life.daemon.start()
        life.until_lines(1)
        assert life.daemon.degraded() == []
        assert not (tmp_path / "other" / "journal.sqlite3").exists()
        with pytest.raises(ClientError, match="it is off"):
            life.daemon.replay(JOB, None, 0, None)
    finally:
        life.daemon.stop()


def test_stop_may_come_twice_and_before_start(start: Start, tmp_path: Path) -> None:
    life = Life(tmp_path / "unstarted", "http://127.0.0.1:9")
    life.daemon.stop()
    life.daemon.stop()
    started = start()
    started.daemon.stop()
    started.daemon.stop()
