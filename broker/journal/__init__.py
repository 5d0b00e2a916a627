"""The journal's seam: what was published can be asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from broker.checkpoint import Checkpoint, Mark
from broker.topic import Stream


class Record(msgspec.Struct, frozen=True):
    """One frame to be journaled, with what must be committed in the same transaction."""

    stream: Stream
    kind: str
    epoch: str
    first: int
    next: int
    ts: int
    payload: bytes
    checkpoint: Checkpoint | None = None
    mark: Mark | None = None


class Stored(msgspec.Struct, frozen=True):
    """One frame as the journal gives it back. `sequence` grows over the whole journal."""

    sequence: int
    kind: str
    epoch: str
    first: int
    next: int
    payload: bytes


class Span(msgspec.Struct, frozen=True):
    """What the journal holds of one epoch of a stream: lines `[first, next)`, ended or not."""

    epoch: str
    first: int  # the first line that can be had; lines before it were let go
    next: int
    ended: bool
    complete: bool


class Usage(msgspec.Struct, frozen=True):
    """What the journal weighs, for metrics and `jobs`."""

    frames: int
    stored_bytes: int
    evicted_frames: int


class Journal(Protocol):
    """Frames, checkpoints and marks, bounded in bytes and age. Errors are `JournalError`.

    `append`, `forget` and `evict` are called on one thread only; the others on any.
    """

    def append(self, records: Sequence[Record]) -> None:
        """Commit all of them in one transaction, in order; on an error none of them."""

    def published(self, sequence: int) -> None:
        """Remember (lazily, with the next append) that all up to `sequence` left the process."""

    def last_sequence(self) -> int:
        """The sequence of the newest frame, 0 for none. Valid after each `append`."""

    def unpublished(self) -> Iterator[tuple[Stream, Stored]]:
        """Frames past the watermark, oldest first: what a restart publishes again."""

    def checkpoints(self) -> dict[Stream, Checkpoint]:
        """Each stream's newest checkpoint."""

    def spans(self, stream: Stream) -> list[Span]:
        """What can be had of a stream, oldest epoch first; empty where it is unknown."""

    def page(
        self, stream: Stream, epoch: str, line: int, after: int = 0, max_bytes: int = 1 << 20
    ) -> list[Stored]:
        """Frames of the epoch that end beyond `line` (kinds without lines: that stand at or beyond
        it), sequence greater than `after`, oldest first, about `max_bytes` at most (one frame at
        least). No cursor stays open. An empty list: no more."""

    def mark_before(self, stream: Stream, epoch: str, line: int) -> Mark | None:
        """The mark nearest before `line`."""

    def evict(self, now_ns: int) -> int:
        """Let go of what is over the bounds, the oldest finished jobs first; frames let go."""

    def forget(self, stream: Stream) -> int:
        """Remove all of a stream's frames, marks and its checkpoint; frames removed."""

    def usage(self) -> Usage:
        """What it weighs now."""

    def close(self) -> None:
        """Commit the watermark and close. Idempotent."""
