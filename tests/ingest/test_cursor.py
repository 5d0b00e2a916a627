"""The cursor and the skim: the same numbers, CRC and tail however a log is cut into reads."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.checkpoint import Checkpoint
from broker.ingest.cursor import OVERLAP, Cursor, Mismatch, Piece, Skim, epoch_of
from broker.text.lines import OVERLAP as LINE_OVERLAP

MAX_LINE = 20
LONG = b"x" * (MAX_LINE + LINE_OVERLAP + 7)  # over what is kept of a line

logs = st.lists(
    st.sampled_from(
        [b"\n", b"\r", b"\r\n", b"a", b"loss=0.1", b"\xff", "é漢🙂".encode(), b"y" * 70, LONG]
    ),
    max_size=20,
).map(b"".join)
cuts = st.lists(st.integers(0, 400), max_size=6)


def split(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in reads of these sizes, and what is left in one more."""
    reads = []
    for size in sizes:
        reads.append(data[:size])
        data = data[size:]
    return [*reads, data]


def feed(cursor: Cursor, reads: list[bytes]) -> list[Piece]:
    return [piece for data in reads for piece in cursor.feed(data)]


def text(pieces: list[Piece]) -> bytes:
    return b"".join(piece.chunk.data for piece in pieces)


def line_by_line(data: bytes) -> list[Piece]:
    """Each complete line as a piece of its own."""
    return Cursor(Checkpoint(), MAX_LINE).feed(data, alone=len(data))


def checkpoint_of(piece: Piece) -> Checkpoint:
    chunk, tail = piece
    return Checkpoint("e", chunk.first + chunk.lines, chunk.offset, chunk.crc, tail)


@given(logs, cuts)
@example(b"a\r\nb\rc\n", [2])
@example(LONG + b"\r\n" + LONG + b"\n", [100, 4_000, 25])
def test_the_cut_into_reads_leaves_no_trace(data: bytes, sizes: list[int]) -> None:
    once, often = Cursor(Checkpoint(), MAX_LINE), Cursor(Checkpoint(), MAX_LINE)
    whole, pieces = once.feed(data), feed(often, split(data, sizes))
    assert text(pieces) == text(whole)
    assert (often.line, often.offset, often.pending) == (once.line, len(data), once.pending)
    assert often.tail == data[-OVERLAP:]
    assert [p.chunk.crc for p in pieces[-1:]] == [p.chunk.crc for p in whole[-1:]]
    assert often.partial() == once.partial()
    assert (text(often.end()), often.line) == (text(once.end()), once.line)


@given(logs, cuts)
@example(b"a\r" + b"b" * 80 + b"\r\nc\n", [2, 80, 1])
def test_each_piece_knows_the_raw_bytes_before_its_end(data: bytes, sizes: list[int]) -> None:
    for chunk, tail in feed(Cursor(Checkpoint(), MAX_LINE), split(data, sizes)):
        assert chunk.offset is not None
        assert tail == data[: chunk.offset][-OVERLAP:]


@given(logs, cuts, cuts, st.data())
def test_from_a_checkpoint_anywhere_it_goes_on_as_if_nothing_had_been(
    data: bytes, before: list[int], after: list[int], draw: st.DataObject
) -> None:
    through = Cursor(Checkpoint(), MAX_LINE)
    pieces = feed(through, split(data, before))
    if not pieces:
        return
    index = draw.draw(st.integers(0, len(pieces) - 1))
    at = checkpoint_of(pieces[index])
    resumed = Cursor(at, MAX_LINE)
    assert resumed.offset == at.offset
    assert at.offset is not None
    rest = feed(resumed, split(data[at.offset :], after))
    assert text(rest) == text(pieces[index + 1 :])
    assert (resumed.line, resumed.offset, resumed.tail) == (
        through.line,
        through.offset,
        through.tail,
    )
    if rest:
        assert rest[-1].chunk.crc == pieces[-1].chunk.crc
        assert rest[0].chunk.first == at.line


@given(logs, cuts, st.data())
@example(b"a\rb\r\n\rc\n" + LONG + b"\n", [2, 1], None)
def test_a_skim_from_byte_0_to_any_line_goes_on_exactly_there(
    data: bytes, sizes: list[int], draw: st.DataObject | None
) -> None:
    lines = line_by_line(data)
    targets = range(len(lines) + 1)
    for line in targets if draw is None else [draw.draw(st.sampled_from(targets))]:
        crc = lines[line - 1].chunk.crc if line else 0
        skim = Skim(line, crc, MAX_LINE)
        beyond = [piece for read in split(data, sizes) for piece in skim.feed(read)]
        assert skim.done
        assert text(beyond) == text(lines[line:])
        assert [p.chunk.first for p in beyond[:1]] == ([line] if line < len(lines) else [])
        assert (skim.cursor.line, skim.cursor.offset) == (len(lines), len(data))
        assert skim.cursor.tail == data[-OVERLAP:]
        if beyond:
            assert checkpoint_of(beyond[-1]) == checkpoint_of(lines[-1])


@given(logs, st.data())
def test_a_skim_over_a_tail_s_text_finds_the_line_of_the_file(
    data: bytes, draw: st.DataObject
) -> None:
    lines = line_by_line(data)
    line = draw.draw(st.integers(0, len(lines)))
    crc = lines[line - 1].chunk.crc if line else 0
    # What Ray's websocket makes of the file: text, each end as \n.
    tailed = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").encode()
    skim = Skim(line, crc, MAX_LINE, in_bytes=False)
    assert text(skim.feed(tailed))[: len(text(lines[line:]))] == text(lines[line:])
    assert skim.cursor.offset is None


@given(logs, st.data())
def test_a_skim_over_another_text_is_a_mismatch(data: bytes, draw: st.DataObject) -> None:
    lines = line_by_line(data)
    if not lines:
        return
    line = draw.draw(st.integers(1, len(lines)))
    crc = lines[line - 1].chunk.crc
    with pytest.raises(Mismatch, match=f"the text before line {line} is not what was read"):
        Skim(line, crc ^ 1, MAX_LINE).feed(data)


@given(logs, st.integers(1, 5))
def test_a_log_that_ends_before_the_line_is_a_mismatch(data: bytes, more: int) -> None:
    cursor = Cursor(Checkpoint(), MAX_LINE)
    cursor.feed(data)
    cursor.end()
    skim = Skim(cursor.line + more, 0, MAX_LINE)
    assert skim.feed(data) == []
    with pytest.raises(Mismatch, match=f"the log has {cursor.line} lines"):
        skim.end()


def test_a_held_cr_at_the_log_s_end_is_the_line_that_a_tail_has_shown() -> None:
    (first,) = line_by_line(b"a\nbar\n")[1:]
    skim = Skim(2, first.chunk.crc, MAX_LINE)
    assert skim.feed(b"a\nbar\r") == []
    skim.end()
    assert skim.done
    assert (skim.cursor.line, skim.cursor.offset) == (2, 6)


def test_a_websocket_has_no_offset_and_no_tail() -> None:
    cursor = Cursor(Checkpoint(offset=None), MAX_LINE)
    ((chunk, tail),) = cursor.feed(b"a\nb")
    assert (chunk.offset, tail, cursor.offset, cursor.line) == (None, b"", None, 1)


def test_an_epoch_is_named_by_session_job_and_the_first_kib_of_the_first_line() -> None:
    name = epoch_of("s", "job-1", b"x" * 2_000)
    assert name == hashlib.sha256(b"s\0job-1\0" + b"x" * 1024).hexdigest()[:12]
    assert name == epoch_of("s", "job-1", b"x" * 1024 + b"other")
    others = {
        epoch_of("t", "job-1", b"x"),
        epoch_of("s", "job-2", b"x"),
        epoch_of("s", "job-1", b"y"),
    }
    assert len(others | {epoch_of("s", "job-1", b"x")}) == 4


def test_files_that_begin_alike_get_a_counter_that_was_never_used() -> None:
    taken: set[str] = set()
    for _ in range(4):
        taken.add(epoch_of("s", "job-1", b"x", taken))
    name = epoch_of("s", "job-1", b"x")
    assert taken == {name, f"{name}.1", f"{name}.2", f"{name}.3"}
