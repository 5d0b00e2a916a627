"""The journal's twin in memory: the same contract, codec, ledger and eviction, no disk."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from threading import RLock

from broker.checkpoint import Checkpoint, Mark
from broker.errors import JournalError
from broker.journal import Record, Span, Stored, Usage
from broker.journal.eviction import Bounds, evict
from broker.journal.ledger import Epoch, Ledger, Victim
from broker.journal.payload import Codec, stored_size
from broker.topic import Stream


class MemoryJournal:
    """A `Journal` that ends with the process."""

    def __init__(self, max_bytes: int, max_job_bytes: int, max_age_s: float) -> None:
        self.bounds = Bounds(max_bytes, max_job_bytes, max_age_s)
        self.ledger = Ledger()
        self._codec = Codec()
        self._frames: dict[int, tuple[Victim, Record, bool, bytes]] = {}  # by sequence
        self._lines: dict[int, list[tuple[int, int]]] = {}  # epoch id: (first, sequence), sorted
        self._marks: dict[int, dict[int, Mark]] = {}  # epoch id: by line
        self._watermark = 0
        self._evicted = 0
        self._lock = RLock()
        self._closed = False

    def append(self, records: Sequence[Record]) -> None:
        with self._open():
            for record in records:
                log = self.ledger.log(record.stream)
                if record.kind != "heartbeat":
                    self._add(record)
                if record.checkpoint is not None:
                    log.checkpoint = record.checkpoint
                if record.mark is not None:
                    epoch = self.ledger.epoch(record.stream, record.mark.epoch)
                    self._marks.setdefault(epoch.id, {})[record.mark.line] = record.mark

    def published(self, sequence: int) -> None:
        self._watermark = max(self._watermark, min(sequence, self.ledger.sequence))

    def last_sequence(self) -> int:
        return self.ledger.sequence

    def unpublished(self) -> Iterator[tuple[Stream, Stored]]:
        with self._open():
            sequences = [sequence for sequence in self._frames if sequence > self._watermark]
        for sequence in sequences:
            with self._open():
                if sequence not in self._frames:
                    continue
                found = self._frames[sequence][1].stream, self._stored(sequence)
            yield found

    def checkpoints(self) -> dict[Stream, Checkpoint]:
        with self._open():
            return {
                stream: log.checkpoint
                for stream, log in self.ledger.logs.items()
                if log.checkpoint is not None
            }

    def spans(self, stream: Stream) -> list[Span]:
        with self._open():
            log = self.ledger.logs.get(stream)
            if log is None:
                return []
            return [
                Span(epoch.name, self._first(epoch), epoch.next, epoch.ended, epoch.complete)
                for epoch in log.epochs.values()
            ]

    def page(
        self,
        stream: Stream,
        epoch: str,
        line: int,
        after: Stored | None = None,
        max_bytes: int = 1 << 20,
    ) -> list[Stored]:
        page: list[Stored] = []
        with self._open():
            log = self.ledger.logs.get(stream)
            if log is None or epoch not in log.epochs:
                return page
            keys = self._lines.get(log.epochs[epoch].id, [])
            begin = 0 if after is None else bisect_right(keys, (after.first, after.sequence))
            for first, sequence in keys[begin:]:
                stored = self._stored(sequence)
                if stored.next <= line and first < line:
                    continue
                max_bytes -= len(stored.payload)
                if max_bytes < 0 and page:
                    break
                page.append(stored)
        return page

    def mark_before(self, stream: Stream, epoch: str, line: int) -> Mark | None:
        with self._open():
            log = self.ledger.logs.get(stream)
            if log is None or epoch not in log.epochs:
                return None
            marks = self._marks.get(log.epochs[epoch].id, {})
            nearest = max((at for at in marks if at <= line), default=None)
            return None if nearest is None else marks[nearest]

    def evict(self, now_ns: int) -> int:
        with self._open():
            evicted = evict(self, self.bounds, now_ns)
            self._evicted += evicted
            return evicted

    def forget(self, stream: Stream) -> int:
        with self._open():
            log = self.ledger.remove(stream)
            if log is None:
                return 0
            for epoch in log.epochs.values():
                for _, sequence in self._lines.pop(epoch.id, []):
                    del self._frames[sequence]
                self._marks.pop(epoch.id, None)
            return log.frames

    def usage(self) -> Usage:
        with self._open():
            return self.ledger.usage(self._evicted)

    def close(self) -> None:
        self._closed = True

    # What eviction asks of a backend (`eviction.Shelf`).

    def oldest(self, limit: int) -> list[Victim]:
        sequences = list(self._frames)[:limit]
        return [self._frames[sequence][0] for sequence in sequences]

    def oldest_of(self, epoch: Epoch, limit: int) -> list[Victim]:
        return [self._frames[sequence][0] for _, sequence in self._lines[epoch.id][:limit]]

    def let_go(self, victims: list[Victim]) -> None:
        for victim in victims:
            record = self._frames.pop(victim.sequence)[1]
            self._lines[victim.epoch_id].remove((record.first, victim.sequence))
        self.ledger.subtract(victims)

    def drop_epoch(self, epoch: Epoch) -> None:
        self._lines.pop(epoch.id, None)
        self._marks.pop(epoch.id, None)
        self.ledger.remove_epoch(epoch)
        if not self.ledger.logs[epoch.stream].epochs:
            self.ledger.remove(epoch.stream)

    def _open(self) -> RLock:
        if self._closed:
            raise JournalError("journal in memory: it is closed")
        return self._lock

    def _add(self, record: Record) -> None:
        ((packed, blob),) = self._codec.pack([record.payload])
        size = stored_size(blob)
        epoch = self.ledger.add(record, size)
        sequence = self.ledger.sequence
        victim = Victim(sequence, epoch.id, record.ts, size)
        self._frames[sequence] = (victim, record, packed, blob)
        insort(self._lines.setdefault(epoch.id, []), (record.first, sequence))

    def _stored(self, sequence: int) -> Stored:
        _, record, packed, blob = self._frames[sequence]
        payload = self._codec.unpack(packed, blob)
        return Stored(sequence, record.kind, record.epoch, record.first, record.next, payload)

    def _first(self, epoch: Epoch) -> int:
        for first, sequence in self._lines.get(epoch.id, []):
            if self._frames[sequence][1].kind == "log":
                return first
        return epoch.next
