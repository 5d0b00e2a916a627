"""Which lines `raytap tail` shows: --include, --exclude, --level."""

from __future__ import annotations

import pytest

from broker.errors import ClientError
from broker.frame import Frame
from broker.topic import Stream
from subscribers.recognition.levels import Level
from subscribers.tail.lens import Lens

STREAM = Stream("ray", "job-1")
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "train.py", line 3, in <module>',
    "    main()",
    "ValueError: no",
]


def frame(first: int, *lines: str, stream: Stream = STREAM) -> Frame:
    return Frame("log", *stream, first, first + len(lines), epoch="e", lines=list(lines))


def shown(lens: Lens, frame: Frame) -> list[str]:
    return [frame.lines[index] for index in lens.look(frame).indices]


def test_without_options_every_line_is_shown() -> None:
    assert shown(Lens(), frame(0, "a", "", "b")) == ["a", "", "b"]


def test_any_include_and_no_exclude_must_match() -> None:
    lens = Lens(include=["loss", "^step"], exclude=["nan", "debug$"])
    lines = ["loss 1", "step 2", "a step", "loss nan", "step debug", "debug loss"]
    assert shown(lens, frame(0, *lines)) == ["loss 1", "step 2", "debug loss"]


def test_patterns_are_re2_over_text() -> None:
    assert shown(Lens(include=[r"(?i)GRÖSSE", r"\d{3}"]), frame(0, "größe 1", "größe", "123")) == [
        "123"
    ]
    assert shown(Lens(include=["(?i)ÄÖ"]), frame(0, "xäöx")) == ["xäöx"]


@pytest.mark.parametrize("option", ["include", "exclude"])
@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)"])
def test_a_pattern_that_is_none_is_refused_with_its_option(option: str, pattern: str) -> None:
    with pytest.raises(ClientError, match=f"400: --{option} .* is no RE2 pattern: "):
        Lens(**{option: [pattern]})  # type: ignore[arg-type]


def test_a_level_hides_what_is_less_grave_or_has_none() -> None:
    lines = ["DEBUG:x:a", "INFO:x:b", "plain", "WARNING:x:c", "ERROR:x:d", "CRITICAL:x:e"]
    assert shown(Lens(level=Level.WARNING), frame(0, *lines)) == lines[3:]
    assert shown(Lens(level=Level.CRITICAL), frame(0, *lines)) == lines[5:]


def test_a_traceback_is_one_to_the_level_over_frames_too() -> None:
    lens = Lens(level=Level.ERROR)
    assert shown(lens, frame(0, "INFO:x:a", *TRACEBACK[:2])) == TRACEBACK[:2]
    assert shown(lens, frame(3, *TRACEBACK[2:], "plain")) == TRACEBACK[2:]


def test_a_traceback_goes_with_the_log_line_that_it_begins_on() -> None:
    first = "CRITICAL:x:died. " + TRACEBACK[0]
    lines = [first, *TRACEBACK[1:]]
    assert shown(Lens(level=Level.CRITICAL), frame(0, *lines, "ERROR:x:b")) == lines
    assert shown(Lens(level=Level.CRITICAL), frame(0, *TRACEBACK)) == []


def test_tracebacks_of_two_workers_have_their_own_levels() -> None:
    graver = [
        f"(a pid=1) CRITICAL:x:died. {TRACEBACK[0]}",
        *(f"(a pid=1) {t}" for t in TRACEBACK[1:]),
    ]
    error = [f"(b pid=2) {text}" for text in TRACEBACK]
    lens = Lens(level=Level.CRITICAL)
    assert shown(lens, frame(0, graver[0], error[0], *graver[1:3], error[1])) == graver[:3]
    assert shown(lens, frame(5, *error[2:], graver[3])) == graver[3:]
    assert shown(lens, frame(8, f"(a pid=1) {TRACEBACK[0]}")) == []


def test_tracebacks_of_two_jobs_are_kept_apart() -> None:
    lens = Lens(level=Level.ERROR)
    other = Stream("ray", "job-2")
    assert shown(lens, frame(0, *TRACEBACK[:2])) == TRACEBACK[:2]
    assert shown(lens, frame(0, "plain", "  indented", stream=other)) == []
    assert shown(lens, frame(2, *TRACEBACK[2:])) == TRACEBACK[2:]


def test_level_and_patterns_go_together() -> None:
    lens = Lens(level=Level.ERROR, exclude=["quiet"])
    assert shown(lens, frame(0, "ERROR:x:a", "ERROR:x:quiet", "loud")) == ["ERROR:x:a"]


def test_workers_are_looked_for_where_they_are_asked_for() -> None:
    lines = frame(0, "(train pid=7) a", "b")
    assert Lens().look(lines).workers == {}
    (worker,) = Lens(workers=True).look(lines).workers.values()
    assert (worker.index, worker.name, worker.end) == (0, "train pid=7", 14)
