"""From chunks to records: numbers, epochs, marks, and the checkpoint that goes with each frame."""

from __future__ import annotations

from broker.checkpoint import Checkpoint
from broker.frame import Frame, decode
from broker.ingest.cursor import Cursor, Piece, epoch_of
from broker.ingest.framer import MARK_BYTES, Framer
from broker.journal import Record
from broker.text.pipeline import Pipeline
from broker.text.redact import Redactor
from broker.topic import Stream

JOB = Stream("default", "job-1")
SECRET = b"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY0\n"
KEY_BEGINS = b"-----BEGIN RSA PRIVATE KEY-----\n"
KEY_ENDS = b"-----END RSA PRIVATE KEY-----\n"
_redactor = Redactor()


class Log:
    """A log that is framed as it is written."""

    def __init__(self, at: Checkpoint | None = None, epochs: set[str] | None = None) -> None:
        at = at or Checkpoint()
        self.framer = Framer(JOB, "b1", Pipeline(_redactor), at, set(epochs or ()))
        self.framer.another_head("s")
        self.cursor = Cursor(at, 10_240)

    def pieces(self, data: bytes) -> list[Piece]:
        return self.cursor.feed(data)

    def write(self, data: bytes, now: int = 1) -> list[Record]:
        return [r for piece in self.pieces(data) for r in self.framer.log(piece, "agent", now)]

    def skip(self, data: bytes, reason: str = "limit") -> list[Record]:
        return [
            r for piece in self.pieces(data) for r in self.framer.gap(piece, reason, "agent", 1)
        ]

    def partial(self) -> list[Record]:
        chunk = self.cursor.partial()
        assert chunk is not None
        return self.framer.partial(chunk, 1)


def frame(records: list[Record]) -> Frame:
    """The last of them, which its record describes rightly."""
    record = records[-1]
    found = decode(record.payload)
    assert (record.stream, record.kind, record.epoch) == (JOB, found.kind, found.epoch)
    assert (record.first, record.next, record.ts) == (found.first, found.next, found.ts)
    assert found.broker == "b1"
    return found


def at(record: Record) -> Checkpoint:
    assert record.checkpoint is not None
    return record.checkpoint


def test_a_frame_holds_its_lines_their_numbers_and_the_raw_offset() -> None:
    log = Log()
    log.write(b"a\r\nb\n")
    found = frame(log.write(b"c\rd\n", now=7))
    assert (found.kind, found.first, found.next, found.lines) == ("log", 2, 4, ["c", "d"])
    assert (found.cr, found.offset, found.ts) == ([0], 9, 7)


def test_the_checkpoint_stands_where_a_reader_goes_on() -> None:
    log = Log()
    (record,) = log.write(b"a\nb\nhalf")
    position = at(record)
    assert (position.line, position.offset, position.tail) == (2, 4, b"a\nb\n")
    assert (position.source, position.session) == ("agent", "s")
    again = Log(position, {position.epoch})
    found = frame(again.write(b"half and more\n"))
    assert (found.first, found.lines, found.epoch) == (2, ["half and more"], position.epoch)


def test_the_epoch_is_named_by_the_first_line_and_kept() -> None:
    log = Log()
    log.write(b"first\n")
    assert frame(log.write(b"second\n")).epoch == epoch_of("s", "job-1", b"first")


def test_before_the_first_line_frames_have_no_epoch() -> None:
    log = Log()
    found = frame([log.framer.status("PENDING", 5, 1)])
    assert (found.epoch, found.first, found.next, found.run) == ("", 0, 0, 5)


def test_a_reset_is_said_with_its_new_epoch_before_its_first_line() -> None:
    log = Log()
    log.write(b"one\ntwo\n")
    log.framer.reset("it was truncated")
    assert log.framer.next == 0
    log.cursor = Cursor(Checkpoint(), 10_240)
    reset, line = log.write(b"other\n")
    said = frame([reset])
    assert (said.kind, said.reason, said.first, said.next) == ("reset", "it was truncated", 0, 0)
    assert said.epoch == frame([line]).epoch == epoch_of("s", "job-1", b"other")
    assert log.framer.totals.resets == 1


def test_a_reset_to_a_file_that_begins_alike_gets_a_counter() -> None:
    log = Log()
    first = frame(log.write(b"one\n")).epoch
    for counter in (1, 2):
        log.framer.reset("it was truncated")
        log.cursor = Cursor(Checkpoint(), 10_240)
        assert frame(log.write(b"one\n")).epoch == f"{first}.{counter}"


def test_a_reset_keeps_the_run_and_the_session() -> None:
    log = Log()
    log.framer.status("RUNNING", 5, 1)
    log.write(b"one\n")
    log.framer.reset("x")
    assert log.framer.position == Checkpoint(run=5, session="s", status="RUNNING")


def test_another_head_is_one_only_where_a_file_was_read() -> None:
    log = Log()
    assert not log.framer.another_head("t")
    log.write(b"one\n")
    assert not log.framer.another_head("t")
    assert not log.framer.another_head("")
    assert log.framer.another_head("u")
    assert log.framer.position.session == "u"


def test_a_gap_takes_its_numbers_and_says_why() -> None:
    log = Log()
    log.write(b"a\n")
    found = frame(log.skip(b"b\nc\n", "limit"))
    assert (found.kind, found.first, found.next, found.reason) == ("gap", 1, 3, "limit")
    assert (found.lines, found.offset) == ([], 6)
    assert frame(log.write(b"d\n")).first == 3
    assert (log.framer.totals.lines, log.framer.totals.dropped) == (2, 2)


def test_a_key_that_ends_in_a_gap_hides_nothing_after_it() -> None:
    log = Log()
    log.write(b"a\n" + KEY_BEGINS + b"AAAA\n")
    log.skip(b"BBBB\n" + KEY_ENDS)
    assert frame(log.write(b"plain\n")).lines == ["plain"]


def test_an_open_key_is_in_the_checkpoint_and_goes_on_after_a_restart() -> None:
    log = Log()
    (record,) = log.write(b"a\n" + KEY_BEGINS + b"AAAA\n")
    assert at(record).key_lines > 0
    again = Log(at(record), {at(record).epoch})
    found = frame(again.write(b"BBBB\n" + KEY_ENDS + b"plain\n"))
    assert found.lines == ["[REDACTED]", "[REDACTED]", "plain"]


def test_a_partial_line_is_amended_under_its_number() -> None:
    log = Log()
    log.write(b"a\nhal")
    first = log.partial()
    said = frame(first)
    assert (said.lines, said.first, said.next, said.partial, said.amends) == (
        *(["hal"], 1, 2),
        *(True, False),
    )
    assert said.offset is None
    assert (at(first[-1]).line, at(first[-1]).partial, log.framer.next) == (1, True, 2)
    log.cursor.feed(b"f")
    again = frame(log.partial())
    assert (again.lines, again.partial, again.amends) == (["half"], True, True)
    whole = log.write(b"!\n")
    said = frame(whole)
    assert (said.lines, said.first, said.partial, said.amends) == (["half!"], 1, False, True)
    assert (at(whole[-1]).partial, log.framer.next) == (False, 2)


def test_frames_without_lines_stand_behind_a_partial_line() -> None:
    log = Log()
    log.write(b"a\nhal")
    log.partial()
    found = frame([log.framer.end("SUCCEEDED", True, 1)])
    assert (found.first, found.next, found.complete) == (2, 2, True)


def test_an_end_is_in_the_checkpoint_until_a_new_run_begins() -> None:
    log = Log()
    log.framer.status("RUNNING", 5, 1)
    log.write(b"a\n")
    end = log.framer.end("FAILED", True, 1, "exit code 3")
    assert (at(end).status, at(end).complete, frame([end]).message) == (
        "FAILED",
        True,
        "exit code 3",
    )
    assert (at(end).ended, frame([end]).status, frame([end]).run) == (True, "FAILED", 5)
    (line,) = log.write(b"after the end\n")
    assert at(line).ended
    again = log.framer.status("RUNNING", 6, 1)
    assert (at(again).ended, at(again).run, frame([again]).first) == (False, 6, 2)


def test_an_error_says_where_the_stream_stands() -> None:
    log = Log()
    log.write(b"a\nb\n")
    found = frame([log.framer.error(503, "it is gone", 1)])
    assert (found.kind, found.code, found.message, found.first) == ("error", 503, "it is gone", 2)


def test_each_mib_has_one_mark_from_which_a_reader_can_begin() -> None:
    log = Log()
    line = b"x" * 99 + b"\n"
    data = line * (3 * MARK_BYTES // 100 + 50)
    records = [r for start in range(0, len(data), 7_000) for r in log.write(data[start:][:7_000])]
    marks = [record.mark for record in records if record.mark]
    assert [mark.offset // MARK_BYTES for mark in marks] == [1, 2, 3]
    for mark in marks:
        assert mark.offset == mark.line * 100
        assert mark.offset % MARK_BYTES < 65_536 + 7_000
        resumed = Cursor(Checkpoint(mark.epoch, mark.line, mark.offset, mark.crc), 10_240)
        resumed.feed(data[mark.offset :])
        assert resumed.line == log.framer.position.line


def test_a_restart_marks_no_mib_twice() -> None:
    log = Log()
    line = b"x" * 99 + b"\n"
    records = log.write(line * (MARK_BYTES // 100 + 1))
    assert records[-1].mark is not None
    again = Framer(JOB, "b1", Pipeline(None), at(records[-1]), marked=MARK_BYTES // MARK_BYTES)
    (piece,) = log.pieces(line)
    assert again.log(piece, "agent", 1)[0].mark is None


def test_a_websocket_s_lines_have_no_offset_and_no_mark() -> None:
    log = Log(Checkpoint(offset=None))
    (record,) = log.write(b"a\n")
    assert (frame([record]).offset, at(record).offset, record.mark) == (None, None, None)


def test_secrets_and_long_lines_are_counted_by_frame_and_in_all() -> None:
    log = Log()
    found = frame(log.write(SECRET + b"y" * 20_000 + b"\nplain\n"))
    log.write(SECRET)
    assert (found.redacted, found.truncated) == (1, 1)
    totals = log.framer.totals
    assert (totals.redacted, totals.truncated, sum(totals.secrets.values())) == (2, 1, 2)
    assert not any("wJalr" in line for line in found.lines)


def test_a_backfill_in_progress_is_in_the_checkpoint_until_it_is_over() -> None:
    log = Log()
    log.framer.skip_to = 5
    assert [at(log.skip(line, "backfill")[0]).skip_to for line in (b"a\n", b"b\n", b"c\n")] == [
        *(5, 5),
        0,
    ]
