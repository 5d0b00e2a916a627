"""The quick look: it may take a clean chunk for a dirty one, never the other way round."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import ansi
from broker.lines import LineAssembler
from broker.pipeline import Pipeline
from broker.redact import Redactor
from broker.rules import Rule
from broker.screen import Screen, make_screen
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


@pytest.fixture(scope="module")
def screen() -> Screen:
    made = make_screen(REDACTOR.rules)
    if made is None:
        missing("Hyperscan is not installed (pip install 'raytap[fast]')")
    return made


@pytest.mark.parametrize("line", [secret for _, secret, _ in SECRETS])
@pytest.mark.parametrize("context", ["{}", "x{}", "{} x", "\n{}\n", "-- {}", "\x1b[1m{}\x1b[0m"])
def test_a_chunk_with_a_secret_is_not_clean(screen: Screen, line: str, context: str) -> None:
    data = (context.format(line) + "\n").encode()
    if REDACTOR.redact(ansi.strip(data))[1]:
        assert not screen.clean(ansi.strip(data))


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12)), max_size=24))
@settings(max_examples=1500, deadline=None)
def test_what_is_clean_holds_nothing_that_the_slow_way_would_take_out(
    screen: Screen, parts: list[str]
) -> None:
    data = ("".join(parts) + "\n").encode("utf-8", "replace")
    if screen.clean(data):
        assert ansi.strip(data) == data
        assert REDACTOR.redact(data) == (data, 0)


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12)), max_size=24))
@settings(max_examples=500, deadline=None)
def test_a_screened_pipeline_makes_the_same_of_a_log(screen: Screen, parts: list[str]) -> None:
    data = ("".join(parts) + "\n").encode("utf-8", "replace")
    plain, screened = Pipeline(REDACTOR), Pipeline(REDACTOR, screen=screen)
    for chunk in LineAssembler().feed(data):
        assert screened.process(chunk) == plain.process(chunk)


@pytest.mark.parametrize("byte", [*range(0x09), *range(0x0B, 0x20), 0x7F])
def test_a_control_byte_is_not_clean(screen: Screen, byte: int) -> None:
    assert not screen.clean(b"some text %c more\n" % byte)
    assert screen.clean(b"some text\tmore\n")


def test_training_logs_are_clean(screen: Screen) -> None:
    line = (
        b"2026-11-21 09:14:03,118 INFO t.py:2 -- step 3 loss=0.7 tokens/s=48211 num_tokens=4096\n"
    )
    assert screen.clean(line * 500)


def test_rules_of_the_configuration_are_screened_too(screen: Screen) -> None:
    redactor = Redactor(extra=[r"ticket-\d{6}"])
    made = make_screen(redactor.rules)
    assert made is not None
    assert not made.clean(b"see ticket-123456\n")
    assert screen.clean(b"see ticket-123456\n")


def test_a_pattern_that_hyperscan_cannot_take_switches_the_screen_off(screen: Screen) -> None:
    assert make_screen([Rule("odd", r"\pN{3}\C+(?P<x>a)$\z\Q..\E(?s-m:.)\x{110000}")]) is None
