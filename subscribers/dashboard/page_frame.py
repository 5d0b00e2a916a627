"""A frame as the page and other HTTP clients get it: JSON, with what was recognised in it. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from broker.frame import Frame, Kind
from subscribers.recognition.recogniser import Marks, Recogniser

_MS: Final = 1_000_000  # ns
_NAUGHT: Final = "."
_DIGITS: Final = bytes(range(ord("0"), ord("6"))).ljust(256, b"5")


class PageFrame(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines `[first, next)` of a job, or something said about that position. `levels` has a digit
    and `roles` a letter a line; both are left out where they say nothing. `workers` are line
    index, index into `worker_names`, and length of the prefix."""

    kind: Kind
    cluster: str
    job: str
    epoch: str
    first: int
    next: int
    ts: float  # ms since 1970
    lines: list[str] = []
    cr: list[int] = []
    partial: bool = False
    amends: bool = False
    levels: str = ""
    roles: str = ""
    workers: list[tuple[int, int, int]] = []
    worker_names: list[str] = []
    repeats: list[tuple[int, int]] = []
    reason: str = ""
    status: str = ""
    run: int = 0  # ms since 1970
    complete: bool | None = None
    code: int = 0
    message: str = ""


def page_frame(frame: Frame, recogniser: Recogniser) -> PageFrame:
    """The frame for the page; `recogniser` has seen what comes before it, where that is known."""
    return marked(frame, recogniser.mark(frame) if frame.kind == "log" else None)


def marked(frame: Frame, marks: Marks | None) -> PageFrame:
    """The frame for the page, with its marks; a frame without lines has none."""
    base = (frame.kind, frame.cluster, frame.job, frame.epoch, frame.first, frame.next)
    ts = frame.ts / _MS
    if marks is None:
        return PageFrame(
            *base,
            ts,
            reason=frame.reason,
            status=frame.status,
            run=frame.run,
            complete=frame.complete,
            code=frame.code,
            message=frame.message,
        )
    names: dict[str, int] = {}
    workers = [
        (worker.index, names.setdefault(worker.name, len(names)), worker.end)
        for worker in marks.workers
    ]
    return PageFrame(
        *base,
        ts,
        lines=frame.lines,
        cr=frame.cr,
        partial=frame.partial,
        amends=frame.amends,
        levels=marks.levels.translate(_DIGITS).decode() if any(marks.levels) else "",
        roles=marks.roles if marks.roles.strip(_NAUGHT) else "",
        workers=workers,
        worker_names=list(names),
        repeats=marks.repeats,
    )
