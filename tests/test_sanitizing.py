"""Escapes, control bytes and private keys: gone, whatever they hide behind, in linear time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.text import ansi, private_key
from broker.text.redact import Redactor

MB = 1 << 20


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("\x1b[36m(f pid=1)\x1b[0m hi", "(f pid=1) hi"),
        ("\x1b[2J\x1b[1;1Hhome", "home"),
        ("\x1b[38:2:1:2:3mcolour\x1b[?25l", "colour"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;c2VjcmV0\x1b\\text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2\x1b\\sixel \x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\end", "sixel end"),
        ("\x1b(B\x1b7\x1bcx", "x"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x9d0;title\x9ctext", "text"),
        ("a\x85b\x80c", "abc"),
        ("\x1b]0;no end", "0;no end"),
        ("\x1b[12", ""),
        ("\x1b[3\x1b[0mx", "x"),
        ("\x1b", ""),
        ("ghp_\x1b[0mabc", "ghp_abc"),
        ("a\x00\x07\x08\x0b\x0c\x1f\x7fb\tc", "ab\tc"),
        ("\x1b[3\x001mred", "red"),
        ("a\u2028b é漢🙂°", "a\u2028b é漢🙂°"),
    ],
)
def test_escapes_and_controls_are_removed_and_text_stays(raw: str, text: str) -> None:
    assert ansi.strip(raw.encode()) == text.encode()


def test_no_sequence_reaches_over_a_line_end() -> None:
    raw = b"\x1b]0;a\nb\x07\n\x1b[12\nm\n\x1bPq\n\x1b\\\n\x1b\nc\n"
    assert ansi.strip(raw) == b"0;a\nb\n\nm\nq\n\n\nc\n"


@given(st.text(st.sampled_from("\x1b[]P\\0;m\x07\x9b\x9c\x9d\x85\x00\né°🙂a "), max_size=60))
def test_nothing_a_terminal_obeys_is_left(text: str) -> None:
    stripped = ansi.strip(text.encode()).decode()
    assert not {c for c in stripped if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0} - {"\t", "\n"}
    assert stripped.count("\n") == text.count("\n")
    assert ansi.strip(stripped.encode()).decode() == stripped


@given(
    st.lists(
        st.sampled_from(["\x1b[1m", "\x9b", "\x1b]", "\x07", "a", "\x1b", "0", "é"]), max_size=20
    )
)
def test_a_line_is_stripped_the_same_alone_and_among_others(parts: list[str]) -> None:
    line = "".join(parts).encode()
    alone = ansi.strip(line)
    assert ansi.strip(b"\x1b]0;\n" + line + b"\n\x07\x1b\\\n") == b"0;\n" + alone + b"\n\n"


HOSTILE = {
    "osc": b"\x1b]",
    "csi": b"1;",
    "osc with text": b"\x1b]0;aaaaaaaa",
    "dcs": b"\x1bPaaaa",
    "c1": b"\xc2\x9d",
    "esc": b"\x1b",
    "nul": b"\x00",
    "intermediates": b"\x1b   ",
    "begin": b"-----BEGIN PRIVATE KEY-----",
    "url": b"://u:",
    "bearer": b"bearer ",
    "flags": b"--token",
    "quotes": b'secret="\\',
    "jwt": b"eyJaaaaaaaa.",
    "dashes": b"-",
    "hex": b"wandb login a0",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_takes_linear_time(name: str) -> None:
    redactor = Redactor()

    def sanitize(data: bytes) -> None:
        redactor.redact(private_key.redact(ansi.strip(data))[0])

    def seconds(size: int) -> float:
        data = (b"\x1b[" if name == "csi" else b"") + HOSTILE[name] * (size // len(HOSTILE[name]))
        return cpu_seconds(lambda: sanitize(data + b"\n"))

    small = min(seconds(MB // 8) for _ in range(3))
    assert seconds(MB) < 40 * small + 0.05


def cpu_seconds(call: Callable[[], None]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


BEGIN = b"-----BEGIN RSA PRIVATE KEY-----"
END = b"-----END RSA PRIVATE KEY-----"


def test_every_line_of_a_private_key_becomes_the_mark() -> None:
    data = b"a\n" + BEGIN + b"\nMIIE\n\nabc\n" + END + b"\nb\n"
    assert private_key.redact(data) == (b"a\n" + b"[REDACTED]\n" * 5 + b"b\n", 0, 1)


def test_rays_prefixes_in_front_of_a_keys_lines_are_tolerated() -> None:
    prefix = b"(f pid=123, ip=10.0.0.1) "
    data = b"".join(prefix + line + b"\n" for line in (BEGIN, b"MIIE", END, b"after"))
    assert private_key.redact(data) == (b"[REDACTED]\n" * 3 + prefix + b"after\n", 0, 1)


def test_a_key_without_an_end_stops_after_200_lines() -> None:
    data = BEGIN + b"\n" + b"x\n" * 250
    redacted, key_lines, _ = private_key.redact(data)
    assert redacted == b"[REDACTED]\n" * 200 + b"x\n" * 51
    assert key_lines == 0


def test_a_key_that_ends_on_its_first_line_opens_nothing() -> None:
    data = BEGIN + rb"\nMIIE\n" + END + b"\nafter\n"
    assert private_key.redact(data) == (data, 0, 0)


def test_a_second_key_after_one_that_ended_on_the_same_line_is_opened() -> None:
    data = BEGIN + b"x" + END + BEGIN + b"\nMIIE\n"
    assert private_key.redact(data) == (b"[REDACTED]\n[REDACTED]\n", 198, 1)


def test_the_phrase_alone_opens_nothing() -> None:
    data = b"your PRIVATE KEY----- is safe\n"
    assert private_key.redact(data) == (data, 0, 0)


@given(
    parts=st.lists(
        st.sampled_from([BEGIN, END, b"MIIE", b"", BEGIN + b"x" + END, END + BEGIN, b"x\n" * 90]),
        max_size=12,
    ),
    cut=st.integers(0, 1000),
)
def test_a_key_is_hidden_the_same_over_two_chunks(parts: list[bytes], cut: int) -> None:
    lines = b"".join(part + b"\n" for part in parts).splitlines(keepends=True)
    cut %= len(lines) + 1
    whole, open_lines, keys = private_key.redact(b"".join(lines))
    head, between, keys_head = private_key.redact(b"".join(lines[:cut]))
    tail, after, keys_tail = private_key.redact(b"".join(lines[cut:]), between)
    assert (head + tail, after, keys_head + keys_tail) == (whole, open_lines, keys)
    assert whole.count(b"\n") == len(lines)
