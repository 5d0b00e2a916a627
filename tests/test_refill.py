"""Lines that the journal has let go, from Ray again: which file, from where, from which source."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

import pytest

from broker.checkpoint import Checkpoint
from broker.errors import ClientError
from broker.frame import Frame
from broker.ingest.cursor import Cursor
from broker.ingest.framer import MARK_BYTES, Framer
from broker.journal import Record
from broker.journal.memory import MemoryJournal
from broker.journal.replay import replay
from broker.refill import Refill
from broker.sources.source import LogMissing, LogReplaced, Source
from broker.text.pipeline import Pipeline
from broker.text.redact import Redactor
from broker.topic import Stream

JOB = Stream("default", "job-1")
MAX_LINE = 10_240
LINES = [f"line {n} " + "x" * (n % 97) for n in range(60_000)]
LOG = "".join(f"{line}\n" for line in LINES).encode()
assert len(LOG) > 3 * MARK_BYTES
_redactor = Redactor()


class File:
    """A source that gives a file, by `name`; it may raise, at once or after some bytes."""

    def __init__(
        self, data: bytes, error: Exception | None = None, after: int = 0, name: str = "agent"
    ) -> None:
        self.name = name
        self.size: int | None = None
        self.offsets: list[int] = []
        self._data, self._error, self._after = data, error, after

    def read(self, offset: int, tail: bytes) -> Generator[bytes]:
        self.offsets.append(offset)
        if offset < len(tail) or self._data[offset - len(tail) : offset] != tail:
            raise LogReplaced("it is another one")
        self.size = len(self._data)
        until = len(self._data) if self._error is None else self._after
        for at in range(offset, until, 1 << 16):
            yield self._data[at : min(at + (1 << 16), until)]
        if self._error is not None:
            raise self._error


class Kept:
    """A journal of a log that was framed as a worker does."""

    def __init__(self, log: bytes = LOG, session: str = "s") -> None:
        self.session = session
        self.journal = MemoryJournal(1 << 40, 1 << 40, 1e9)
        self.framer = Framer(JOB, "b1", Pipeline(_redactor, MAX_LINE), Checkpoint())
        self.framer.another_head(session)
        self.cursor = Cursor(Checkpoint(), MAX_LINE)
        self.write(log)

    @property
    def epoch(self) -> str:
        return self.framer.position.epoch

    def write(self, log: bytes) -> None:
        records: list[Record] = []
        for at in range(0, len(log), 1 << 18):
            for piece in self.cursor.feed(log[at : at + (1 << 18)]):
                records += self.framer.log(piece, "agent", 1)
        self.journal.append(records)

    def end(self) -> None:
        """As a worker does at the log's end."""
        records: list[Record] = []
        for piece in self.cursor.end():
            records += self.framer.log(piece, "agent", 1)
        last = self.cursor.partial()
        if last is not None:
            records += self.framer.partial(last, 1)
        self.journal.append(records)

    def refill(self, *sources: File) -> Refill:
        found: Sequence[Source] = sources
        return Refill(
            self.journal,
            {"default": lambda job: (self.session, list(found))},
            lambda: Pipeline(_redactor, MAX_LINE),
            MAX_LINE,
        )

    def lines(self, first: int, until: int, *sources: File) -> list[str]:
        """The lines `[first, until)` as they come."""
        return within(self.refill(*sources)(JOB, self.epoch, first, until), first, until)


def within(frames: Iterable[Frame], first: int, until: int) -> list[str]:
    """What of the frames lies within `[first, until)`, checked to be without hole or repeat."""
    lines: list[str] = []
    expected = None
    for frame in frames:
        assert frame.kind == "log"
        assert expected is None or frame.first == expected
        assert len(frame.lines) == frame.next - frame.first
        if expected is None:
            assert frame.first <= first
        expected = frame.next
        lines += frame.lines[max(0, first - frame.first) : until - frame.first]
    return lines


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.mark.parametrize(
    ("first", "until"), [(0, 1), (0, 60_000), (1_234, 5_678), (30_000, 30_001), (59_999, 60_000)]
)
def test_any_lines_are_had_with_their_numbers_and_text(kept: Kept, first: int, until: int) -> None:
    assert kept.lines(first, until, File(LOG)) == LINES[first:until]


def test_it_reads_from_the_nearest_mark_and_not_from_the_start(kept: Kept) -> None:
    source = File(LOG)
    kept.lines(59_000, 59_010, source)
    mark = kept.journal.mark_before(JOB, kept.epoch, 59_000)
    assert mark is not None
    assert source.offsets == [0, mark.offset]  # the first line, then the lines
    assert mark.offset >= 2 * MARK_BYTES


def test_a_file_that_has_grown_gives_what_was_asked_for(kept: Kept) -> None:
    grown = LOG + b"more\n" * 1_000
    assert kept.lines(59_990, 60_000, File(grown)) == LINES[59_990:]


def test_secrets_are_taken_out_again_and_an_open_key_is_known_at_the_mark() -> None:
    body = b"".join(b"%064d\n" % n for n in range(50))
    secret = b"-----BEGIN RSA PRIVATE KEY-----\n" + body + b"-----END RSA PRIVATE KEY-----\n"
    filler = b"x" * 99 + b"\n"
    before = (MARK_BYTES - 1_000) // 100
    log = filler * before + secret + filler * 100
    kept = Kept(log[: MARK_BYTES + 300])  # a read that ends within the key
    kept.write(log[MARK_BYTES + 300 :])
    count = before + 52
    lines = kept.lines(before, count + 1, File(log))
    assert lines == ["[REDACTED]"] * 52 + ["x" * 99]
    last_mark = kept.journal.mark_before(JOB, kept.epoch, count)
    assert last_mark is not None
    if last_mark.line > before:
        assert kept.lines(last_mark.line, count, File(log)) == ["[REDACTED]"] * (
            count - last_mark.line
        )


@pytest.mark.parametrize("other", [b"another first line\n" + LOG, b"", b"no end"])
def test_another_file_is_a_404(kept: Kept, other: bytes) -> None:
    with pytest.raises(ClientError, match="another file") as raised:
        kept.lines(0, 10, File(other))
    assert raised.value.status == 404


def test_another_head_s_file_is_a_404_though_it_begins_alike(kept: Kept) -> None:
    found = Refill(
        kept.journal,
        {"default": lambda _: ("another session", [File(LOG)])},
        lambda: Pipeline(None),
        MAX_LINE,
    )
    with pytest.raises(ClientError) as raised:
        list(found(JOB, kept.epoch, 0, 10))
    assert raised.value.status == 404


def test_of_files_that_begin_alike_only_the_newest_is_the_one_ray_has() -> None:
    kept = Kept(b"one\ntwo\n")
    old = kept.epoch
    kept.framer.reset("truncated")
    kept.cursor = Cursor(Checkpoint(), MAX_LINE)
    kept.write(b"one\nthree\n")
    assert kept.epoch == f"{old}.1"
    file = File(b"one\nthree\n")
    assert kept.lines(0, 2, file) == ["one", "three"]
    with pytest.raises(ClientError) as raised:
        list(kept.refill(file)(JOB, old, 0, 2))
    assert raised.value.status == 404


def test_a_file_shorter_than_the_mark_is_a_404(kept: Kept) -> None:
    mark = kept.journal.mark_before(JOB, kept.epoch, 59_000)
    assert mark is not None

    class Short(File):
        def read(self, offset: int, tail: bytes) -> Generator[bytes]:
            if offset:
                raise LogReplaced("the file is shorter")
            yield from super().read(offset, tail)

    with pytest.raises(ClientError, match="shorter") as raised:
        kept.lines(59_000, 59_010, Short(LOG))
    assert raised.value.status == 404


@pytest.mark.parametrize(
    "error", [ClientError(503, "gone"), ClientError(408, "slow"), LogMissing("no file")]
)
def test_where_the_first_source_fails_the_second_is_asked(kept: Kept, error: ClientError) -> None:
    second = File(LOG, name="state-file")
    assert kept.lines(10, 20, File(b"", error), second) == LINES[10:20]


def test_where_all_fail_the_last_one_says_why(kept: Kept) -> None:
    with pytest.raises(ClientError, match="second") as raised:
        kept.lines(
            0, 10, File(b"", ClientError(503, "first")), File(b"", ClientError(408, "second"))
        )
    assert raised.value.status == 408


def test_a_source_cut_on_the_way_leaves_no_hole_and_no_repeat_in_a_replay(kept: Kept) -> None:
    cut = File(LOG, ClientError(503, "cut"), after=200_000)
    refill = kept.refill(cut, File(LOG))
    lines: list[str] = []
    seen = 0
    for frame in refill(JOB, kept.epoch, 0, 20_000):
        if frame.next > seen:  # as a replay takes them: what it has is passed over
            lines += frame.lines[seen - frame.first :]
            seen = frame.next
    assert lines[:20_000] == LINES[:20_000]


def test_a_replay_of_evicted_lines_is_filled_from_ray_without_a_gap() -> None:
    kept = Kept()
    journal = MemoryJournal(1 << 20, 1 << 40, 1e9)
    framer = Framer(JOB, "b1", Pipeline(_redactor), Checkpoint())
    framer.another_head("s")
    cursor = Cursor(Checkpoint(), MAX_LINE)
    for at in range(0, len(LOG), 1 << 18):
        for piece in cursor.feed(LOG[at : at + (1 << 18)]):
            journal.append(framer.log(piece, "agent", 1))
    journal.bounds = journal.bounds._replace(max_bytes=100_000)
    while journal.evict(2):
        pass
    assert journal.spans(JOB)[-1].first > 1_000
    kept.journal = journal
    found = list(replay(journal, JOB, refill=kept.refill(File(LOG))).frames)
    assert [frame.kind for frame in found] == ["log"] * len(found)
    assert [line for frame in found for line in frame.lines] == LINES
    holed = list(replay(journal, JOB, refill=kept.refill(File(b"other\n"))).frames)
    assert (holed[0].kind, holed[0].reason) == ("gap", "evicted")


@pytest.mark.parametrize(
    ("log", "expected", "partial"),
    [
        (b"one\ntwo\r", ["one", "two"], False),
        (b"one\ntwo", ["one", "two"], True),
        (b"one\r\ntwo\r\n", ["one", "two"], False),
        (b"one", ["one"], True),
    ],
)
def test_the_last_line_is_had_however_it_ends(
    log: bytes, expected: list[str], partial: bool
) -> None:
    kept = Kept(log)
    kept.end()
    frames = list(kept.refill(File(log))(JOB, kept.epoch, 0, len(expected)))
    assert [line for frame in frames for line in frame.lines] == expected
    assert frames[-1].partial == partial


def test_a_job_that_is_forgotten_meanwhile_is_a_404(kept: Kept) -> None:
    found = Refill(
        MemoryJournal(1 << 40, 1 << 40, 1e9),
        {"default": lambda _: ("s", [File(LOG)])},
        lambda: Pipeline(None),
        MAX_LINE,
    )
    with pytest.raises(ClientError) as raised:
        list(found(JOB, kept.epoch, 0, 10))
    assert raised.value.status == 404


def test_a_cluster_that_is_not_this_daemon_s_is_a_404(kept: Kept) -> None:
    with pytest.raises(ClientError, match="cluster other") as raised:
        list(kept.refill(File(LOG))(Stream("other", "job-1"), kept.epoch, 0, 10))
    assert raised.value.status == 404
