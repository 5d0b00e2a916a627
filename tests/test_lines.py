"""The line assembler: the same lines whatever the reads, in linear time and bounded memory."""

from __future__ import annotations

import re
import time
import tracemalloc
from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.text.lines import OVERLAP, Chunk, LineAssembler

MAX_LINE = 30
CAP = MAX_LINE + OVERLAP

log_bytes = st.lists(
    st.sampled_from(
        [
            b"\n",
            b"\r",
            b"\r\n",
            b"a",
            b"loss=1",
            b"\xff",
            b"\xc3",
            b"\xa9",
            "é漢🙂\u2028\x85".encode(),
            b"x" * CAP,
            b"\xe6" * (CAP // 2),
            "🙂".encode() * (CAP // 4 + 1),
            b"\xed\xa0\x80",
            b"\xf0\x9f",
        ]
    ),
    max_size=24,
).map(b"".join)


def reference(data: bytes) -> tuple[list[bytes], list[int], dict[int, int], int, int, bytes]:
    """Lines, cr, cut, crc and offset of the complete lines, and the rest: naive, in one shot."""
    lines: list[bytes] = []
    cr: list[int] = []
    cut: dict[int, int] = {}
    crc = offset = 0
    parts = re.split(rb"(\r\n|\n|\r)", data)
    for raw, ending in zip(parts[::2], parts[1::2], strict=False):
        text = raw.decode("utf-8", "replace").encode()
        crc = crc32(text + b"\n", crc)
        if ending == b"\r":
            cr.append(len(lines))
        if len(text) > CAP:
            head = text[:CAP].decode("utf-8", "ignore").encode()
            cut[len(lines)] = len(text) - len(head)
            text = head
        lines.append(text)
        offset += len(raw) + len(ending)
    return lines, cr, cut, crc, offset, data[offset:]


def collect(chunks: list[Chunk]) -> tuple[list[bytes], list[int], dict[int, int]]:
    lines: list[bytes] = []
    cr: list[int] = []
    cut: dict[int, int] = {}
    for chunk in chunks:
        assert chunk.first == len(lines)
        assert chunk.data.endswith(b"\n")
        assert chunk.data.count(b"\n") == chunk.lines
        chunk.data.decode()
        cr += [chunk.first + index for index in chunk.cr]
        cut |= {chunk.first + index: dropped for index, dropped in chunk.cut.items()}
        lines += chunk.data[:-1].split(b"\n")
    return lines, cr, cut


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(at)]


@given(
    data=log_bytes, cuts=st.lists(st.integers(0, 1 << 20), max_size=12), size=st.integers(1, 9000)
)
@example(data=b"a\r\nb\r", cuts=[2, 2], size=1)
def test_any_split_of_a_log_gives_the_same_lines_ends_cuts_crc_and_offset(
    data: bytes, cuts: list[int], size: int
) -> None:
    assembler = LineAssembler(max_line=MAX_LINE, chunk_size=size)
    chunks = [chunk for piece in pieces(data, cuts) for chunk in assembler.feed(piece)]
    assert assembler.offset is not None
    assert assembler.offset + assembler.pending == len(data)
    chunks += assembler.end()
    lines, cr, cut, crc, offset, rest = reference(data)
    assert collect(chunks) == (lines, cr, cut)
    assert (assembler.line, assembler.crc, assembler.offset) == (len(lines), crc, offset)
    assert assembler.pending == len(rest)
    partial = assembler.partial()
    if not rest:
        assert partial is None
    else:
        assert partial is not None
        text, _, dropped, *_ = reference(rest + b"\n")
        assert (partial.data, partial.cut) == (text[0] + b"\n", dropped)
        assert (partial.first, partial.crc, partial.offset) == (len(lines), crc, offset)


@given(data=log_bytes)
def test_bytes_fed_one_by_one_give_the_same_lines(data: bytes) -> None:
    data = data[:200] + data[-200:]
    assembler = LineAssembler(max_line=MAX_LINE)
    chunks = [chunk for byte in data for chunk in assembler.feed(bytes([byte]))] + assembler.end()
    assert collect(chunks) == reference(data)[:3]


@given(data=log_bytes)
def test_each_chunk_stands_at_the_offset_and_crc_of_its_own_end(data: bytes) -> None:
    for chunk in LineAssembler(max_line=MAX_LINE, chunk_size=100).feed(data):
        assert chunk.offset is not None
        assert chunk.crc == reference(data[: chunk.offset])[3]


def test_only_the_three_line_ends_end_a_line() -> None:
    data = "a\u2028b\x85c\x0bd\x0ce\x1cf\n".encode()
    assert LineAssembler().feed(data)[0].lines == 1


def test_a_carriage_return_at_the_end_of_a_read_waits_for_the_next_byte() -> None:
    assembler = LineAssembler()
    assert assembler.feed(b"50%\r") == []
    assert assembler.pending == 4
    assert assembler.feed(b"\n")[0].cr == ()
    assert assembler.feed(b"51%\r") == []
    assert assembler.feed(b"52%")[0].cr == (0,)


def test_a_held_carriage_return_is_a_line_end_when_the_log_has_ended() -> None:
    assembler = LineAssembler()
    assembler.feed(b"100%\r")
    [chunk] = assembler.end()
    assert (chunk.data, chunk.cr, chunk.offset) == (b"100%\n", (0,), 5)
    assert assembler.end() == []
    assert assembler.partial() is None


def test_the_unfinished_last_line_can_be_had_without_taking_it() -> None:
    assembler = LineAssembler(line=7, offset=100)
    assembler.feed(b"done\nunfinis\xc3")
    partial = assembler.partial()
    assert partial is not None
    assert partial.data == "unfinis\ufffd\n".encode()
    assert (partial.first, partial.offset, partial.lines) == (8, 105, 1)
    assert assembler.feed(b"\xa9hed\n")[0].data == "unfiniséhed\n".encode()


def test_an_assembler_without_an_offset_counts_none() -> None:
    [chunk] = LineAssembler(offset=None).feed(b"a\n")
    assert chunk.offset is None


def test_an_assembler_goes_on_from_a_checkpoint() -> None:
    whole = LineAssembler()
    whole.feed(b"one\ntwo\nthree\n")
    first = LineAssembler()
    first.feed(b"one\n")
    rest = LineAssembler(first.line, first.offset, first.crc)
    [chunk] = rest.feed(b"two\nthree\n")
    assert chunk.first == 1
    assert (rest.line, rest.offset, rest.crc) == (whole.line, whole.offset, whole.crc)


def test_chunks_of_a_large_read_stay_near_64_kib() -> None:
    chunks = LineAssembler().feed(b"0123456789abcdef 0123456789abcdef\n" * 30_000)
    assert max(len(chunk.data) for chunk in chunks) <= 65_536
    assert len(chunks) <= 17


@pytest.mark.parametrize("filler", [b"x" * 65_536, "🙂é".encode() * 10_922, b"\xff" * 65_536])
def test_a_100_mb_line_takes_bounded_memory(filler: bytes) -> None:
    assembler = LineAssembler()
    rounds = 100_000_000 // len(filler)
    if not filler.isascii():
        rounds //= 10
    tracemalloc.start()
    try:
        for _ in range(rounds):
            assert assembler.feed(filler) == []
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    [chunk] = assembler.feed(b"\n")
    assert chunk.offset == rounds * len(filler) + 1
    text = len(filler.decode("utf-8", "replace").encode())
    assert len(chunk.data) - 1 + chunk.cut[0] == rounds * text


def test_tiny_reads_of_a_long_line_take_linear_time() -> None:
    def seconds(reads: int) -> float:
        assembler = LineAssembler(max_line=1 << 30)
        started = time.process_time()
        for _ in range(reads):
            assembler.feed(b"0123456789")
        return time.process_time() - started

    small = min(seconds(10_000) for _ in range(3))
    assert min(seconds(100_000) for _ in range(2)) < 40 * small
