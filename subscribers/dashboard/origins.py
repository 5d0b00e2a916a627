"""Where streams and pages of a log begin: what the feed, the brokers' lists and the journals know
of a log put together."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from broker.errors import ClientError
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.dashboard.broker_lists import BrokerLists
from subscribers.dashboard.client import FrameClient
from subscribers.dashboard.cluster_id import ClusterPosition
from subscribers.dashboard.event import position_id
from subscribers.dashboard.feed import Feed
from subscribers.dashboard.journals import Journals
from subscribers.dashboard.positions import Place, Positions
from subscribers.dashboard.resume import Position

_END: Final = 10**17  # beyond every log: the answer stands at its end
_MARGIN_MS: Final = 10_000  # between an id's time and the frames that were on their way then


class Beginning(NamedTuple):
    """What is to be replayed first, and the id of where it begins; "" where that is not known."""

    plan: list[Place]
    event_id: str


class Origins:
    """On the event loop's thread, for a client that the hub has already."""

    def __init__(self, feed: Feed, lists: BrokerLists, journals: Journals) -> None:
        self._feed = feed
        self._lists = lists
        self._journals = journals

    async def of_job(
        self, stream: Stream, wanted: Position | None, positions: Positions
    ) -> Beginning:
        """Where a client of one job begins. Raises `ClientError` 404 for a job that nobody knows,
        408 or 503 where that cannot be found out."""
        epochs = self._feed.positions(stream)
        view = self._lists.views().get(stream)
        if wanted is not None and wanted.epoch:
            return self._resumed(stream, wanted, positions, epochs, view)
        epoch = next(reversed(epochs), "") or (view.epoch if view else "")
        line, is_open = epochs.get(epoch, (0, False))
        if not epoch and (view is None or wanted is not None):
            try:
                page = await self._journals.page(stream, _END, limit=1)
            except ClientError as error:
                if error.status != 404 or view is None:
                    raise
            else:
                epoch, line = page.epoch, page.next
        if view is not None and view.epoch == epoch and view.next > line:
            line, is_open = view.next, False
        if not epoch:
            return Beginning([], "")
        place = Place(stream, epoch)
        if wanted is None:
            if epoch not in epochs:  # what the feed gets next is not known: it may be before
                return Beginning([], position_id(epoch, line))
            line, is_open = epochs[epoch]
            positions.begin(place, line, is_open=is_open)
            return Beginning([], position_id(epoch, line, is_open=is_open))
        if wanted.line < 0:
            line, is_open = max(0, line + wanted.line), False
        else:
            is_open = is_open and wanted.line == line
            line = wanted.line
        positions.begin(place, line, is_open=is_open)
        return Beginning([place], position_id(epoch, line, is_open=is_open))

    def of_cluster(
        self,
        client: FrameClient,
        cluster: str,
        wanted: ClusterPosition | None,
        positions: Positions,
    ) -> Beginning:
        """Where a client of all jobs of a cluster begins; without an id at what is live."""
        plan: list[Place] = []
        for stream, view in self._lists.views().items():
            if stream.cluster != cluster or not client.may_read(stream):
                continue
            epochs = self._feed.positions(stream)
            names = [*epochs, *([view.epoch] if view.epoch and view.epoch not in epochs else [])]
            if wanted is None:
                if names:
                    line, is_open = epochs.get(names[-1], (view.next, False))
                    positions.begin(Place(stream, names[-1]), line, is_open=is_open)
                continue
            plan += self._cluster_places(stream, view, names, epochs, wanted, positions)
        return Beginning(plan, "")

    def _resumed(
        self,
        stream: Stream,
        wanted: Position,
        positions: Positions,
        epochs: dict[str, tuple[int, bool]],
        view: JobView | None,
    ) -> Beginning:
        """From an id: the rest of its epoch, then every later one from its first line."""
        names = list(epochs)
        if view is not None and view.epoch and view.epoch not in epochs:
            names.append(view.epoch)
        later = names[names.index(wanted.epoch) + 1 :] if wanted.epoch in names else names
        begun = Place(stream, wanted.epoch)
        positions.begin(begun, wanted.line, is_open=wanted.is_open)
        plan = [begun, *(Place(stream, epoch) for epoch in later)]
        for place in plan[1:]:
            positions.begin(place, 0)
        event_id = position_id(wanted.epoch, wanted.line, is_open=wanted.is_open)
        if not later and epochs.get(wanted.epoch) == (wanted.line, wanted.is_open):
            return Beginning([], event_id)  # nothing came meanwhile
        return Beginning(plan, event_id)

    def _cluster_places(
        self,
        stream: Stream,
        view: JobView,
        names: Iterable[str],
        epochs: dict[str, tuple[int, bool]],
        wanted: ClusterPosition,
        positions: Positions,
    ) -> list[Place]:
        """The epochs of one log to replay. One that the id does not hold began after it was made,
        unless nothing came since then, or the id had no room: then its lines come once more."""
        plan: list[Place] = []
        places = [Place(stream, epoch) for epoch in names]
        held = [wanted.line(place) is not None for place in places]
        if not any(held) and self._was_silent(view, wanted):
            return []
        for place in places[held.index(True) if any(held) else 0 :]:
            line, is_open = wanted.line(place) or (0, False)
            positions.begin(place, line, is_open=is_open)
            end = epochs.get(place.epoch) or (view.next if place.epoch == view.epoch else -1, False)
            if end != (line, is_open):
                plan.append(place)
        return plan

    def _was_silent(self, view: JobView, wanted: ClusterPosition) -> bool:
        """Whether nothing came of the log since the id was made, as far as the broker knows."""
        since, spoke = wanted.ts - _MARGIN_MS, view.last_frame_ts // 1_000_000
        return spoke <= since and view.run <= since and (spoke > 0 or not wanted.full)


def now_ms() -> int:
    """For an id."""
    return round(time.time() * 1000)
