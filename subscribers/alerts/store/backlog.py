"""Logs that their broker was still reading when they were first listened to. Pure.

What they held by then is passed over, and only the broker can tell where that ends: once it has
read as many bytes as there were. The lines that it had read were not all published by then, so it
is asked once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.alerts.rules.rule import TERMINAL


class Behind(msgspec.Struct, frozen=True):
    """How long the file `epoch` was; `over`: the job had ended, and all of it is old until it is
    submitted again."""

    epoch: str
    size: int  # bytes
    over: bool = False
    read: bool = False  # so much was read


class Backlog:
    """By "cluster/job". One thread."""

    def __init__(self, behind: Mapping[str, Behind]) -> None:
        self._behind = dict(behind)

    @property
    def all(self) -> dict[str, Behind]:
        """To be kept."""
        return dict(self._behind)

    def begin(self, views: Iterable[JobView]) -> None:
        """These are listened to from now on."""
        for name, view in _furthest(views).items():
            if view.offset is not None and view.size is not None and view.offset < view.size:
                over = view.status in TERMINAL
                self._behind[name] = Behind(view.epoch, view.size, over)

    def holds(self, stream: Stream) -> bool:
        """Whether its old lines are still to come."""
        return str(stream) in self._behind

    def hides(self, frame: Frame) -> bool:
        """Whether the frame is about what was there already."""
        behind = self._behind.get(f"{frame.cluster}/{frame.job}")
        if behind is None:
            return False
        ends = frame.kind == "end" or (frame.kind == "status" and frame.status in TERMINAL)
        return behind.over or not ends

    def told(self, views: Iterable[JobView]) -> list[JobView]:
        """The brokers' next list; those of it whose backlog is over."""
        done = []
        furthest = _furthest(views)
        for name, behind in list(self._behind.items()):
            view = furthest.get(name)
            if view is None or (behind.over and view.status in TERMINAL):
                continue
            if behind.read or _is_other(view, behind):
                del self._behind[name]
                done.append(view)
            elif view.offset is None or view.offset >= behind.size:
                self._behind[name] = msgspec.structs.replace(behind, read=True)
        return done


def _furthest(views: Iterable[JobView]) -> dict[str, JobView]:
    """Of several brokers' words on a job, that of the one which is ahead."""
    found: dict[str, JobView] = {}
    for view in views:
        name = f"{view.cluster}/{view.job}"
        if name not in found or view.next > found[name].next:
            found[name] = view
    return found


def _is_other(view: JobView, behind: Behind) -> bool:
    """Whether the file was replaced, or cut."""
    replaced = bool(behind.epoch) and view.epoch not in ("", behind.epoch)
    return replaced or (view.size is not None and view.size < behind.size)
