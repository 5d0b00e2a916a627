"""The seam of a client's stream, in every order in which things can happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.access.grant import ANYONE
from broker.errors import ClientError
from broker.frame import Frame
from broker.journal.memory import MemoryJournal
from broker.journal.replay import replay
from broker.topic import Stream
from subscribers.dashboard.catch_up import CatchUp
from subscribers.dashboard.client import FrameClient
from subscribers.dashboard.journals import Page
from subscribers.dashboard.live_frame import Batch, LiveFrame, single_events
from subscribers.dashboard.page_frame import page_frame
from subscribers.dashboard.positions import Place, Positions
from subscribers.recognition.recogniser import Recogniser
from tests.support.journal_records import EPOCH, STREAM, log_frame, point_frame, record, text

OTHER = "bbbbbbbbbbbb"
PAGE = 7  # lines
GIB = 1 << 30


class FakeJournals:
    """The journal of a broker without the broker, in small pages."""

    def __init__(self) -> None:
        self.journal = MemoryJournal(GIB, GIB, 3600.0)
        self.problems: list[ClientError] = []

    def keep(self, *frames: Frame) -> None:
        self.journal.append([record(frame) for frame in frames])

    async def page(self, stream: Stream, first: int, epoch: str = "", limit: int = PAGE) -> Page:
        if self.problems:
            raise self.problems.pop(0)
        found = replay(self.journal, stream, epoch or None, first, PAGE)
        ended = found.next - found.first < PAGE
        return Page(found.epoch, found.first, found.next, list(found.frames), ended, False)


class Seam:
    """A client that is counted in, what it has had, and the journal behind it."""

    def __init__(self, line: int | None, buffer: int = GIB) -> None:
        self.journals = FakeJournals()
        self.client = FrameClient(STREAM, ANYONE, "", "", buffer, "skip", lambda _: None)
        self.events: list[dict[str, Any]] = []
        self.skipped = 0
        positions, plan = Positions(), []
        if line is not None:
            plan = [Place(STREAM, EPOCH)]
            positions.begin(plan[0], line)
        self.frames = CatchUp(
            self.client,
            cast("Any", self.journals),
            positions,
            plan,
            self._skip,
            single_events,
        )
        self._replay: AsyncGenerator[bytes, None] | None = None

    def _skip(self, count: int) -> None:
        self.skipped += count

    def deliver(self, *frames: Frame) -> None:
        """They come live."""
        lives = [LiveFrame.of(frame, page_frame(frame, Recogniser())) for frame in frames]
        self.client.offer(Batch(lives))

    async def step(self) -> bool:
        """What the client's task does next; whether there was something to do."""
        if self._replay is None and self.frames.replaying:
            self._replay = self.frames.replay()
        if self._replay is not None:
            try:
                self._read(await anext(self._replay))
            except StopAsyncIteration:
                self._replay = None
            return True
        body = self.frames.live()
        self._read(body)
        return bool(body or self.frames.replaying or self.client.backlog)

    async def drain(self) -> None:
        """Until nothing is left to do."""
        while await self.step():
            pass

    def _read(self, body: bytes) -> None:
        for event in body.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line)
            if fields.get("event"):
                self.events.append({"event": fields["event"], **json.loads(fields["data"])})

    def spans(self, epoch: str = EPOCH) -> list[tuple[str, int, int]]:
        """What came about an epoch's lines, in order, joined where it goes on."""
        found: list[tuple[str, int, int]] = []
        for event in self.events:
            first, following = event["first"], event["next"]
            if event["epoch"] != epoch or first == following:
                continue
            if event.get("kind") == "log":
                assert event["lines"] == [text(line) for line in range(first, following)]
            kind = "skipped" if event["event"] == "skipped" else event["kind"]
            if found and found[-1][0] == kind and found[-1][2] == first:
                found[-1] = kind, found[-1][1], following
            else:
                found.append((kind, first, following))
        return found


def test_a_hole_in_what_is_live_comes_from_the_journal() -> None:
    async def run() -> None:
        seam = Seam(None)
        seam.journals.keep(log_frame(0, 100))
        seam.deliver(log_frame(0, 10))
        await seam.drain()
        seam.deliver(log_frame(30, 40), log_frame(40, 50), log_frame(90, 100))
        await seam.drain()
        assert seam.spans() == [("log", 0, 100)]

    asyncio.run(run())


def test_a_hole_that_no_journal_fills_is_told_and_the_stream_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("subscribers.dashboard.catch_up._PATIENCE_S", 0.1)

    async def run() -> None:
        seam = Seam(None)
        seam.journals.keep(log_frame(0, 10))
        seam.deliver(log_frame(0, 10), log_frame(30, 40))
        await seam.drain()
        assert seam.spans() == [("log", 0, 10), ("gap", 10, 30), ("log", 30, 40)]
        assert seam.events[1]["reason"] == "unreachable"

    asyncio.run(run())


def test_before_the_first_page_a_problem_is_raised_at_once() -> None:
    async def run() -> None:
        seam = Seam(0)
        seam.journals.problems = [ClientError(503, "away")]
        with pytest.raises(ClientError, match="away"):
            await seam.drain()

    asyncio.run(run())


def test_after_the_first_page_a_journal_that_is_away_is_waited_for() -> None:
    async def run() -> None:
        seam = Seam(0)
        seam.journals.keep(log_frame(0, 50))
        await seam.step()
        seam.journals.problems = [ClientError(503, "away"), ClientError(408, "no answer")]
        await seam.drain()
        assert seam.spans() == [("log", 0, 50)]

    asyncio.run(run())


def test_a_journal_that_stays_away_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subscribers.dashboard.catch_up._AWAY_S", 0.1)

    async def run() -> None:
        seam = Seam(0)
        seam.journals.keep(log_frame(0, 50))
        await seam.step()
        seam.journals.problems = [ClientError(503, "away")] * 100
        with pytest.raises(ClientError, match="away"):
            await seam.drain()
        assert seam.spans() == [("log", 0, 7)]

    asyncio.run(run())


def test_what_does_not_fit_while_the_client_catches_up_comes_from_the_journal() -> None:
    async def run() -> None:
        seam = Seam(0, buffer=1000)
        seam.journals.keep(log_frame(0, 20))
        while seam.frames.replaying:
            await seam.step()
        for first in range(20, 200, 10):
            seam.journals.keep(log_frame(first, first + 10))
            seam.deliver(log_frame(first, first + 10))
        await seam.drain()
        assert (seam.spans(), seam.skipped) == ([("log", 0, 200)], 0)

    asyncio.run(run())


def test_what_did_not_fit_is_told_before_what_goes_on() -> None:
    async def run() -> None:
        seam = Seam(None, buffer=1000)
        seam.deliver(log_frame(0, 10))
        await seam.drain()
        for line in range(10, 100, 10):
            seam.deliver(log_frame(line, line + 10))
        seam.deliver(point_frame("end", 100))
        await seam.drain()
        (first, skipped, last) = seam.spans()
        assert (first[0], skipped[0], last[0]) == ("log", "skipped", "log")
        assert (first[1], first[2], skipped[2], last[2]) == (0, skipped[1], last[1], 100)
        assert seam.skipped == seam.client.skipped == skipped[2] - skipped[1]
        assert seam.events[-1]["kind"] == "end"

    asyncio.run(run())


def test_what_did_not_fit_of_a_file_that_was_replaced_is_told_too() -> None:
    async def run() -> None:
        seam = Seam(None, buffer=1000)
        seam.deliver(log_frame(0, 10))
        await seam.drain()
        seam.deliver(log_frame(10, 40))
        seam.deliver(point_frame("reset", 0, epoch=OTHER), log_frame(0, 40, epoch=OTHER))
        seam.deliver(log_frame(40, 80, epoch=OTHER))
        await seam.drain()
        assert seam.spans() == [("log", 0, 10), ("skipped", 10, 40)]
        assert seam.spans(OTHER) == [("skipped", 0, 40), ("log", 40, 80)]

    asyncio.run(run())


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Frame], int]:
    """A log that was replaced once, as frames, and how many were there before the client came."""
    frames: list[Frame] = []
    for epoch in (EPOCH, OTHER)[: draw(st.integers(1, 2))]:
        if frames:
            frames.append(point_frame("reset", 0, epoch=epoch))
        at = 0
        for size in draw(st.lists(st.integers(1, 12), min_size=1, max_size=12)):
            frames.append(log_frame(at, at + size, epoch=epoch))
            at += size
        frames.append(point_frame("end", at, epoch=epoch))
    return frames, draw(st.integers(1, len(frames)))


@settings(deadline=None, max_examples=150)
@given(
    histories(),
    st.lists(st.sampled_from(("keep", "deliver", "step")), max_size=60),
    st.integers(0, 30),
    st.integers(0, 8),
    st.sampled_from((GIB, 3000, 600)),
)
def test_in_any_order_each_line_comes_once_and_what_does_not_is_told(
    history: tuple[list[Frame], int], order: list[str], start: int, lag: int, buffer: int
) -> None:
    """The journal has each frame before it is published, and may be ahead by any number; the
    client comes when some were published, and takes what there is whenever it likes."""
    frames, before = history
    ends = {epoch: max((f.next for f in frames if f.epoch == epoch), default=0)
            for epoch in (EPOCH, OTHER)}  # fmt: skip

    async def run() -> None:
        had_before = [frame for frame in frames[:before] if frame.epoch == EPOCH]
        line = min(start, max((frame.next for frame in had_before), default=0))
        seam = Seam(line, buffer)
        if any(frame.epoch == OTHER for frame in frames[:before]):  # the gateway knows of it
            place = Place(STREAM, OTHER)
            seam.frames._positions.begin(place, 0)
            seam.frames._plan.append((place, 0))
        kept, delivered = before, max(0, before - lag)
        seam.journals.keep(*frames[:before])
        for what in order:
            if what == "keep" and kept < len(frames):
                seam.journals.keep(frames[kept])
                kept += 1
            elif what == "deliver" and delivered < kept:
                seam.deliver(frames[delivered])
                delivered += 1
            elif what == "step":
                await seam.step()
        seam.journals.keep(*frames[kept:])
        for frame in frames[delivered:]:
            seam.deliver(frame)
        await seam.drain()
        for epoch, begin in ((EPOCH, line), (OTHER, 0)):
            at = begin
            for kind, first, following in seam.spans(epoch):
                assert (kind in ("log", "skipped"), first) == (True, at)
                at = following
            assert at == ends[epoch] or not ends[epoch]
        if buffer == GIB:
            assert seam.skipped == 0
            told = [(event["kind"], event["epoch"]) for event in seam.events]
            assert len(told) - told.count(("log", EPOCH)) - told.count(("log", OTHER)) == len(
                {one for one in told if one[0] != "log"}
            )

    asyncio.run(run())
