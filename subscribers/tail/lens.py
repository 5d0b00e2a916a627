"""Which lines of a frame are shown, and which worker wrote them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from broker.frame import Frame
from broker.topic import Stream
from subscribers.recognition.levels import Level
from subscribers.recognition.recogniser import Marks, Recogniser
from subscribers.recognition.tracebacks import MAX_WORKERS
from subscribers.recognition.workers import Worker
from subscribers.tail.patterns import any_of

_MAX_STREAMS: Final = 10_000


class Look(NamedTuple):
    """The lines of a frame that are shown, by index and in order, and the workers of all lines."""

    indices: Sequence[int]
    workers: Mapping[int, Worker]


class Lens:
    """What of the frames is shown: lines that match any of `include` and none of `exclude`, and
    are of `level` at least. A traceback's lines go together. Frames of a stream come in order.

    `workers`: whether to look for these too. Raises `ClientError` 400 for a pattern that is none.
    """

    def __init__(
        self,
        *,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        level: Level = Level.NONE,
        workers: bool = False,
    ) -> None:
        self._include = any_of("--include", include)
        self._exclude = any_of("--exclude", exclude)
        self._level = level
        self._workers = workers
        self._streams: dict[Stream, _Blocks] = {}

    def look(self, frame: Frame) -> Look:
        """The look at a `log` frame."""
        marks, found = None, b""
        if self._level or self._workers:
            blocks = self._blocks(Stream(frame.cluster, frame.job))
            marks, found = blocks.mark(frame)
        indices: Sequence[int] = range(len(frame.lines))
        if self._level:
            indices = [index for index in indices if found[index] >= self._level]
        if self._include is not None:
            indices = _matching(self._include, frame.lines, indices, wanted=True)
        if self._exclude is not None:
            indices = _matching(self._exclude, frame.lines, indices, wanted=False)
        workers = marks.workers if marks is not None and self._workers else ()
        return Look(indices, {worker.index: worker for worker in workers})

    def _blocks(self, stream: Stream) -> _Blocks:
        """Those of the stream; what was looked at longest ago is forgotten over the bound."""
        blocks = self._streams.pop(stream, None) or _Blocks()
        self._streams[stream] = blocks
        if len(self._streams) > _MAX_STREAMS:
            del self._streams[next(iter(self._streams))]
        return blocks


class _Blocks:
    """One stream: a traceback has one level, the gravest of an error and of its first line. Those
    of its workers may be interleaved, so each has its own."""

    def __init__(self) -> None:
        self._recogniser = Recogniser()
        self._graver: dict[str, int] = {}  # by worker: its last traceback's, where above an error

    def mark(self, frame: Frame) -> tuple[Marks, bytes]:
        """What was recognised, and a level for each line."""
        marks = self._recogniser.mark(frame)
        if not marks.roles.strip("."):
            return marks, marks.levels
        levels = bytearray(marks.levels)
        names = {worker.index: worker.name for worker in marks.workers}
        for index, role in enumerate(marks.roles):
            if role == ".":
                continue
            name = names.get(index, "")
            if role == "T":
                self._begin(name, levels[index])
            levels[index] = max(levels[index], self._graver.get(name, Level.ERROR))
        return marks, bytes(levels)

    def _begin(self, name: str, level: int) -> None:
        self._graver.pop(name, None)
        if level > Level.ERROR:
            self._graver[name] = level
            if len(self._graver) > MAX_WORKERS:
                del self._graver[next(iter(self._graver))]


def _matching(
    pattern: Any, lines: Sequence[str], indices: Sequence[int], *, wanted: bool
) -> Sequence[int]:
    search = pattern.search
    return [index for index in indices if (search(lines[index]) is not None) is wanted]
