"""The pipeline as a whole: raw bytes in any reads to the same sanitized lines."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.text import ansi
from broker.text.lines import OVERLAP, LineAssembler
from broker.text.pipeline import Batch, Pipeline
from broker.text.redact import Redactor

REDACTOR = Redactor()
BEGIN = b"-----BEGIN RSA PRIVATE KEY-----"
END = b"-----END RSA PRIVATE KEY-----"


def run(
    reads: list[bytes], max_line: int = 10_240, chunk_size: int = 65_536, raw: bool = False
) -> list[Batch]:
    assembler = LineAssembler(max_line=max_line, chunk_size=chunk_size)
    pipeline = Pipeline(None if raw else REDACTOR, max_line)
    batches: list[Batch] = []
    key_lines = 0
    chunks = [chunk for read in reads for chunk in assembler.feed(read)]
    for chunk in [*chunks, *assembler.end()]:
        batch = pipeline.process(chunk, key_lines)
        assert len(batch.lines) == chunk.lines
        key_lines = batch.key_lines
        batches.append(batch)
    assert pipeline.fallbacks == 0
    return batches


def text(batches: list[Batch]) -> list[str]:
    return [line for batch in batches for line in batch.lines]


def test_a_line_comes_out_sanitized() -> None:
    [batch] = run([b"\x1b[36m(f pid=1)\x1b[0m password=hunter2\n\xffok\x00\n"])
    assert batch.lines == ["(f pid=1) password=[REDACTED]", "\ufffdok"]
    assert (batch.redacted, batch.truncated, batch.rules) == (1, 0, {"credential": 1})


def test_an_escape_inside_a_token_does_not_hide_it() -> None:
    [batch] = run([b"ghp_abcdefghij\x1b[0m0123456789ABC\x00DEFGHIJ012345\n"])
    assert batch.lines == ["[REDACTED]"]


def test_a_secret_that_two_reads_share_is_found() -> None:
    assert text(run([b"a\npassw", b"ord=hun", b"ter2\nb\n"])) == ["a", "password=[REDACTED]", "b"]


def test_a_secret_that_straddles_the_truncation_is_redacted_whole() -> None:
    line = b"x" * 85 + b" password=hunter2-and-more" + b" y" * 50 + b"\n"
    [batch] = run([line], max_line=100)
    assert batch.lines[0].startswith("x" * 85 + " password=[REDA …[truncated ")
    assert "hun" not in batch.lines[0]


@pytest.mark.parametrize("secrets", [0, 300])
def test_half_a_secret_where_an_over_long_line_was_cut_is_never_shown(secrets: int) -> None:
    cap = 10_240 + OVERLAP
    start = b"password=" + b"h" * 31 + b" "
    line = (start * secrets).ljust(cap - 20, b"x") + b" ghp_" + b"h" * 5_000
    [batch] = run([line + b"\n"])
    assert "ghp_" not in batch.lines[0]
    assert "hhh" not in batch.lines[0]
    assert batch.truncated == 1


def test_a_cut_line_says_how_many_bytes_are_not_shown() -> None:
    [batch] = run([b"x" * 100 + b"\n" + b"y" * 101 + b"\n"], max_line=100)
    assert batch.lines == ["x" * 100, "y" * 100 + " …[truncated 1 bytes]"]
    [batch] = run([b"z" * 1_000_000 + b"\n"], max_line=100)
    assert batch.lines == ["z" * 100 + " …[truncated 999900 bytes]"]


def test_a_line_is_not_cut_within_a_character() -> None:
    [batch] = run(["🙂".encode() * 30 + b"\n"], max_line=50)
    assert batch.lines == ["🙂" * 12 + " …[truncated 72 bytes]"]


def test_a_key_goes_on_over_chunks_and_its_lines_keep_their_number() -> None:
    lines = [b"a", BEGIN, *[b"MIIE" * 10] * 30, END, b"b"]
    batches = run([b"".join(line + b"\n" for line in lines)], chunk_size=200)
    assert len(batches) > 3
    assert text(batches) == ["a", *["[REDACTED]"] * 32, "b"]
    assert sum(batch.redacted for batch in batches) == 1


@pytest.mark.parametrize("prefix", [b"", b"private_key=", b'{"private_key": "', b"password: x "])
def test_a_key_is_seen_behind_whatever_another_rule_finds_on_its_first_line(prefix: bytes) -> None:
    lines = text(run([prefix + BEGIN + b"\nMIIE\n" + END + b"\nb\n"]))
    assert lines == ["[REDACTED]"] * 3 + ["b"]


def test_without_a_redactor_secrets_stay_and_escapes_go() -> None:
    [batch] = run([BEGIN + b"\n\x1b[1mpassword=x\n"], raw=True)
    assert batch.lines == [BEGIN.decode(), "password=x"]
    assert (batch.redacted, batch.key_lines) == (0, 0)


def test_lone_carriage_returns_are_handed_on() -> None:
    [batch] = run([b"1%\r2%\r\n3%\rx\n"])
    assert (batch.lines, batch.cr) == (["1%", "2%", "3%", "x"], [0, 2])


def test_a_partial_line_is_sanitized_too() -> None:
    assembler = LineAssembler()
    assembler.feed(b"\x1b[1mpassword=hunter2")
    chunk = assembler.partial()
    assert chunk is not None
    assert Pipeline(REDACTOR).process(chunk).lines == ["password=[REDACTED]"]


def test_a_step_that_loses_a_line_end_is_done_again_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strip = ansi.strip
    monkeypatch.setattr(ansi, "strip", lambda data: strip(data).replace(b"<\n>", b"<>"))
    pipeline = Pipeline(REDACTOR)
    [chunk] = LineAssembler().feed(b"a<\n>b password=x\nc\n" + BEGIN + b"\nMIIE\n")
    batch = pipeline.process(chunk)
    assert batch.lines == ["a<", ">b password=[REDACTED]", "c", "[REDACTED]", "[REDACTED]"]
    assert (batch.redacted, batch.key_lines, pipeline.fallbacks) == (2, 198, 1)


def test_a_step_that_makes_a_line_end_is_done_again_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strip = ansi.strip
    monkeypatch.setattr(ansi, "strip", lambda data: strip(data).replace(b"|", b"\n"))
    [chunk] = LineAssembler().feed(b"a|b\nc\n")
    assert Pipeline(REDACTOR).process(chunk).lines == ["ab", "c"]


PARTS = [
    *[b"\n", b"\r", b"\r\n", b"a", b" ", b"\x1b[3", b"1m", b"\x1b]0;", b"\x07", b"\x1b", b"\x00"],
    *[b"\xc2", b"\x9b", b"\xff", "é🙂\u2028".encode(), b"x" * 5_000, b"password=", b"hunter2"],
    *[
        BEGIN,
        END,
        b"://u:",
        b"@",
        b"token=abc123",
        b"bearer ",
        b"abcdefghij0123456789",
        b'"',
        b"\\",
    ],
]


@settings(deadline=None)
@given(
    parts=st.lists(st.sampled_from(PARTS), max_size=40),
    cuts=st.lists(st.integers(0, 1 << 20), max_size=8),
    size=st.integers(1, 300),
)
def test_reads_and_chunks_leave_no_trace_in_the_text(
    parts: list[bytes], cuts: list[int], size: int
) -> None:
    data = b"".join(parts)
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    reads = [data[a:b] for a, b in pairwise(at)]
    whole = run([data], max_line=60)
    pieces = run(reads, max_line=60, chunk_size=size)
    assert text(pieces) == text(whole)
    assert sum(b.redacted for b in pieces) == sum(b.redacted for b in whole)
    assert sum(b.truncated for b in pieces) == sum(b.truncated for b in whole)
    for line in text(whole):
        assert not {c for c in line if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0} - {"\t"}
        assert len(line.encode()) <= 60 + len(" …[truncated 999999 bytes]".encode())
