"""A job's log as the gateway tells it to pages: PageFrames, of lines made when asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

PageFrame = dict[str, Any]

STEP: Final = 500  # lines of one frame that is made from a generator
_NAMES: Final = {"DEBUG": "1", "INFO": "2", "WARNING": "3", "ERROR": "4", "CRITICAL": "5"}
_LEVEL: Final = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")
_WORKER: Final = re.compile(r"\(([^()]+ pid=[^()]+)\) ")
_REPEATED: Final = re.compile(r"\[repeated (\d+)x across cluster\]")


def page_frame(
    where: tuple[str, str], epoch: str, first: int, lines: Sequence[str], **extra: object
) -> PageFrame:
    """A log frame with simple marks (a level's name in the line, Ray's prefix, a traceback)."""
    frame: PageFrame = {
        "kind": "log", "cluster": where[0], "job": where[1], "epoch": epoch,
        "first": first, "next": first + len(lines), "ts": 1_760_000_000_000.0 + first * 10,
        "lines": list(lines),
    }  # fmt: skip
    found = [_LEVEL.search(line) for line in lines]
    roles = _roles(lines)
    levels = "".join(
        _NAMES[match[1]] if match else "4" if role != "." else "0"
        for match, role in zip(found, roles, strict=True)
    )
    workers = [(index, match) for index, line in enumerate(lines) if (match := _WORKER.match(line))]
    names = sorted({match[1] for _, match in workers})
    repeats = [
        [i, int(match[1])] for i, line in enumerate(lines) if (match := _REPEATED.search(line))
    ]
    marks = {
        "levels": levels.strip("0") and levels,
        "roles": roles.strip(".") and roles,
        "workers": [[index, names.index(match[1]), match.end()] for index, match in workers],
        "worker_names": names,
        "repeats": repeats,
    }
    return frame | {name: value for name, value in marks.items() if value} | extra


def _roles(lines: Sequence[str]) -> str:
    roles, is_open = [], False
    for line in lines:
        text = _WORKER.sub("", line, count=1)
        if text.startswith("Traceback (most recent call last):"):
            roles.append("T")
            is_open = True
        elif is_open:
            roles.append("t")
            is_open = text.startswith(" ")
        else:
            roles.append(".")
    return "".join(roles)


def _span(frame: PageFrame, first: int, stop: int) -> PageFrame:
    """The part of a log or gap frame within [first, stop); marks made anew."""
    start, end = max(first, frame["first"]), min(stop, frame["next"])
    if (start, end) == (frame["first"], frame["next"]):
        return frame
    if frame["kind"] != "log":
        return frame | {"first": start, "next": end}
    skip = start - frame["first"]
    extra: dict[str, object] = {}
    if cr := [i - skip for i in frame.get("cr", []) if 0 <= i - skip < end - start]:
        extra["cr"] = cr
    lines = frame["lines"][skip : end - frame["first"]]
    where = (frame["cluster"], frame["job"])
    return page_frame(where, frame["epoch"], start, lines, **extra) | {"ts": frame["ts"]}


class FakeLog:
    """One job's log: `total` generated lines, then what was added. Not locked: the gateway is."""

    def __init__(
        self,
        where: tuple[str, str],
        total: int = 0,
        line: Callable[[int], str] = "line {}".format,
        epoch: str = "0123456789ab",
    ) -> None:
        self.where = where
        self.epoch = epoch
        self.next = total
        self.complete = False
        self._total = total
        self._line = line
        self._added: list[PageFrame] = []

    def add(self, lines: Sequence[str], **extra: object) -> PageFrame:
        """Append lines; the frame, with `extra` fields such as `cr`."""
        return self._keep(page_frame(self.where, self.epoch, self.next, lines, **extra))

    def say(self, kind: str, *, skip: int = 0, **extra: object) -> PageFrame:
        """Append a frame of another kind; a gap of `skip` lines, an `end`, a `reset`."""
        if kind == "reset":
            self.epoch = str(extra.pop("epoch", self.epoch + "-1"))
            self.next = self._total = 0
            self._added.clear()
        self.complete = kind == "end"
        frame: PageFrame = {
            "kind": kind, "cluster": self.where[0], "job": self.where[1], "epoch": self.epoch,
            "first": self.next, "next": self.next + skip, "ts": 1_760_000_000_000.0,
        }  # fmt: skip
        return self._keep(frame | extra)

    def frames(self, first: int, stop: int) -> list[PageFrame]:
        """What there is of [first, stop), and what was said at those positions."""
        found = []
        for start in range(min(first, self._total), min(stop, self._total), STEP):
            end = min(start + STEP, stop, self._total)
            found.append(
                page_frame(
                    self.where, self.epoch, start, [self._line(i) for i in range(start, end)]
                )
            )
        for frame in self._added:
            if frame["first"] == frame["next"]:
                if first <= frame["first"] < stop or frame["first"] == stop == self.next:
                    found.append(frame)
            elif frame["first"] < stop and frame["next"] > first:
                found.append(_span(frame, first, stop))
        return found

    def _keep(self, frame: PageFrame) -> PageFrame:
        self._added.append(frame)
        self.next = frame["next"]
        return frame
