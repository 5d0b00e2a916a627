"""How frames look: as text for people, as they are for files, as JSON for programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import BinaryIO, Final, Protocol

from broker.frame import Frame, replace
from broker.text.plain_text import one_line
from subscribers.recognition.workers import Worker
from subscribers.tail.bar import Bar
from subscribers.tail.lens import Lens, Look
from subscribers.tail.paint import Paint

# What would forge a line or steer a terminal. A daemon's lines hold none; a stranger's may.
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

Note = Callable[[str], None]
"""Takes one line for the reader that is not of the log."""


class Printer(Protocol):
    """Writes frames of any kind. Raises `BrokenPipeError` where nobody reads on."""

    def show(self, frame: Frame) -> None:
        """Write it, and flush."""


class TextPrinter:
    """Lines to `out`, with `job | ` in front where `prefixed` (`cluster/job | ` with `clusters`),
    before it the time at which the broker read them with `timestamps`. What is no line goes to
    `note`. `coloured` is as `terminal` where it is not given; progress bars move where there is a
    `bar`."""

    def __init__(
        self,
        out: BinaryIO,
        note: Note,
        *,
        prefixed: bool,
        terminal: bool,
        coloured: bool | None = None,
        lens: Lens | None = None,
        paint: Paint | None = None,
        clusters: bool = False,
        timestamps: bool = False,
        bar: Bar | None = None,
    ) -> None:
        self._out = out
        self._bar = bar
        self._note = note
        self._prefixed = prefixed
        self._terminal = terminal
        coloured = terminal if coloured is None else coloured
        self._lens = lens or Lens(workers=coloured)
        self._paint = (paint or Paint()) if coloured else None
        self._clusters = clusters
        self._timestamps = timestamps

    def show(self, frame: Frame) -> None:
        if frame.kind != "log":
            if said := describe(frame):
                self._note(said)
            return
        look = self._lens.look(frame)
        moves_on = False
        if frame.cr and self._terminal:
            look = Look(_shown(frame, look.indices), look.workers)
        if frame.cr and self._bar is not None:
            indices, moves_on = self._bar.settled(frame, look.indices)
            look = Look(indices, look.workers)
        prefix, width = self._prefix(frame)
        if moves_on and self._bar is not None:
            frame = _fitted(frame, look.indices[-1], self._bar, width)
        lines = self._painted(frame, look)
        if not lines:
            return
        text = "".join([f"{prefix}{line}\n" for line in lines])
        if self._bar is not None:
            text = self._bar.written(text, moves_on=moves_on)
        self._out.write(text.encode("utf-8", "replace"))
        self._out.flush()

    def _painted(self, frame: Frame, look: Look) -> list[str]:
        indices = look.indices
        lines = _safe(_picked(frame.lines, indices))
        if self._paint is None:
            return lines
        paint = self._paint
        workers = [look.workers.get(index) for index in indices] if look.workers else []
        if not any(workers):
            return [paint.plain(line) for line in lines]
        return [
            _in_two(paint, frame.lines[index], worker) if worker else paint.plain(line)
            for index, line, worker in zip(indices, lines, workers, strict=True)
        ]

    def _prefix(self, frame: Frame) -> tuple[str, int]:
        """What stands before each line, and how wide it is."""
        time = f"{_local_time(frame.ts)} " if self._timestamps else ""
        if not self._prefixed:
            return time, len(time)
        name = f"{frame.cluster}/{frame.job}"
        shown = one_line(name if self._clusters else frame.job, 202)
        plain = f"{time}{shown} | "
        if self._paint is None:
            return plain, len(plain)
        return f"{time}{self._paint.job(name, f'{shown} |')} ", len(plain)


class RawPrinter:
    """The text of the lines and nothing else; control characters stay unless on a terminal."""

    def __init__(
        self, out: BinaryIO, note: Note, *, terminal: bool, lens: Lens | None = None
    ) -> None:
        self._out = out
        self._note = note
        self._terminal = terminal
        self._lens = lens or Lens()

    def show(self, frame: Frame) -> None:
        if frame.kind != "log":
            if said := describe(frame):
                self._note(said)
            return
        lines = _picked(frame.lines, self._lens.look(frame).indices)
        if not lines:
            return
        lines = _safe(lines) if self._terminal else lines
        self._out.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))
        self._out.flush()


class JsonPrinter:
    """An object a line, in the form that a replay has as `application/x-ndjson`."""

    def __init__(
        self,
        out: BinaryIO,
        render: Callable[[Iterable[Frame]], Iterable[bytes]],
        *,
        lens: Lens | None = None,
    ) -> None:
        self._out = out
        self._render = render
        self._lens = lens or Lens()

    def show(self, frame: Frame) -> None:
        objects: Iterable[bytes] = self._render([frame])
        if frame.kind == "log":
            indices = self._lens.look(frame).indices
            if len(indices) < len(frame.lines):
                rows = b"".join(objects).splitlines(keepends=True)
                objects = [rows[index] for index in indices]
        self._out.writelines(objects)
        self._out.flush()


def describe(frame: Frame) -> str:
    """What a frame without lines says to a person; empty where it needs no words."""
    if frame.kind == "gap":
        why = f": {frame.message}" if frame.message else ""
        span = f"lines {frame.first} to {frame.next - 1}"
        said = f"{span} are missing ({frame.reason}{why})"
    elif frame.kind == "end":
        said = f"ended: {frame.status or 'over'}, {frame.next} lines"
        if frame.message:
            said += f" ({frame.message})"
        if frame.complete is False:
            said += "; its log may be incomplete"
    elif frame.kind == "reset":
        said = f"the log is another file from here on ({frame.reason}); lines begin at 0 again"
    elif frame.kind == "error":
        said = f"error {frame.code}: {frame.message}"
    else:
        return ""
    return one_line(f"{frame.job}: {said}", 1000)


def _shown(frame: Frame, indices: Sequence[int]) -> Sequence[int]:
    """Without the empty lines that a bar's first carriage return ends: a terminal shows none."""
    blank = {index for index in frame.cr if index < len(frame.lines) and not frame.lines[index]}
    return [index for index in indices if index not in blank] if blank else indices


def _fitted(frame: Frame, index: int, bar: Bar, taken: int) -> Frame:
    """With one line as short as the terminal needs it. Control characters take more when shown."""
    (shown,) = _safe([frame.lines[index]])
    lines = list(frame.lines)
    lines[index] = bar.cut(shown, taken)
    return replace(frame, lines=lines)


def _picked(lines: list[str], indices: Sequence[int]) -> list[str]:
    return lines if len(indices) == len(lines) else [lines[index] for index in indices]


def _in_two(paint: Paint, line: str, worker: Worker) -> str:
    """The worker's prefix in its colour, the rest without."""
    (prefix,), (rest,) = _safe([line[: worker.end]]), _safe([line[worker.end :]])
    return paint.worker(worker.name, prefix) + paint.plain(rest)


def _local_time(ts: int) -> str:
    """ISO 8601 in this machine's zone; when it is not known, as wide."""
    if not ts:
        return "-" * 29
    return datetime.fromtimestamp(ts / 1e9).astimezone().isoformat(timespec="milliseconds")


def _safe(lines: list[str]) -> list[str]:
    if _CONTROL.search("".join(lines)) is None:
        return lines
    return [_CONTROL.sub(_escaped, line) for line in lines]


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
