"""Where a cluster's stream begins: where each of its logs stands, and what an id says of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from broker.errors import ClientError
from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.dashboard.broker_lists import BrokerLists
from subscribers.dashboard.client import FrameClient
from subscribers.dashboard.cluster_id import ClusterPosition
from subscribers.dashboard.feed import Feed
from subscribers.dashboard.journals import Journals, merged
from subscribers.dashboard.origins import Beginning, known_epochs
from subscribers.dashboard.positions import Place, Positions

_MARGIN_MS: Final = 10_000  # between an id's time and the frames that were on their way then
_PATIENCE_S: Final = 10.0  # of one client
_AWAY_S: Final = 60.0  # from the gateway's start on
_PAUSE_S: Final = 0.05


@dataclass(slots=True)
class ClusterBeginning(Beginning):
    """`full`: the ids did not hold every log; `again`: places of which lines may be repeated for
    that; `lost` is told first."""

    full: bool
    again: list[Place] = field(default_factory=list)
    lost: list[Frame] = field(default_factory=list)


class ClusterOrigins:
    """On the event loop's thread, for a client that the hub has already."""

    def __init__(
        self,
        feed: Feed,
        lists: BrokerLists,
        journals: Journals,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed = feed
        self._lists = lists
        self._journals = journals
        self._clock = clock
        self._began = clock()

    async def of(
        self,
        client: FrameClient,
        cluster: str,
        wanted: ClusterPosition | None,
        positions: Positions,
    ) -> ClusterBeginning:
        """Where a client of all jobs of a cluster begins; without an id at what is live. Raises
        `ClientError` 408 or 503 where that cannot be found out."""
        beginning = ClusterBeginning([], "", wanted is not None and wanted.full)
        if wanted is not None and (missing := await self._missing(cluster, wanted)):
            beginning.lost.append(_unlisted(cluster, missing))
        views = self._lists.views()
        for stream in self._streams(cluster):
            if not client.may_read(stream):
                continue
            view, epochs = views.get(stream), self._feed.positions(stream)
            names = known_epochs(epochs, view)
            if wanted is not None and not _is_silent(stream, view, wanted):
                await self._resume(stream, names, wanted, positions, beginning)
            elif names:
                newest = Place(stream, names[-1])
                line, is_open = _end(newest, epochs, view)
                positions.begin(newest, line, is_open=is_open)
        return beginning

    def _streams(self, cluster: str) -> list[Stream]:
        """Those that are listed, and those that were."""
        known = dict.fromkeys([*self._lists.views(), *self._feed.streams()])
        return [stream for stream in known if stream.cluster == cluster]

    async def _missing(self, cluster: str, wanted: ClusterPosition) -> int:
        """How many logs of the id are listed by no broker. A gateway that was just started waits
        for those that it has not heard of yet."""
        patience = self._clock() + _PATIENCE_S
        while missing := wanted.others(self._streams(cluster)):
            if self._lists.heard or self._clock() > self._began + _AWAY_S:
                break
            if self._clock() > patience:
                raise ClientError(503, "not every broker has said yet which jobs it follows")
            await asyncio.sleep(_PAUSE_S)
        return missing

    async def _resume(
        self,
        stream: Stream,
        names: list[str],
        wanted: ClusterPosition,
        positions: Positions,
        beginning: ClusterBeginning,
    ) -> None:
        """The epochs of one log to replay, with the first that the id holds and after it. A log
        that it does not hold began after it was made, unless it had no room."""
        if any(wanted.line(Place(stream, epoch)) is None for epoch in names):
            names = merged(await self._journals.epochs(stream), names)
        epochs, view = self._feed.positions(stream), self._lists.views().get(stream)
        places = [Place(stream, epoch) for epoch in names]
        held = [wanted.line(place) is not None for place in places]
        if places and not any(held) and wanted.knows(stream):
            beginning.lost.append(_lost(stream))
        for place in places[held.index(True) if any(held) else 0 :]:
            at = wanted.line(place)
            if at is None and wanted.full and not (view and view.run > wanted.ts):
                beginning.again.append(place)
            line, is_open = at or (0, False)
            positions.begin(place, line, is_open=is_open)
            if at is None or _end(place, epochs, view) != at:
                beginning.plan.append(place)


def _end(
    place: Place, epochs: dict[str, tuple[int, bool]], view: JobView | None
) -> tuple[int, bool]:
    """Where a log stands, as far as that is known: the line, and whether the one before is open."""
    if place.epoch in epochs:
        return epochs[place.epoch]
    return (view.next, False) if view and place.epoch == view.epoch else (-1, False)


def _is_silent(stream: Stream, view: JobView | None, wanted: ClusterPosition) -> bool:
    """Whether the id does not hold a log of which nothing came since it was made, as far as the
    broker knows."""
    if view is None or wanted.knows(stream):
        return False
    since, spoke = wanted.ts - _MARGIN_MS, view.last_frame_ts // 1_000_000
    known = spoke > 0 or not view.next  # a broker that was started anew does not know
    return known and spoke <= since and view.run <= since


def _lost(stream: Stream) -> Frame:
    said = "the file that this client was in is known to no journal; what came in it is lost"
    return Frame("error", *stream, 0, 0, code=404, message=said)


def _unlisted(cluster: str, count: int) -> Frame:
    said = (
        f"{count} logs that this client was in are listed by no broker now; "
        "what came in them meanwhile is in the journal, if anywhere"
    )
    return Frame("error", cluster, "", 0, 0, code=404, message=said)


def now_ms() -> int:
    """For an id."""
    return round(time.time() * 1000)
