"""One client's frames in order, replayed and live: what goes out next, with nothing between them
lost, repeated or unsaid. Runs on the event loop's thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from broker.errors import ClientError
from broker.frame import Frame
from subscribers.dashboard.client import FrameClient
from subscribers.dashboard.event import PING, skipped_event
from subscribers.dashboard.journals import Journals, Page
from subscribers.dashboard.live_frame import LiveFrame
from subscribers.dashboard.page_frame import page_frame
from subscribers.dashboard.positions import Hole, Place, Positions
from subscribers.recognition.recogniser import Recogniser

_CHUNK: Final = 64 << 10  # bytes of live frames that are written at once
_PATIENCE_S: Final = 5.0  # how long a journal that answers may lack lines that were published
_AWAY_S: Final = 60.0  # how long one that does not answer is asked again
_PAUSE_S: Final = (0.05, 2.0)


class CatchUp:
    """`plan` are the places to replay, to the journal's end, before what is live; `positions`
    knows where each begins. `pack` makes events of frames that `positions` has taken."""

    def __init__(
        self,
        client: FrameClient,
        journals: Journals,
        positions: Positions,
        plan: Sequence[Place],
        count_skipped: Callable[[int], object],
        pack: Callable[[Sequence[LiveFrame]], bytes],
    ) -> None:
        self._client = client
        self._journals = journals
        self._positions = positions
        self._plan = deque((place, 0) for place in plan)
        self._count_skipped = count_skipped
        self._pack = pack
        self._answered = False

    @property
    def replaying(self) -> bool:
        """Whether a journal has to be asked before what is live can go out."""
        return bool(self._plan)

    async def replay(self) -> AsyncGenerator[bytes, None]:
        """What the journals have of the plan, a page at a time.

        Raises `ClientError` where none answers, at once before the first page, else after a
        minute: the client is to come back, and goes on where it was.
        """
        self._client.catching_up = True
        while self._plan:
            place, upto = self._plan[0]
            async for piece in self._replay(place, upto):
                yield piece
            self._plan.popleft()

    def live(self) -> bytes:
        """What waits for the client, as far as it can go out now; empty where nothing waits, or
        where a journal has to be asked first (`replaying`)."""
        client = self._client
        told = b""
        if client.backlog.dropped:
            told = self._passed_over()
            if self._plan:
                return b""
        lives = client.backlog.take(_CHUNK)
        out: list[LiveFrame] = []
        for index, live in enumerate(lives):
            fresh = self._positions.take(live.frame, live.place)
            if fresh is live.frame:
                out.append(live)
            elif isinstance(fresh, Hole):
                client.backlog.give_back(lives[index:])
                self._plan.append((fresh.place, fresh.next))
                break
            elif fresh is not None:
                out.append(_live(fresh, Recogniser()))
        if client.catching_up and not self._plan and not client.backlog:
            client.catching_up = False
            self._positions.settled()
        return told + (self._pack(out) if out else b"")

    async def _replay(self, place: Place, upto: int) -> AsyncGenerator[bytes, None]:
        """The place, up to the journal's end and to line `upto` at least."""
        loop = asyncio.get_running_loop()
        recogniser = Recogniser()
        since, pause = loop.time(), _PAUSE_S[0]
        while True:
            at = self._positions.next(place) or 0
            try:
                page = await self._page(place, at)
            except ClientError as error:
                if error.status == 404 and not upto:
                    yield self._pack([_live(_unknown(place, at, error.message), recogniser)])
                    return
                if error.status != 404 and not self._answered:
                    raise
                away, problem = error.status != 404, error.message
            else:
                self._answered = True
                if page.next > at:
                    since, pause = loop.time(), _PAUSE_S[0]
                out = [live for frame in page.frames for live in self._replayed(frame, recogniser)]
                yield self._pack(out) if out else b""
                if not page.ended and page.next > at:
                    continue
                away, problem = False, "no journal has these lines"
            at = self._positions.next(place) or 0
            if at >= upto and not away:
                return
            if loop.time() - since > (_AWAY_S if away else _PATIENCE_S):
                if away:
                    raise ClientError(503, problem)
                yield self._pack([self._missing(Hole(place, at, upto), problem)])
                return
            yield PING
            await asyncio.sleep(pause)
            pause = min(2 * pause, _PAUSE_S[1])

    async def _page(self, place: Place, at: int) -> Page:
        """Lines from `at` on; an open line before it once more: it may have grown."""
        first = at - 1 if at and self._positions.is_open(place) else at
        return await self._journals.page(place.stream, first, place.epoch)

    def _replayed(self, frame: Frame, recogniser: Recogniser) -> list[LiveFrame]:
        place = Place.of(frame)
        fresh = self._positions.take(frame, place, replayed=True)
        if isinstance(fresh, Hole):
            told = self._missing(fresh, "the journal passed over these lines")
            return [told, *self._replayed(frame, recogniser)]
        return [] if fresh is None else [_live(fresh, recogniser)]

    def _missing(self, hole: Hole, problem: str) -> LiveFrame:
        self._positions.pass_over(hole.place, hole.next)
        stream, epoch = hole.place
        span = hole.first, hole.next
        gap = Frame("gap", *stream, *span, epoch=epoch, reason="unreachable", message=problem)
        return _live(gap, Recogniser())

    def _passed_over(self) -> bytes:
        """What the backlog had to let go: it comes out of the journal while the client catches
        up, else the client is told."""
        client, positions = self._client, self._positions
        dropped, client.backlog.dropped = client.backlog.dropped, {}
        told: list[bytes] = []
        for place, (first, following) in dropped.items():
            at = positions.next(place)
            if at is not None and (at > following or (at == following and client.catching_up)):
                continue
            if client.catching_up:
                if at is None:
                    positions.begin(place, first)
                self._plan.append((place, following))
                continue
            begin = first if at is None else at
            told.append(skipped_event(place.stream, place.epoch, begin, following))
            positions.pass_over(place, following)
            client.skipped_lines += following - begin
            self._count_skipped(following - begin)
        return b"".join(told)


def _live(frame: Frame, recogniser: Recogniser) -> LiveFrame:
    return LiveFrame.of(frame, page_frame(frame, recogniser))


def _unknown(place: Place, at: int, problem: str) -> Frame:
    """In place of a file that no journal knows: there is no number for what it had."""
    said = f"what came after line {at} of this file is lost, how many lines is not known: {problem}"
    return Frame("error", *place.stream, at, at, epoch=place.epoch, code=404, message=said)
