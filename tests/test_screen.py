"""The quick look: it may take a clean chunk for a dirty one, never the other way round."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.text import ansi
from broker.text.lines import LineAssembler
from broker.text.pipeline import Pipeline
from broker.text.redact import Redactor
from broker.text.rules import Rule
from broker.text.screen import Screen, make_screen
from tests.support.missing import missing
from tests.test_rules import SECRETS

REDACTOR = Redactor()
FRAGMENTS = [
    *(secret for _, secret, _ in SECRETS),
    *[
        "--password",
        "--token",
        "=",
        ":",
        '"',
        "'",
        ",",
        ";",
        "&",
        "\\",
        "/",
        "//",
        "://",
        "@",
        ".",
        "-",
        "_",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "\n",
        "\t",
        "\r",
        "\x00",
        "\x1b[31m",
    ],
    *[
        "token",
        "secret",
        "api_key",
        "KEY",
        "bearer",
        "Authorization",
        "sk-",
        "hf_",
        "eyJ",
        "AKIA",
        "glpat-",
        "xoxb-",
        "wandb",
    ],
    *[
        "a1b2c3d4e5f6g7h8",
        "ABCDEFGHIJKLMNOP",
        "0123456789",
        "none",
        "true",
        "x",
        "7",
        "é",
        "ſecret",
        "toKen",
    ],
    " ",
    "  ",
]


# Whole, begun, and such that a whole one taken out of the middle would make another.
ESCAPES = [
    *("\x1b", "\x1b]", "\x1b[", "\x1bP", "\x1b\\", "\x07", "\x9b", "\x9b3m", "\x9d", "\x9c"),
    *("\x1b[0m", "\x1b[1;36m", "\x1b[m", "[31m", "1;", "m", "\x1b[2K"),
]


@pytest.fixture(scope="module")
def screen() -> Screen:
    made = make_screen(REDACTOR.rules)
    if made is None:
        missing("Hyperscan is not installed (pip install 'raytap[fast]')")
    return made


@pytest.mark.parametrize("line", [secret for _, secret, _ in SECRETS])
@pytest.mark.parametrize("context", ["{}", "x{}", "{} x", "\n{}\n", "-- {}", "\x1b[1m{}\x1b[0m"])
def test_a_line_with_a_secret_is_suspect(screen: Screen, line: str, context: str) -> None:
    data = ansi.strip((context.format(line) + "\n").encode())
    before, after = b"a line before\n", "ünd after\n".encode()
    if REDACTOR.redact(data)[1]:
        suspects = screen.suspects(before + data + after)
        assert suspects is None or any(
            REDACTOR.redact((before + data + after)[start:stop])[1] for start, stop in suspects
        )


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12)), max_size=24))
@settings(max_examples=1500, deadline=None)
def test_what_is_not_suspect_holds_nothing_that_the_slow_way_would_take_out(
    screen: Screen, parts: list[str]
) -> None:
    data = ("".join(parts) + "\n").encode("utf-8", "replace")
    suspects = screen.suspects(data)
    if suspects is None:
        return
    assert ansi.strip(data) == data
    at = 0
    for start, stop in [*suspects, (len(data), len(data))]:
        assert REDACTOR.redact(data[at:start]) == (data[at:start], 0)
        at = stop


@given(
    st.lists(
        st.one_of(
            st.sampled_from([*FRAGMENTS, *ESCAPES]),
            st.text(max_size=12),
        ),
        max_size=24,
    )
)
@settings(max_examples=1500, deadline=None)
def test_a_screened_pipeline_makes_the_same_of_a_log(screen: Screen, parts: list[str]) -> None:
    data = ("".join(parts) + "\n").encode("utf-8", "replace")
    plain, screened = Pipeline(REDACTOR), Pipeline(REDACTOR, screen=screen)
    for chunk in LineAssembler().feed(data):
        assert screened.process(chunk) == plain.process(chunk)


@pytest.mark.parametrize("code", [*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0)])
def test_a_control_character_makes_all_of_it_suspect(screen: Screen, code: int) -> None:
    assert screen.suspects(f"some text {chr(code)} more\n".encode()) is None
    assert screen.suspects(b"some text\tmore\n") == []


def test_a_training_log_is_not_suspect(screen: Screen) -> None:
    line = (
        b"2026-11-21 09:14:03,118 INFO t.py:2 -- step 3 loss=0.7 tokens/s=48211 num_tokens=4096\n"
    )
    assert screen.suspects(line * 500) == []


def test_only_the_lines_with_a_match_are_suspect(screen: Screen) -> None:
    data = b"one\npassword=hunter2-x\nthree\nsee hf_" + b"a1" * 17 + b"\n"
    spans = screen.suspects(data)
    assert spans is not None
    assert [data[start:stop][:8] for start, stop in spans] == [b"password", b"see hf_a"]


def test_a_log_that_is_all_secrets_is_not_looked_at_line_by_line(screen: Screen) -> None:
    assert screen.suspects(b"password=hunter2-x\n" * 600) is None


def test_the_begin_of_a_private_key_concerns_more_than_its_line(screen: Screen) -> None:
    assert screen.suspects(b"a\n-----BEGIN PRIVATE KEY-----\nb\n") is None


def test_rules_of_the_configuration_are_screened_too(screen: Screen) -> None:
    redactor = Redactor(extra=[r"ticket-\d{6}"])
    made = make_screen(redactor.rules)
    assert made is not None
    assert made.suspects(b"see ticket-123456\n") == [(0, 18)]
    assert screen.suspects(b"see ticket-123456\n") == []


@pytest.mark.parametrize("text", ["toKen=abcdefgh1", "ſecret=abcdefgh1", "paſſword: abcdefgh1"])
def test_letters_that_fold_to_ascii_are_seen_as_re2_sees_them(screen: Screen, text: str) -> None:
    data = f"{text}\n".encode()
    assert REDACTOR.redact(data)[1]
    assert screen.suspects(data) == [(0, len(data))]


def test_a_pattern_that_hyperscan_cannot_take_switches_the_screen_off(screen: Screen) -> None:
    assert make_screen([Rule("odd", r"\pN{3}\C+(?P<x>a)$\z\Q..\E(?s-m:.)\x{110000}")]) is None
