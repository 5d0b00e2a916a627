"""A receiver's queue, and the thread that empties it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from broker.backoff import Backoff
from broker.events import get_logger
from subscribers.alerts.delivery.waiting import Waiting
from subscribers.alerts.notifications.notification import Notification, NotSent, Sender
from subscribers.alerts.rules.receiver_config import Receiver
from subscribers.alerts.store.schema import StoreError
from subscribers.alerts.store.store import Counts, Store

events: Final = get_logger("alerts")

KEEP_S: Final = 24 * 3600.0
"""A notification that a receiver did not take for so long is let go of."""


class Courier:
    """Sends what is `put`, in order, each until the receiver has it. A receiver that hangs holds
    back its own notifications and nothing else.

    What fails is tried again after a backoff, those that were tried least first: one that the
    receiver always fails at does not hold back the others. What is said of one alert stays in
    order. The queue is the store's; a notification leaves both once it is acknowledged, refused,
    too old, or the oldest of more than `queue_size`. Any thread.
    """

    def __init__(
        self,
        receiver: Receiver,
        sender: Sender,
        store: Store,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.receiver = receiver
        self.last_error = ""
        self.ok = True  # as of the last attempt
        self.retries = 0
        self._sender = sender
        self._store = store
        self._backoff = backoff or Backoff(0.5, 60.0)
        self._clock = clock
        self._wake = threading.Condition()
        self._waiting = Waiting()
        self._in_hand: list[int] = []
        self._loaded = 0  # up to this id, what the store had is in the queue or done with
        self._acknowledged: list[int] = []  # ids that the store could not be told of
        self._counts = store.counts(receiver.name)
        self._before: Courier | None = None
        self._stopping = False
        self._thread = threading.Thread(
            target=self._run, name=f"raytap-alerts-{receiver.name}", daemon=True
        )

    def start(self, after: Courier | None = None) -> None:
        """Begin with what the store has; `after`: once that one, of the same receiver, ended."""
        self._before = after
        if after is None:
            self._load()
        self._thread.start()

    def put(self, notifications: Iterable[Notification]) -> None:
        """Queue them; they are committed. The oldest are let go of where there is no room."""
        with self._wake:
            self._waiting.add(one for one in notifications if not 0 < one.id <= self._loaded)
            dropped = self._waiting.cut(self.receiver.queue_size, self._in_hand)
            self._wake.notify()
        if dropped:
            self._settle(dropped, Counts(dropped=len(dropped)))
            events.warning("notifications_dropped", receiver=self.receiver.name, count=len(dropped))

    def waits(self, fingerprint: str) -> bool:
        """Whether something about that alert is still to be sent."""
        with self._wake:
            before = self._before
            if self._waiting.has(fingerprint):
                return True
        return before is not None and before.waits(fingerprint)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def queued(self) -> int:
        """Notifications that wait."""
        return len(self._waiting)

    @property
    def counts(self) -> Counts:
        """So far, in all lives."""
        return self._counts

    def stop(self) -> None:
        """Begin no further request. Idempotent; what waits stays in the store."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def abort(self) -> None:
        """Cut the request that is under way."""
        self._sender.abort()

    def join(self, timeout: float) -> None:
        """Wait for its thread to end, `timeout` seconds at most."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    # Its thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        if self._before is not None:
            self._before._thread.join()
            self._load()
            self._before = None
        while (batch := self._take()) is not None:
            self._pause(self._deliver(batch))

    def _load(self) -> None:
        try:
            stored = self._store.waiting(self.receiver.name)
        except StoreError as error:
            events.error("store_failed", why=error.message, effect="sent after the next start")
            return
        with self._wake:
            self._loaded = stored[-1].id if stored else 0
            self._waiting.put_before(stored)
        self.put([])  # there may be too many now

    def _take(self) -> list[int] | None:
        """What to send now; waits for it. None: no more."""
        with self._wake:
            self._in_hand = []
            while not self._stopping:
                if batch := self._waiting.heads(self._sender.batch):
                    self._in_hand = batch
                    return batch
                self._wake.wait()
            return None

    def _deliver(self, batch: Sequence[int]) -> float:
        """One request; seconds until the next one."""
        notifications = [self._waiting[number] for number in batch]
        try:
            self._sender.send(notifications)
        except NotSent as error:
            if len(batch) > 1 and not error.again:
                return max(self._deliver([number]) for number in batch)  # which of them is it?
            return self._missed(batch, error)
        except Exception as error:  # a bug, or a plugin's: it must not end the others' turn
            events.exception("delivery_failed", error, receiver=self.receiver.name)
            return self._missed(batch, NotSent(500, type(error).__name__, again=True))
        self._backoff.reset()
        self.ok = True
        self._leave(batch, Counts(sent=len(batch)))
        return 0.0

    def _missed(self, batch: Sequence[int], error: NotSent) -> float:
        if self._stopping and error.again:
            return 0.0  # it was cut by us
        now = self._clock()
        new = self.ok or self.last_error != error.message
        self.ok, self.last_error = False, error.message
        if new:  # not once a second for as long as it is away
            events.warning(
                "receiver_failed", receiver=self.receiver.name, why=error.message,
                again=error.again,
            )  # fmt: skip
        given_up = [
            number
            for number in batch
            if not error.again or now - self._waiting[number].queued_at > KEEP_S
        ]
        self._waiting.missed(batch)
        if given_up:
            self._leave(given_up, Counts(failed=len(given_up)))
        if not error.again:
            return 0.0
        self.retries += 1
        wait = self._backoff.next()
        return wait if error.after is None else max(wait, error.after)

    def _leave(self, numbers: Sequence[int], counted: Counts) -> None:
        with self._wake:
            gone = [self._waiting.remove(number) for number in numbers]
        self._settle(gone, counted)

    def _settle(self, gone: Sequence[Notification], counted: Counts) -> None:
        """Tell the store; what it can't take now it is told with the next ones."""
        with self._wake:
            self._counts = Counts(*(a + b for a, b in zip(self._counts, counted, strict=True)))
            ids = [*self._acknowledged, *(one.id for one in gone if one.id)]
            self._acknowledged = []
        try:
            self._store.done(self.receiver.name, ids, counted)
        except StoreError as error:
            with self._wake:
                self._acknowledged += ids
            if not self._stopping:
                events.error("store_failed", why=error.message, effect="may be sent again")

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._wake:
            self._in_hand = []
            while not self._stopping and (left := deadline - time.monotonic()) > 0:
                self._wake.wait(left)
