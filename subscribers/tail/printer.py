"""How frames look: as text for people, as they are for files, as JSON for programs."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable
from typing import BinaryIO, Final, Protocol

import click

from broker.frame import Frame
from broker.plain_text import one_line

# What would forge a line or steer a terminal. A daemon's lines hold none; a stranger's may.
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_magenta")

Note = Callable[[str], None]
"""Takes one line for the reader that is not of the log."""


class Printer(Protocol):
    """Writes frames of any kind. Raises `BrokenPipeError` where nobody reads on."""

    def show(self, frame: Frame) -> None:
        """Write it, and flush."""


class TextPrinter:
    """Lines to `out`, with `job | ` in front where `prefixed`; what is no line goes to `note`."""

    def __init__(self, out: BinaryIO, note: Note, *, prefixed: bool, terminal: bool) -> None:
        self._out = out
        self._note = note
        self._prefixed = prefixed
        self._terminal = terminal

    def show(self, frame: Frame) -> None:
        if frame.kind != "log":
            if said := describe(frame):
                self._note(said)
            return
        prefix = self._prefix(frame.job) if self._prefixed else ""
        lines = _shown(frame) if self._terminal else frame.lines
        text = "".join([f"{prefix}{line}\n" for line in _safe(lines)])
        self._out.write(text.encode("utf-8", "replace"))
        self._out.flush()

    def _prefix(self, job: str) -> str:
        name = one_line(job, 100)
        if not self._terminal:
            return f"{name} | "
        return click.style(f"{name} |", fg=_COLOURS[zlib.crc32(job.encode()) % len(_COLOURS)]) + " "


class RawPrinter:
    """The text of the lines and nothing else; control characters stay unless on a terminal."""

    def __init__(self, out: BinaryIO, note: Note, *, terminal: bool) -> None:
        self._out = out
        self._note = note
        self._terminal = terminal

    def show(self, frame: Frame) -> None:
        if frame.kind != "log":
            if said := describe(frame):
                self._note(said)
            return
        lines = _safe(frame.lines) if self._terminal else frame.lines
        self._out.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))
        self._out.flush()


class JsonPrinter:
    """An object a line, in the form that a replay has as `application/x-ndjson`."""

    def __init__(self, out: BinaryIO, render: Callable[[Iterable[Frame]], Iterable[bytes]]) -> None:
        self._out = out
        self._render = render

    def show(self, frame: Frame) -> None:
        self._out.writelines(self._render([frame]))
        self._out.flush()


def describe(frame: Frame) -> str:
    """What a frame without lines says to a person; empty where it needs no words."""
    if frame.kind == "gap":
        why = f": {frame.message}" if frame.message else ""
        span = f"lines {frame.first} to {frame.next - 1}"
        said = f"{span} are missing ({frame.reason}{why})"
    elif frame.kind == "end":
        said = f"ended: {frame.status or 'over'}, {frame.next} lines"
        if frame.complete is False:
            said += "; its log may be incomplete"
    elif frame.kind == "reset":
        said = f"the log is another file from here on ({frame.reason}); lines begin at 0 again"
    elif frame.kind == "error":
        said = f"error {frame.code}: {frame.message}"
    else:
        return ""
    return one_line(f"{frame.job}: {said}", 1000)


def _shown(frame: Frame) -> list[str]:
    """Without the empty lines that a bar's first carriage return ends: a terminal shows none."""
    blank = {index for index in frame.cr if index < len(frame.lines) and not frame.lines[index]}
    if not blank:
        return frame.lines
    return [line for index, line in enumerate(frame.lines) if index not in blank]


def _safe(lines: list[str]) -> list[str]:
    if _CONTROL.search("".join(lines)) is None:
        return lines
    return [_CONTROL.sub(_escaped, line) for line in lines]


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
