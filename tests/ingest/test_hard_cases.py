"""Cases that lose, repeat or misnumber a line, or end too early, where a follower is careless."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit
from zlib import crc32

import pytest

from broker.backoff import Backoff
from broker.bus.bus import Bus
from broker.bus.outbox import Outbox
from broker.bus.pulse import Beat, Pulse
from broker.checkpoint import Checkpoint
from broker.config.config import ClusterConfig, Config, HttpConfig, LimitsConfig
from broker.daemon import Daemon
from broker.errors import ClientError, JournalError
from broker.frame import Frame, decode, encode
from broker.ingest.context import Context
from broker.ingest.cursor import Cursor, Mismatch
from broker.ingest.framer import Framer
from broker.ingest.reader import Reader
from broker.journal import Record
from broker.journal.sqlite import SqliteJournal
from broker.metrics import Metrics
from broker.text.pipeline import Pipeline
from broker.text.redact import Redactor
from broker.topic import Stream
from publishers.memory import MemoryPublisher
from tests.support.followed import Followed, log_of
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

NUMBERED = b"".join(b"line %d\n" % n for n in range(5_000))
JOB = Stream("default", "job-1")


@pytest.fixture
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.ingest.worker.LINGER", 0.1)
    monkeypatch.setattr("broker.ingest.worker.LINGER_POLL", 0.05)


# Workers and their queue ------------------------------------------------------------------------


def test_a_job_that_ended_as_lost_is_let_go_of(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=b"x\n")
    with Followed(standin.url, lost_after=0.3) as followed:
        followed.until_lines("job-1", 1)
        standin.delete("job-1")
        followed.until_end("job-1")
        wait_until(lambda: not followed.ingest.follows("job-1"), 3, "the worker's retirement")


def test_a_lost_job_that_is_known_again_is_followed_to_its_end(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=b"x\n")
    with Followed(standin.url, lost_after=0.3) as followed:
        followed.until_lines("job-1", 1)
        job = standin.cluster.job("job-1")
        standin.delete("job-1")
        followed.until_end("job-1")
        wait_until(lambda: not followed.ingest.follows("job-1"), 3, "the worker's retirement")
        assert job
        standin.cluster.put(job)
        standin.append("job-1", b"y\n")
        standin.finish("job-1")
        wait_until(lambda: followed.frames("job-1", "end")[-1].status == "SUCCEEDED", 5, "its end")
        assert followed.lines("job-1") == ["x", "y"]


def test_resumed_jobs_keep_to_max_streams(standin: RayStandIn) -> None:
    for job in ("job-1", "job-2"):
        standin.add_job(job, log=b"x\n")
    resumed = {job: Checkpoint(run=1) for job in ("job-1", "job-2")}
    with Followed(standin.url, max_streams=1, checkpoints=resumed) as followed:
        followed.until_lines("job-1", 1)
        time.sleep(0.5)  # there is nothing to wait for: it must not be read
        assert followed.frames("job-2", "log") == []


@pytest.mark.usefixtures("short_linger")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_queued_job_that_is_submitted_again_costs_no_reader_thread(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=b"x\n")
    with Followed(standin.url, max_streams=1, readers=1) as followed:
        followed.until_lines("job-1", 1)
        standin.add_job("job-2", log=b"x\n", status="SUCCEEDED")
        wait_until(lambda: followed.ingest.follows("job-2"), 5, "it is queued")
        standin.add_job("job-2", log=b"y\n", status="SUCCEEDED")
        time.sleep(1.0)  # as long as a worker of it would take to end
        standin.finish("job-1")
        followed.until_end("job-2")
        standin.add_job("job-3", log=b"z\n", status="SUCCEEDED")
        followed.until_end("job-3", 5)


def test_a_journal_that_cannot_be_read_for_a_moment_costs_no_job(standin: RayStandIn) -> None:
    with Followed(standin.url) as followed:
        wait_until(lambda: followed.ingest.answered, 5, "the first discovery")
        answers = iter([JournalError("it is locked")])

        def epochs(_: Stream) -> set[str]:
            if error := next(answers, None):
                raise error
            return set()

        followed.ingest._epochs = epochs
        standin.add_job("job-1", log=b"x\n")
        followed.until_lines("job-1", 1, 5)


def test_a_journal_that_stays_unreadable_keeps_no_job_from_being_followed(
    standin: RayStandIn,
) -> None:
    with Followed(standin.url) as followed:
        wait_until(lambda: followed.ingest.answered, 5, "the first discovery")

        def epochs(_: Stream) -> set[str]:
            raise JournalError("it is damaged")

        followed.ingest._epochs = epochs
        standin.add_job("job-1", log=b"x\n")
        followed.until_lines("job-1", 1, 5)


@pytest.mark.usefixtures("short_linger")
def test_an_id_keeps_its_epoch_however_many_jobs_ended_since(
    standin: RayStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.ingest.cluster.REMEMBERED", 1)
    with Followed(standin.url) as followed:
        followed.ingest._epochs = lambda stream: {
            r.epoch for r in followed.records if r.stream == stream and r.epoch
        }
        for job in ("job-1", "job-2"):
            standin.add_job(job, log=b"one\n")
            followed.until_lines(job, 1)
            standin.finish(job)
            followed.until_end(job)
            wait_until(lambda: len(followed.ingest._workers) == 0, 10, "its retirement")
        standin.add_job("job-1", log=b"two\n", status="SUCCEEDED")
        wait_until(lambda: len(followed.frames("job-1", "end")) == 2, 10, "a second end")
        assert followed.lines("job-1") == ["one", "two"]


def test_another_head_s_file_gets_another_epoch_though_it_begins_alike(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=NUMBERED)
    with Followed(standin.url) as followed:
        followed.until_lines("job-1", 5_000)
        standin.restart()
        standin.add_job("job-1", log=NUMBERED + b"more\n", status="SUCCEEDED")
        end = followed.until_end("job-1")
        assert end.epoch != followed.frames("job-1", "log")[0].epoch
        assert followed.lines("job-1", end.epoch) == log_of(standin.log_path("job-1"))


def test_a_silent_job_is_polled_under_the_smallest_budget(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=b"x\n")
    with Followed(standin.url, agent_requests_per_s=1, poll_interval_max=2.0) as followed:
        followed.until_lines("job-1", 1)
        wait_until(lambda: followed.view("job-1").poll_interval_s > 0.02, 10, "it is silent")
        standin.append("job-1", b"y\n")
        followed.until_lines("job-1", 2, 6)


def test_a_log_at_another_node_is_read_to_its_end_under_limits(standin: RayStandIn) -> None:
    with RayStandIn() as other:
        standin.add_job("job-1", log=NUMBERED * 60, status="SUCCEEDED")
        limits = LimitsConfig(max_bytes=200_000, window=0.1)
        host = urlsplit(other.agent_url).netloc
        with Followed(standin.url, limits, follow="all", agent_host=host) as followed:
            assert followed.until_end("job-1").complete
            assert followed.lines("job-1") == log_of(standin.log_path("job-1"))


def test_a_log_that_no_source_could_be_asked_for_is_not_complete(standin: RayStandIn) -> None:
    with RayStandIn() as other:
        standin.fail_next("/api/v0/logs/file", 503, times=20)
        standin.add_job("job-1", log=NUMBERED, status="SUCCEEDED")
        host = urlsplit(other.agent_url).netloc
        with Followed(standin.url, follow="all", agent_host=host) as followed:
            assert not (followed.until_end("job-1").complete and not followed.lines("job-1"))


# From bytes to frames ---------------------------------------------------------------------------


class _File:
    """A source that gives a file, or is cut."""

    name = "state-file"
    size: int | None = None

    def __init__(self, data: bytes, cut: int | None = None) -> None:
        self._data, self._cut = data, cut

    def read(self, offset: int, tail: bytes) -> Generator[bytes]:
        yield self._data[offset : self._cut]
        if self._cut is not None:
            raise ClientError(503, "cut")
        self.size = len(self._data)


def _reader(at: Checkpoint) -> tuple[Reader, list[Record]]:
    records: list[Record] = []
    context = Context(
        "default", "b1", ClusterConfig(), LimitsConfig(),
        client=None, endpoints=None, agents=None, websockets=None, pipeline=None,  # type: ignore[arg-type]
        put=records.extend, metrics=Metrics("test"), stopping=threading.Event(),
    )  # fmt: skip
    return Reader(context, _framer(at)), records


def _framer(at: Checkpoint) -> Framer:
    framer = Framer(JOB, "b1", Pipeline(Redactor()), at)
    framer.another_head("s")
    return framer


AFTER_A_TAIL = Checkpoint("e", 5_000, None, crc32(NUMBERED), source="websocket", run=1)


def test_an_end_in_the_middle_of_a_skim_publishes_no_line_again() -> None:
    reader, records = _reader(AFTER_A_TAIL)
    with pytest.raises(ClientError):
        reader.pull(_File(NUMBERED, cut=20_003))
    reader.finish()
    assert records == []


def test_a_file_shorter_than_what_a_tail_gave_is_a_mismatch() -> None:
    reader, _ = _reader(AFTER_A_TAIL)
    with pytest.raises(Mismatch):
        reader.pull(_File(b"other\n" * 100))


def test_a_key_that_begins_in_a_gap_is_hidden_after_it() -> None:
    framer, cursor = _framer(Checkpoint()), Cursor(Checkpoint(), 10_240)
    (left_out,) = cursor.feed(b"a\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n")
    framer.gap(left_out, "limit", "agent", 1)
    (piece,) = cursor.feed(b"c2VjcmV0\n-----END PGP PRIVATE KEY BLOCK-----\nb\n")
    frame = decode(framer.log(piece, "agent", 1)[-1].payload)
    assert frame.lines == ["[REDACTED]", "[REDACTED]", "b"]


def test_a_restart_goes_on_skimming_what_is_older_than_the_backfill(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=NUMBERED * 100)
    with Followed(standin.url, backfill="1MiB") as before:
        before.until_lines("job-1", 1)
        at = next(r.checkpoint for r in before.records if r.kind == "gap")
    assert at
    with Followed(standin.url, backfill="1MiB", checkpoints={"job-1": at}) as after:
        after.until_lines("job-1", 500_000 - at.line)
        assert after.frames("job-1", "log", "gap")[0].kind == "gap"


def test_a_change_of_source_takes_no_new_line_for_backfill(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=NUMBERED)
    with Followed(standin.url, protocol="websocket", backfill="64KiB") as followed:
        followed.until_lines("job-1", 5_000)
        standin.append("job-1", b"bad \xff byte\n" + NUMBERED * 20)
        followed.until_lines("job-1", 105_001, 30)
        assert followed.frames("job-1", "gap") == []


# From records to subscribers --------------------------------------------------------------------


def _record(line: int) -> Record:
    frame = Frame("log", *JOB, line, line + 1, epoch="e", lines=["x"])
    at = Checkpoint("e", line + 1, 2 * line + 2, ended=True)
    return Record(JOB, "log", "e", line, line + 1, time.time_ns(), encode(frame), at)


def test_many_small_frames_of_one_commit_overflow_no_outbox() -> None:
    publisher, pulse = MemoryPublisher(), Pulse("b1", 15.0, lambda _: None)
    outbox = Outbox(publisher, 1_000, Backoff(), pulse.join)
    bus = Bus(None, [outbox], pulse, Metrics("test"), 1_000)
    outbox.start()
    try:
        for line in range(5_000):  # what some jobs say while one commit takes long
            bus.put([_record(line)])
        bus.start()
        publisher.received(5_000, timeout=5)
    finally:
        bus.stop(2)
        outbox.stop(2)


def test_all_that_a_crash_may_have_kept_back_is_published_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    journal = SqliteJournal(state / "journal.sqlite3", 1 << 30, 1 << 30, 86_400.0)
    journal.append([_record(line) for line in range(5_000)])
    journal.close()
    publisher = MemoryPublisher()
    cluster = {"default": ClusterConfig(endpoints=["http://127.0.0.1:9"])}
    config = Config(state_dir=str(state), cluster=cluster, http=HttpConfig(enabled=False))
    daemon = Daemon(config, {}, [publisher], "test")
    try:
        daemon.start()
        publisher.received(5_000, timeout=5)
    finally:
        daemon.stop()


def test_a_heartbeat_says_ended_only_after_the_end_was_handed_out() -> None:
    pulse = Pulse("b1", 15.0, lambda _: Beat("ended", "SUCCEEDED", 1))
    pulse.published([_record(0)], now=1.0)  # more lines and the end wait in the bus
    pulse.join([b""])
    ((_, payload),) = pulse.due(now=2.0, now_ns=1)
    assert decode(payload).state != "ended"
