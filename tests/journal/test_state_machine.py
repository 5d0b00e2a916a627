"""SQLite and its twin in memory tell the same, whatever is done to both."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from broker.checkpoint import Checkpoint, Mark
from broker.frame import Frame, Kind
from broker.journal import Record
from broker.journal.memory import MemoryJournal
from broker.journal.sqlite import SqliteJournal
from broker.topic import Stream
from tests.support.journal_records import SECOND, gap_frame, log_frame, point_frame, record

STREAMS = [Stream("ray", "a"), Stream("ray", "b"), Stream("other", "a")]
EPOCHS = ["", "aaaaaaaaaaaa", "bbbbbbbbbbbb"]
BOUNDS = (3000, 1500, 50.0)


@st.composite
def records(draw: st.DrawFn) -> Record:
    stream = draw(st.sampled_from(STREAMS))
    epoch = draw(st.sampled_from(EPOCHS))
    first = draw(st.integers(0, 60))
    following = first + draw(st.integers(1, 30))
    ts = draw(st.integers(1, 100)) * SECOND
    kinds: list[Kind] = ["log", "log", "gap", "status", "end", "error", "heartbeat"]
    kind = draw(st.sampled_from(kinds))
    frame: Frame
    if kind == "log":
        frame = log_frame(first, following, stream, ts=ts, epoch=epoch)
    elif kind == "gap":
        frame = gap_frame(first, following, stream=stream)
    else:
        frame = point_frame(kind, first, stream, ts=ts, epoch=epoch)
    checkpoint = Checkpoint(epoch, first, ended=draw(st.booleans()))
    mark = Mark(frame.epoch, first, first * 10, ts, 0)
    return record(
        frame,
        checkpoint if draw(st.booleans()) else None,
        mark if draw(st.booleans()) else None,
    )


class Twins(RuleBasedStateMachine):
    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.memory = MemoryJournal(*BOUNDS)
        self.evicted_before = 0
        self.open()

    def open(self) -> None:
        self.sqlite = SqliteJournal(self.folder / "journal.db", *BOUNDS)

    def teardown(self) -> None:
        self.sqlite.close()
        shutil.rmtree(self.folder)

    @rule(batch=st.lists(records(), max_size=6))
    def append(self, batch: list[Record]) -> None:
        self.sqlite.append(batch)
        self.memory.append(batch)

    @rule(back=st.integers(0, 10))
    def published(self, back: int) -> None:
        self.sqlite.published(self.sqlite.last_sequence() - back)
        self.memory.published(self.memory.last_sequence() - back)

    @rule(now=st.integers(1, 400))
    def evict(self, now: int) -> None:
        for journal in (self.sqlite, self.memory):
            while journal.evict(now * SECOND):
                pass

    @rule(stream=st.sampled_from(STREAMS))
    def forget(self, stream: Stream) -> None:
        assert self.sqlite.forget(stream) == self.memory.forget(stream)

    @rule()
    def reopen(self) -> None:
        self.evicted_before += self.sqlite.usage().evicted_frames
        self.sqlite.close()
        self.open()

    @rule(
        stream=st.sampled_from(STREAMS),
        epoch=st.sampled_from(EPOCHS),
        line=st.integers(0, 100),
        max_bytes=st.integers(1, 2000),
    )
    def page(self, stream: Stream, epoch: str, line: int, max_bytes: int) -> None:
        after = None
        while True:
            page = self.sqlite.page(stream, epoch, line, after, max_bytes)
            assert page == self.memory.page(stream, epoch, line, after, max_bytes)
            if not page:
                break
            after = page[-1]

    @rule(stream=st.sampled_from(STREAMS), epoch=st.sampled_from(EPOCHS), line=st.integers(0, 100))
    def mark_before(self, stream: Stream, epoch: str, line: int) -> None:
        expected = self.memory.mark_before(stream, epoch, line)
        assert self.sqlite.mark_before(stream, epoch, line) == expected

    @invariant()
    def they_agree(self) -> None:
        assert self.sqlite.last_sequence() == self.memory.last_sequence()
        assert self.sqlite.checkpoints() == self.memory.checkpoints()
        for stream in STREAMS:
            assert self.sqlite.spans(stream) == self.memory.spans(stream)
        assert list(self.sqlite.unpublished()) == list(self.memory.unpublished())
        usage, twin = self.sqlite.usage(), self.memory.usage()
        assert (usage.frames, usage.stored_bytes) == (twin.frames, twin.stored_bytes)
        assert self.evicted_before + usage.evicted_frames == twin.evicted_frames


Twins.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestTwins = Twins.TestCase
