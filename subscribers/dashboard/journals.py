"""Parts of logs out of the brokers' journals, a page at a time: at most a few at once, so that
many clients that come back together do not shut out others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from broker.errors import ClientError
from broker.frame import Frame, decode, replace
from broker.topic import Stream
from subscribers.dashboard.broker_lists import TOKEN_FROM
from subscribers.dashboard.workers import Workers
from subscribers.replay import JournalClient, split

T = TypeVar("T")

THREADS: Final = 4  # of the 8 replays that a broker sends at a time
MAX_WAITING: Final = 2_000
_PAGE_LINES: Final = 5_000
_PAGE_BYTES: Final = 512 << 10
_END: Final = 10**17  # beyond every log: the answer stands at its end
_BUSY_S: Final = 5.0  # how long a broker that is busy with other replays is asked again
_PAUSE_S: Final = 0.1


class Page(NamedTuple):
    """Lines `[first, next)` of an epoch; `ended`: there is nothing more after it for now."""

    epoch: str
    first: int
    next: int
    frames: list[Frame]
    ended: bool
    complete: bool  # the job's log is over, too


class PageClient(JournalClient):
    """One broker's journal, with what its answers say in their headers."""

    def page(self, stream: Stream, first: int, epoch: str, limit: int) -> Page:
        """At most `limit` lines from `first` on; of the newest epoch where none is given."""
        fields = {"from": str(first), "limit": str(limit)} | ({"epoch": epoch} if epoch else {})
        path = f"/v1/jobs/{stream.cluster}/{stream.job}/log"
        response = self._get(path, fields, "application/msgpack")
        try:
            head = response.headers
            epoch = head["Raytap-Epoch"]
            first, following = int(head["Raytap-First"]), int(head["Raytap-Next"])
        except (KeyError, ValueError):
            response.close()
            raise ClientError(503, f"{self.base}: an answer without a position") from None
        frames: list[Frame] = []
        size = 0
        for payload in split(self._chunks(response)):
            frames.append(decode(payload))
            size += len(payload)
            if size >= _PAGE_BYTES and frames[-1].next < following:
                response.close()
                return Page(epoch, first, frames[-1].next, frames, ended=False, complete=False)
        ended = following - first < limit
        complete = head.get("Raytap-Complete") == "true"
        return Page(epoch, first, following, frames, ended, complete)

    def epochs(self, stream: Stream) -> list[str]:
        """Every epoch of a log that this journal knows, the oldest first."""
        path = f"/v1/jobs/{stream.cluster}/{stream.job}/log"
        response = self._get(path, {"from": str(_END), "limit": "1"}, "application/msgpack")
        for _ in self._chunks(response):
            pass
        newest = response.headers.get("Raytap-Epoch", "")  # an older broker tells no others
        told = response.headers.get("Raytap-Epochs", newest)
        return [epoch for epoch in told.split(",") if epoch]


class Journals:
    """Asks the brokers in turn. Its methods but `stop` belong to the event loop's thread."""

    def __init__(self, bases: Sequence[str], token: str | None) -> None:
        self._bases = [PageClient(base).base for base in bases]
        self._token = token
        self._local = threading.local()
        self._workers = Workers(THREADS, "raytap-journal")
        self._all: list[PageClient] = []  # of all threads

    @property
    def active(self) -> int:
        """Questions that were not answered yet."""
        return self._workers.waiting

    async def page(
        self, stream: Stream, first: int, epoch: str = "", limit: int = _PAGE_LINES
    ) -> Page:
        """A page of a log. What one journal lacks is asked of the others.

        Raises `ClientError`: 404 no journal knows the stream or the epoch, 408 or 503 no journal
        could be asked, or too many are asking.
        """
        return await self._patiently(lambda clients: _page(clients, stream, first, epoch, limit))

    async def epochs(self, stream: Stream) -> list[str]:
        """Every epoch of a log that some journal knows, the oldest first; none where they do not
        know the log. Raises `ClientError` as `page`, but for 404."""
        try:
            return await self._patiently(lambda clients: _epochs(clients, stream))
        except ClientError as error:
            if error.status != 404:
                raise
            return []

    async def run(self, ask: Callable[[list[PageClient]], T]) -> T:
        """Call `ask` on one of the few threads. Raises `ClientError` 503 where too many wait."""
        if self.active >= MAX_WAITING:
            raise ClientError(503, f"{MAX_WAITING} requests wait for the journal; ask again")
        return await self._workers.run(lambda: ask(self._clients()))

    def stop(self) -> None:
        """Cut the answers that are being read. Idempotent."""
        for client in list(self._all):
            client.abort()

    async def _patiently(self, ask: Callable[[list[PageClient]], T]) -> T:
        deadline = asyncio.get_running_loop().time() + _BUSY_S
        while True:
            try:
                return await self.run(ask)
            except ClientError as error:
                if error.status in (401, 403):  # that is about the gateway's own token
                    raise ClientError(503, error.message) from None
                if error.status == 404:
                    raise ClientError(404, error.message.rpartition("HTTP 404: ")[2]) from None
                now = asyncio.get_running_loop().time()
                if error.status != 503 or now > deadline or not _is_busy(error):
                    raise
            await asyncio.sleep(_PAUSE_S)

    def _clients(self) -> list[PageClient]:
        clients: list[PageClient] | None = getattr(self._local, "clients", None)
        if clients is None:
            clients = [PageClient(base, self._token, TOKEN_FROM) for base in self._bases]
            self._local.clients = clients
            self._all += clients
        return clients


def _page(clients: list[PageClient], stream: Stream, first: int, epoch: str, limit: int) -> Page:
    problem: ClientError | None = None
    for client in clients:
        try:
            page = client.page(stream, first, epoch, limit)
        except ClientError as error:
            if problem is None or problem.status == 404:  # one that is away may know it
                problem = error
            continue
        others = [other for other in clients if other is not client]
        if others and any(frame.kind == "gap" for frame in page.frames):
            frames = [part for frame in page.frames for part in _bridged(frame, others)]
            page = page._replace(frames=frames)
        return page
    raise problem or ClientError(503, "no broker's journal is known")


def _epochs(clients: list[PageClient], stream: Stream) -> list[str]:
    known: list[list[str]] = []
    problem: ClientError | None = None
    for client in clients:
        try:
            known.append(client.epochs(stream))
        except ClientError as error:
            if problem is None or problem.status == 404:  # one that is away may know it
                problem = error
    if problem is not None and not known:
        raise problem
    return merged(*known)


def merged(*lists: Iterable[str]) -> list[str]:
    """Each name once, in an order that keeps that of each list, the first before the others."""
    found: list[str] = []
    for names in map(list, lists):
        at = next((found.index(name) for name in names if name in found), len(found))
        for name in names:
            if name in found:
                at = found.index(name)
            else:
                found.insert(at, name)
            at += 1
    return found


def _bridged(gap: Frame, others: Sequence[PageClient]) -> Iterator[Frame]:
    """A gap of one journal: the lines out of the others, and the gap for what is left."""
    if gap.kind != "gap":
        yield gap
        return
    stream, at = Stream(gap.cluster, gap.job), gap.first
    for other in others:
        try:
            page = other.page(stream, at, gap.epoch, gap.next - at)
        except ClientError:
            continue
        for frame in page.frames:
            if frame.kind == "log" and frame.first == at:
                yield frame
                at = frame.next
    if at < gap.next:
        yield replace(gap, first=at)


def _is_busy(error: ClientError) -> bool:
    return "being sent" in error.message
