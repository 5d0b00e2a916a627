"""From chunks to records: numbers, text and checkpoint of every frame of one job. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from broker.checkpoint import Checkpoint, Mark
from broker.frame import Frame, encode, replace
from broker.ingest.cursor import Piece, epoch_of
from broker.journal import Record
from broker.text import ansi
from broker.text.lines import Chunk
from broker.text.pipeline import Batch, Pipeline
from broker.topic import Stream

MARK_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Totals:
    """What was framed since this process began with the job."""

    lines: int = 0
    bytes: int = 0
    frames: int = 0
    dropped: int = 0
    redacted: int = 0
    truncated: int = 0
    resets: int = 0
    last_frame_ts: int = 0
    secrets: dict[str, int] = field(default_factory=dict)  # by rule


@dataclass(slots=True)
class Framer:
    """Knows where one job's stream stands and makes its records. For one thread at a time."""

    stream: Stream
    broker: str
    pipeline: Pipeline
    position: Checkpoint
    epochs: set[str] = field(default_factory=set)  # every epoch this stream ever had
    totals: Totals = field(default_factory=Totals)
    reset_reason: str = ""  # a reset that waits for its new epoch's name
    skip_to: int = 0  # raw offset up to which lines are only counted
    marked: int = 0  # the MiB of the file that the last mark stands in

    def another_head(self, session: str) -> bool:
        """Take the head's session; whether the file that was read belongs to another one's."""
        if not session or session == self.position.session:
            return False
        other = bool(self.position.session and self.position.epoch)
        self.position = _with(self.position, session=session)
        return other

    @property
    def next(self) -> int:
        """The position a subscriber should be at now."""
        return self.position.line + (1 if self.position.partial else 0)

    def log(self, piece: Piece, source: str, now_ns: int) -> list[Record]:
        """A chunk's `log` frame; before the first of an epoch that follows a reset, the `reset`."""
        chunk = piece.chunk
        records = self._name_epoch(chunk, now_ns)
        batch = self.pipeline.process(chunk, self.position.key_lines)
        amends = self.position.partial
        self._advance(piece, source, batch.key_lines)
        frame = self._frame("log", now_ns, first=chunk.first, next=chunk.first + chunk.lines)
        frame = replace(
            frame,
            lines=batch.lines,
            cr=batch.cr,
            amends=amends,
            offset=chunk.offset,
            redacted=batch.redacted,
            truncated=batch.truncated,
        )
        self.totals.lines += chunk.lines - amends
        self._count(batch)
        records.append(self._record(frame, chunk))
        return records

    def gap(self, piece: Piece, reason: str, source: str, now_ns: int) -> list[Record]:
        """Lines that are counted but not published."""
        chunk = piece.chunk
        records = self._name_epoch(chunk, now_ns)
        key_lines = self.position.key_lines
        if key_lines or b"PRIVATE KEY" in ansi.strip(chunk.data):
            # A private key begins or ends in what is left out, and matters to what is not.
            key_lines = self.pipeline.process(chunk, key_lines).key_lines
        self._advance(piece, source, key_lines)
        self.totals.dropped += chunk.lines
        frame = self._frame("gap", now_ns, first=chunk.first, next=chunk.first + chunk.lines)
        records.append(self._record(replace(frame, reason=reason, offset=chunk.offset), chunk))
        return records

    def partial(self, chunk: Chunk, now_ns: int) -> list[Record]:
        """The last line, which has no end; published again, amended, if it grows after all."""
        records = self._name_epoch(chunk, now_ns)
        batch = self.pipeline.process(chunk, self.position.key_lines)
        frame = replace(
            self._frame("log", now_ns, first=chunk.first, next=chunk.first + 1),
            lines=batch.lines,
            partial=True,
            amends=self.position.partial,
            redacted=batch.redacted,
            truncated=batch.truncated,
        )
        self._count(batch)
        self.totals.lines += not self.position.partial
        self.position = _with(self.position, partial=True)
        records.append(self._record(frame))
        return records

    def status(self, status: str, run: int, now_ns: int, why: str = "") -> Record:
        """Ray's word on the job changed, or a new run of its id began. `why`: as in `end`."""
        self.position = _with(self.position, run=run, ended=False, status=status, complete=None)
        frame = self._frame("status", now_ns)
        return self._record(replace(frame, status=status, run=run, message=why))

    def end(self, status: str, complete: bool, now_ns: int, why: str = "") -> Record:
        """The job is over, and so (for now) is its log. `why`: Ray's words, made safe."""
        self.position = _with(self.position, ended=True, status=status, complete=complete)
        frame = self._frame("end", now_ns)
        run = self.position.run
        return self._record(replace(frame, status=status, run=run, complete=complete, message=why))

    def error(self, code: int, message: str, now_ns: int) -> Record:
        """Something went wrong that subscribers should know of."""
        return self._record(replace(self._frame("error", now_ns), code=code, message=message))

    def reset(self, reason: str) -> None:
        """The file is another one from here on. The `reset` frame comes with its first line."""
        self.totals.resets += 1
        self.reset_reason = reason
        self.skip_to = self.marked = 0
        at = self.position
        self.position = Checkpoint(run=at.run, session=at.session, status=at.status)

    def _name_epoch(self, chunk: Chunk, now_ns: int) -> list[Record]:
        if self.position.epoch:
            return []
        first_line = chunk.data[: chunk.data.index(b"\n")]
        epoch = epoch_of(self.position.session, self.stream.job, first_line, self.epochs)
        self.epochs.add(epoch)
        self.position = _with(self.position, epoch=epoch)
        if not self.reset_reason:
            return []
        frame = replace(self._frame("reset", now_ns), reason=self.reset_reason)
        self.reset_reason = ""
        return [self._record(frame)]

    def _count(self, batch: Batch) -> None:
        self.totals.redacted += batch.redacted
        self.totals.truncated += batch.truncated
        for rule, count in batch.rules.items():
            self.totals.secrets[rule] = self.totals.secrets.get(rule, 0) + count

    def _advance(self, piece: Piece, source: str, key_lines: int) -> None:
        chunk = piece.chunk
        self.position = Checkpoint(
            epoch=self.position.epoch,
            line=chunk.first + chunk.lines,
            offset=chunk.offset,
            crc=chunk.crc,
            tail=piece.tail,
            key_lines=key_lines,
            source=source,
            run=self.position.run,
            ended=self.position.ended,
            status=self.position.status,
            complete=self.position.complete,
            session=self.position.session,
            skip_to=self.skip_to if (chunk.offset or 0) < self.skip_to else 0,
        )

    def _frame(self, kind: str, now_ns: int, first: int | None = None, next: int = 0) -> Frame:
        at = self.next
        return Frame(
            kind=kind,  # type: ignore[arg-type]  # only this module names kinds, and rightly
            cluster=self.stream.cluster,
            job=self.stream.job,
            first=at if first is None else first,
            next=at if first is None else next,
            ts=now_ns,
            epoch=self.position.epoch,
            broker=self.broker,
        )

    def _record(self, frame: Frame, chunk: Chunk | None = None) -> Record:
        self.totals.frames += 1
        self.totals.last_frame_ts = frame.ts
        return Record(
            stream=self.stream,
            kind=frame.kind,
            epoch=frame.epoch,
            first=frame.first,
            next=frame.next,
            ts=frame.ts,
            payload=encode(frame),
            checkpoint=self.position,
            mark=self._mark(chunk),
        )

    def _mark(self, chunk: Chunk | None) -> Mark | None:
        """One for each MiB of the file, at the first chunk that ends beyond it."""
        if chunk is None or chunk.offset is None:
            return None
        if chunk.offset // MARK_BYTES == self.marked:
            return None
        self.marked = chunk.offset // MARK_BYTES
        at = self.position
        return Mark(at.epoch, at.line, chunk.offset, at.crc, at.key_lines)


def _with(position: Checkpoint, **changes: object) -> Checkpoint:
    return msgspec.structs.replace(position, **changes)
