"""The journal's seam: what was published can be asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from broker.checkpoint import Checkpoint, Mark
from broker.topic import Stream


class Record(msgspec.Struct, frozen=True):
    """One frame to be journaled, with what must be committed in the same transaction.

    A `heartbeat` is not kept; the checkpoint and mark that come with it are.
    """

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
    """What the journal holds of one epoch of a stream: lines `[first, next)`, ended or not.

    An `end` frame ends it; a later `log` or `status` frame goes on with it, unless the
    checkpoint beside that one says `ended`.
    """

    epoch: str
    first: int  # the first line that can be had; lines before it were let go
    next: int
    ended: bool
    complete: bool


class Usage(msgspec.Struct, frozen=True):
    """What the journal weighs, for metrics and `jobs`."""

    frames: int
    stored_bytes: int  # compressed, with what the database adds to each frame
    evicted_frames: int  # since the journal was opened


class Journal(Protocol):
    """Frames, checkpoints and marks, bounded in bytes and age. Errors are `JournalError`.

    `append`, `forget` and `evict` are called on one thread only; the others on any.
    """

    def append(self, records: Sequence[Record]) -> None:
        """Commit all of them in one transaction, in order; on an error none of them, and the
        same records can be appended later. No records: commit the watermark, if it moved."""

    def published(self, sequence: int) -> None:
        """Remember (lazily, with the next append) that all up to `sequence` left the process."""

    def last_sequence(self) -> int:
        """The highest sequence ever given, 0 for none. Valid after each `append`."""

    def unpublished(self) -> Iterator[tuple[Stream, Stored]]:
        """Frames past the watermark, oldest first: what a restart publishes again."""

    def checkpoints(self) -> dict[Stream, Checkpoint]:
        """Each stream's newest checkpoint."""

    def spans(self, stream: Stream) -> list[Span]:
        """What is known of a stream's epochs, in order of their first frame; empty where the
        stream is unknown. Frames from before the epoch was known are those of epoch ""."""

    def page(
        self,
        stream: Stream,
        epoch: str,
        line: int,
        after: Stored | None = None,
        max_bytes: int = 1 << 20,
    ) -> list[Stored]:
        """Frames of the epoch that end beyond `line` (kinds without lines: that stand at or beyond
        it), by `(first, sequence)`, those behind `after`, about `max_bytes` at most (one frame at
        least). No cursor stays open. An empty list: no more."""

    def mark_before(self, stream: Stream, epoch: str, line: int) -> Mark | None:
        """The mark nearest at or before `line`."""

    def evict(self, now_ns: int) -> int:
        """Let go of a few hundred frames at most that are over the bounds, so that commits do not
        wait; how many. Call about once a second, and again while it is not 0. `now_ns`: since
        1970. Order: what `forget` left, what is too old, the oldest of a job over its bound,
        the finished jobs, oldest first, and then the oldest of the job that holds most."""

    def forget(self, stream: Stream) -> int:
        """Remove all of a stream's frames, marks and its checkpoint; frames removed. They cannot
        be had any more at once; their space is given back by the next calls of `evict`."""

    def usage(self) -> Usage:
        """What it weighs now."""

    def close(self) -> None:
        """Commit the watermark and close. Idempotent; later calls raise `JournalError`."""
