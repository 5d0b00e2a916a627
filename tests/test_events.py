"""The daemon's own log: named events with fields, safe to read."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from broker.events import get_logger, setup
from broker.text.plain_text import mask_credentials, one_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    names = ("raytap", "broker", "publishers", "subscribers")
    root, levels = logging.getLogger(), [logging.getLogger(name).level for name in names]
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)


def events(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_elsewhere_than_on_a_terminal_an_event_is_one_json_object() -> None:
    out = io.StringIO()
    setup("auto", "info", out)
    get_logger("ingest").info("job_followed", cluster="default", job="a", lines=3, lag=0.25, at=[1])
    (event,) = events(out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(event.pop("ts")))
    assert event == {
        "level": "info", "logger": "ingest", "event": "job_followed",
        "cluster": "default", "job": "a", "lines": 3, "lag": 0.25, "at": [1],
    }  # fmt: skip


def test_on_a_terminal_an_event_is_a_line_of_text() -> None:
    out = Terminal()
    setup("auto", "info", out)
    get_logger("ingest").warning("job_lost", job="a", why="not known", n=None, ok=True)
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d\.\d{3} warning ingest     job_lost job=a why="not known" n=null ok=true\n',
        out.getvalue(),
    )


def test_the_format_may_be_chosen_against_the_terminal() -> None:
    terminal, file = Terminal(), io.StringIO()
    setup("json", "info", terminal)
    get_logger("x").info("a")
    setup("text", "info", file)
    get_logger("x").info("a")
    assert terminal.getvalue().startswith("{")
    assert not file.getvalue().startswith("{")


def test_setup_again_replaces_the_stream_and_the_level() -> None:
    first, second = io.StringIO(), io.StringIO()
    setup("json", "debug", first)
    setup("json", "error", second)
    get_logger("x").warning("unheard")
    get_logger("x").error("heard")
    assert first.getvalue() == ""
    assert [event["event"] for event in events(second)] == ["heard"]


@pytest.mark.parametrize("make", [io.StringIO, Terminal])
def test_no_value_breaks_the_line_or_steers_the_terminal(make: type[io.StringIO]) -> None:
    out = make()
    setup("auto", "info", out)
    get_logger("x").info("a", job="x\nfake=1 \x1b[2J\u202e\x9b\u2028\udc80", many=["\r\n"])
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().rstrip("\n").isprintable()


def test_credentials_are_not_shown() -> None:
    out = io.StringIO()
    setup("json", "info", out)
    get_logger("x").info("a", token="hunter2", redis_url="redis://u:hunter2@h", headers={"h": 1})
    get_logger("x").info("a", url="http://h/?a=1&token=hunter2", tokens=7, api_key="hunter2")
    assert "hunter2" not in out.getvalue()
    assert events(out)[1]["tokens"] == 7
    assert events(out)[0]["redis_url"] == "redis://[REDACTED]@h"


def test_a_long_value_is_cut() -> None:
    out = io.StringIO()
    setup("json", "info", out)
    get_logger("x").info("a", text="x" * 10_000)
    assert len(str(events(out)[0]["text"])) == 501


def test_a_field_named_like_the_envelope_does_not_replace_it() -> None:
    out = io.StringIO()
    setup("json", "info", out)
    get_logger("x").info("a", level="9", event="b")
    (event,) = events(out)
    assert (event["level"], event["event"]) == ("info", "a")
    assert (event["level_"], event["event_"]) == ("9", "b")


def test_numbers_that_json_has_not_are_text() -> None:
    out = io.StringIO()
    setup("json", "info", out)
    get_logger("x").info("a", nan=float("nan"), inf=float("inf"))
    (event,) = events(out)
    assert (event["nan"], event["inf"]) == ("nan", "inf")


def test_an_unexpected_error_is_logged_with_where_it_was_raised() -> None:
    out = io.StringIO()
    setup("json", "info", out)
    try:
        raise ValueError("bad\nthing at http://u:hunter2@h")
    except ValueError as error:
        get_logger("x").exception("reader_failed", error, job="a")
    (event,) = events(out)
    assert event["error"] == "ValueError: bad\\nthing at http://[REDACTED]@h"
    assert "test_events.py" in str(event["at"])
    assert "hunter2" not in out.getvalue()


def test_other_libraries_warnings_come_in_the_same_format() -> None:
    out = io.StringIO()
    setup("json", "info", out)
    logging.getLogger("urllib3").info("unheard")
    logging.getLogger("urllib3").warning("a %s", "b\nc", extra={"route": "/x"})
    (event,) = events(out)
    assert (event["logger"], event["event"], event["route"]) == ("urllib3", "a b\\nc", "/x")


def test_one_line_keeps_what_is_printable() -> None:
    assert one_line("héllo 日本 €") == "héllo 日本 €"
    assert one_line("a\tb\x00") == "a\\tb\\x00"


def test_credentials_in_urls_are_masked_wherever_they_stand() -> None:
    assert mask_credentials("x redis://:p@ss@h/0 y http://h/a?x=1&api_key=k&b=2") == (
        "x redis://[REDACTED]@h/0 y http://h/a?x=1&api_key=[REDACTED]&b=2"
    )
    assert mask_credentials("'redis://:a/b#c@h' me@example.com") == (
        "'redis://[REDACTED]@h' me@example.com"
    )
