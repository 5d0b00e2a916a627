"""Lines that the journal has let go, read from Ray again: by byte offset, from the nearest mark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

from broker.checkpoint import Checkpoint
from broker.errors import ClientError
from broker.frame import Frame
from broker.ingest.cursor import Cursor, epoch_of
from broker.journal import Journal
from broker.sources.source import LogReplaced, Source
from broker.text.lines import Chunk
from broker.text.pipeline import Pipeline
from broker.topic import Stream

FIRST_LINE_BYTES = 1 << 20


class Refill:
    """Called on any thread, several at a time."""

    def __init__(
        self,
        journal: Journal,
        sources: Mapping[str, Callable[[str], tuple[str, list[Source]]]],
        pipeline: Callable[[], Pipeline],
        max_line: int,
    ) -> None:
        self._journal = journal
        self._sources = sources
        self._pipeline = pipeline
        self._max_line = max_line

    def __call__(self, stream: Stream, epoch: str, first: int, until: int) -> Iterator[Frame]:
        """`log` frames of `[first, until)`, as far as Ray still has that file; from the first
        source that does. Raises `ClientError` 404 (not that file any more), 408, 500, 503."""
        if stream.cluster not in self._sources:
            raise ClientError(404, f"cluster {stream.cluster} is not one of this daemon's")
        session, sources = self._sources[stream.cluster](stream.job)
        trouble = ClientError(503, f"no source of {stream} is known")
        for source in sources:
            try:
                self._check(source, session, stream, epoch)
                yield from self._read(source, stream, epoch, first, until)
                return
            except LogReplaced as error:
                raise ClientError(404, str(error)) from None
            except ClientError as error:
                trouble = error
        raise trouble

    def _check(self, source: Source, session: str, stream: Stream, epoch: str) -> None:
        """Whether it is that file: by its first line, which is what an epoch is named by."""
        head = b""
        with closing(source.read(0, b"")) as reading:
            for data in reading:
                head += data
                if b"\n" in head or b"\r" in head or len(head) > FIRST_LINE_BYTES:
                    break
        cursor = Cursor(Checkpoint(), self._max_line)
        pieces = cursor.feed(head, alone=1)
        chunk = pieces[0].chunk if pieces else cursor.partial()
        line = chunk.data[: chunk.data.index(b"\n")] if chunk else b""
        name, _, _counter = epoch.partition(".")
        spans = self._journal.spans(stream)
        newest = spans[-1].epoch if spans else ""  # it may be forgotten by now
        # Files whose first lines are alike share a name but for a counter: the newest is the one
        # that Ray has.
        if epoch != newest or epoch_of(session, stream.job, line) != name:
            raise LogReplaced("Ray has another file of that job now")

    def _read(
        self, source: Source, stream: Stream, epoch: str, first: int, until: int
    ) -> Iterator[Frame]:
        mark = self._journal.mark_before(stream, epoch, first)
        at = Checkpoint()
        if mark is not None:
            at = Checkpoint(epoch, mark.line, mark.offset, mark.crc, key_lines=mark.key_lines)
        cursor = Cursor(at, self._max_line)
        key_lines = at.key_lines
        pipeline = self._pipeline()
        for chunk, partial in _chunks(source, cursor):
            batch = pipeline.process(chunk, key_lines)
            key_lines = batch.key_lines
            end = chunk.first + chunk.lines
            if end > first:
                yield Frame(
                    kind="log",
                    cluster=stream.cluster,
                    job=stream.job,
                    first=chunk.first,
                    next=end,
                    epoch=epoch,
                    lines=batch.lines,
                    cr=batch.cr,
                    partial=partial,
                    offset=None if partial else chunk.offset,
                    redacted=batch.redacted,
                    truncated=batch.truncated,
                )
            if end >= until:
                return


def _chunks(source: Source, cursor: Cursor) -> Iterator[tuple[Chunk, bool]]:
    """All that the source has from the cursor on; true with a last line that has no end."""
    size = -1
    while cursor.offset is not None and size != cursor.offset:
        size = cursor.offset
        with closing(source.read(size, cursor.tail)) as reading:
            for data in reading:
                for chunk, _ in cursor.feed(data):
                    yield chunk, False
    for chunk, _ in cursor.end():
        yield chunk, False
    last = cursor.partial()
    if last is not None:
        yield last, True
