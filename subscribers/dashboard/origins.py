"""Where a job's stream begins: what the feed, the brokers' lists and the journals know of its log
put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from broker.errors import ClientError
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.dashboard.broker_lists import BrokerLists
from subscribers.dashboard.event import position_id
from subscribers.dashboard.feed import Feed
from subscribers.dashboard.journals import Journals, merged
from subscribers.dashboard.positions import Place, Positions
from subscribers.dashboard.resume import Position

_END: Final = 10**17  # beyond every log: the answer stands at its end


@dataclass(slots=True)
class Beginning:
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
            return await self._resumed(stream, wanted, positions, epochs, view)
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

    async def _resumed(
        self,
        stream: Stream,
        wanted: Position,
        positions: Positions,
        epochs: dict[str, tuple[int, bool]],
        view: JobView | None,
    ) -> Beginning:
        """From an id: the rest of its epoch, then every later one from its first line."""
        names = known_epochs(epochs, view)
        if names != [wanted.epoch]:  # it was replaced, once or more often
            names = merged(await self._journals.epochs(stream), names)
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


def known_epochs(epochs: Iterable[str], view: JobView | None) -> list[str]:
    """Of a log, the oldest first: what the feed knows, and the broker's list."""
    return merged(epochs, [view.epoch] if view and view.epoch else [])
