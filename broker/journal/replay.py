"""A journal read back in line order: each line once, and each hole said.

Stored frames are handed on as they are; only those at a seam are decoded and trimmed:

    stored      [0 ─────── 100)P   [99 ── 150)A          [150 ─ 180)        gap[180 ─── 300)
    start = 20  [20 ── 99)         [99 ── 150)A          [150 ─ 180)        gap[180 ─ 250) = stop
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from broker.errors import ClientError
from broker.frame import Frame, decode, encode, replace, trim
from broker.journal import Journal, Span, Stored
from broker.topic import Stream

Part = Stored | Frame
Refill = Callable[[Stream, str, int, int], Iterator[Frame]]


@dataclass(frozen=True, slots=True)
class Replay:
    """Lines `[first, next)` of one epoch. Its parts can be read once, over one of the three."""

    epoch: str
    first: int
    next: int
    complete: bool  # the job's log has ended, and this goes to its end
    parts: Iterator[Part]
    epochs: tuple[str, ...] = ()  # every one that is known, the oldest first

    @property
    def frames(self) -> Iterator[Frame]:
        """Every frame decoded."""
        return (part if isinstance(part, Frame) else decode(part.payload) for part in self.parts)

    @property
    def payloads(self) -> Iterator[bytes]:
        """Every frame as bytes: the stored ones wherever nothing had to be trimmed."""
        return (encode(part) if isinstance(part, Frame) else part.payload for part in self.parts)


def replay(
    journal: Journal,
    stream: Stream,
    epoch: str | None = None,
    start: int = 0,
    limit: int | None = None,
    refill: Refill | None = None,
) -> Replay:
    """What was published from line `start` on, `limit` lines at most, as far as it goes now.

    `epoch` None is the newest. A `start` beyond the end gives an empty replay that stands at the
    end. Lines that are not stored are asked of `refill` (unless Ray itself lost them), which may
    give a part of them or raise `ClientError`; the rest comes as `gap` frames, `evicted` where no
    gap was published for it. An amended line comes once, as it was amended. Raises `ClientError`
    404 for a stream or epoch that is not known, 400 for a negative number, `JournalError`.
    """
    if start < 0 or (limit is not None and limit < 0):
        raise ClientError(400, "a line number and a limit are not negative")
    spans = journal.spans(stream)
    span = _span(spans, stream, epoch)
    first = min(start, span.next)
    stop = span.next if limit is None else min(first + limit, span.next)
    whole = stop == span.next
    parts: Iterator[Part] = iter(())
    if start <= span.next and (whole or stop > first):
        parts = _Merge(journal, stream, span.epoch, first, stop, whole, refill).parts()
    known = tuple(span.epoch for span in spans if span.epoch)
    return Replay(span.epoch, first, stop, whole and span.ended and span.complete, parts, known)


def _span(spans: list[Span], stream: Stream, epoch: str | None) -> Span:
    if not spans:
        raise ClientError(404, f"nothing is known of job {stream}")
    if epoch is None:
        return next((span for span in reversed(spans) if span.epoch), spans[-1])
    for span in spans:
        if span.epoch == epoch:
            return span
    known = ", ".join(span.epoch for span in spans if span.epoch) or "none yet"
    raise ClientError(404, f"job {stream} has no epoch {epoch}; it has {known}")


class _Merge:
    """Pages sorted by `(first, sequence)` become parts. One frame with lines is held back: the
    frame that amends its last line sorts right behind it."""

    def __init__(
        self,
        journal: Journal,
        stream: Stream,
        epoch: str,
        start: int,
        stop: int,
        whole: bool,
        refill: Refill | None,
    ) -> None:
        self._journal = journal
        self._stream = stream
        self._epoch = epoch
        self._start = start
        self._stop = stop
        self._whole = whole  # `stop` is the end of what is known: what stands there comes too
        self._refill = refill
        self._line = start  # where the held part ends
        self._held: Part | None = None
        self._gaps: list[Stored] = []  # published ones that reach over `_line`

    def parts(self) -> Iterator[Part]:
        for stored in self._stored():
            has_lines = stored.next > stored.first
            if stored.first > self._stop or (
                stored.first == self._stop and (has_lines or not self._whole)
            ):
                break
            if stored.kind == "gap":
                yield from self._advance(stored.first)
                self._gaps.append(stored)
            elif has_lines:
                yield from self._lines(stored)
            else:
                yield from self._advance(stored.first)
                yield from self._flush(stored.first)
                yield stored
        yield from self._advance(self._stop)
        yield from self._flush()

    def _stored(self) -> Iterator[Stored]:
        after: Stored | None = None
        while page := self._journal.page(self._stream, self._epoch, self._start, after):
            yield from page
            after = page[-1]

    def _lines(self, stored: Stored) -> Iterator[Part]:
        if stored.first >= self._line:
            yield from self._advance(stored.first)
            yield from self._flush()
            self._hold(stored)
            return
        if stored.next < self._line:
            return  # a repetition
        frame = decode(stored.payload)
        held = None if self._held is None else _decoded(self._held)
        if held is not None and (frame.amends or held.partial) and frame.first < held.next:
            last = held.next - 1
            self._held = _head(held, last)
            self._line = last
        if frame.next > self._line:
            yield from self._flush()
            self._hold(_tail(frame, self._line))

    def _hold(self, part: Part) -> None:
        if part.next > self._stop:
            part = _head(_decoded(part), self._stop)
        self._held = part
        self._line = part.next

    def _flush(self, until: int | None = None) -> Iterator[Part]:
        """Let go of the held part; what is beyond line `until` is held on."""
        part, self._held = self._held, None
        if part is not None and until is not None and until < part.next:
            frame = _decoded(part)
            part, self._held = _head(frame, until), _tail(frame, until)
        if part is not None and part.first < part.next:
            yield part

    def _advance(self, line: int) -> Iterator[Part]:
        """Say what is missing before `line`: no frame that comes later begins before it."""
        if line <= self._line:
            return
        yield from self._flush()
        while self._line < line:
            self._gaps = [gap for gap in self._gaps if gap.next > self._line]
            gap = self._gaps[-1] if self._gaps else None
            until = line if gap is None else min(gap.next, line)
            yield from self._missing(until, gap)
            self._line = until

    def _missing(self, until: int, gap: Stored | None) -> Iterator[Part]:
        frame = self._evicted() if gap is None else decode(gap.payload)
        line = self._line
        if self._refill is not None and frame.reason != "source":
            for found in self._found(self._refill, line, until):
                if found.first > line:
                    yield _gap(frame, line, found.first)
                yield found
                line = found.next
        if gap is not None and (line, until) == (gap.first, gap.next):
            yield gap
        elif line < until:
            yield _gap(frame, line, until)

    def _found(self, refill: Refill, line: int, until: int) -> Iterator[Frame]:
        """What Ray still has, in order and within `[line, until)`."""
        try:
            for frame in refill(self._stream, self._epoch, line, until):
                if frame.kind != "log" or frame.next <= line:
                    continue
                found = _head(_tail(frame, line), until)
                if found.first < found.next:
                    yield found
                    line = found.next
                if line >= until:
                    return
        except ClientError:
            self._refill = None  # once out of reach, it is not asked for every hole there is

    def _evicted(self) -> Frame:
        cluster, job = self._stream
        return Frame("gap", cluster, job, 0, 0, epoch=self._epoch, reason="evicted")


def _decoded(part: Part) -> Frame:
    return part if isinstance(part, Frame) else decode(part.payload)


def _tail(frame: Frame, start: int) -> Frame:
    """The frame from line `start` on, which replaces nothing any more."""
    return replace(trim(frame, start), amends=False) if frame.first < start else frame


def _head(frame: Frame, stop: int) -> Frame:
    """The frame up to line `stop`; where its source bytes end is not known then."""
    if stop >= frame.next:
        return frame
    stop = max(stop, frame.first)
    keep = stop - frame.first
    cr = [index for index in frame.cr if index < keep]
    return replace(frame, next=stop, lines=frame.lines[:keep], cr=cr, partial=False, offset=None)


def _gap(frame: Frame, first: int, until: int) -> Frame:
    return replace(frame, first=first, next=until, offset=None)
