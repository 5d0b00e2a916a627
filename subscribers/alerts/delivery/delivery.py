"""All receivers: a courier for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from broker.events import get_logger
from subscribers.alerts.delivery.courier import Courier
from subscribers.alerts.delivery.receivers.senders import make_sender
from subscribers.alerts.delivery.receivers.target import Target, read_target
from subscribers.alerts.delivery.views import ReceiverView
from subscribers.alerts.notifications.notification import Notification
from subscribers.alerts.rules.receiver_config import Receiver
from subscribers.alerts.store.store import Store

events: Final = get_logger("alerts")

_CUT_S: Final = 0.3  # for requests that were cut to notice it


class Delivery:
    """`use`, `put` and `stop` are called on one thread, the others on any."""

    def __init__(
        self,
        store: Store,
        environ: Mapping[str, str],
        external_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._clock = clock
        self._environ = environ
        self._external_url = external_url
        self._couriers: dict[str, Courier] = {}
        self._targets: dict[str, Target] = {}
        self._leaving: list[Courier] = []

    def use(self, receivers: Iterable[Receiver]) -> dict[str, str]:
        """Send to these from now on; hashes of where they are, by name. One that did not change
        keeps its courier. Raises `ConfigError` for a receiver that cannot be made; then all stays
        as it was."""
        wanted = {receiver.name: receiver for receiver in receivers}
        targets = {name: read_target(receiver, self._environ) for name, receiver in wanted.items()}
        couriers = {}
        for name, receiver in wanted.items():
            old = self._couriers.get(name)
            if old and old.receiver == receiver and self._targets[name] == targets[name]:
                couriers[name] = old
                continue
            sender = make_sender(receiver, targets[name], self._external_url)
            couriers[name] = Courier(receiver, sender, self._store, clock=self._clock)
        before, self._couriers = self._couriers, couriers
        for name, old in before.items():
            if couriers.get(name) is not old:
                old.stop()
                if targets.get(name) != self._targets[name]:
                    old.abort()  # what it was sending there is for the new address
                self._leaving.append(old)
        for name, courier in couriers.items():
            if before.get(name) is not courier:
                courier.start(after=before.get(name))
        self._targets = targets
        self._leaving = [courier for courier in self._leaving if courier.is_alive]
        return {name: targets[name].digest(receiver.kind) for name, receiver in wanted.items()}

    def put(self, notifications: Iterable[Notification]) -> None:
        """Hand committed ones over; never waits for a receiver."""
        by_receiver: dict[str, list[Notification]] = {}
        for notification in notifications:
            by_receiver.setdefault(notification.receiver, []).append(notification)
        for name, ours in by_receiver.items():
            if name in self._couriers:
                self._couriers[name].put(ours)

    def waiting(self, receiver: str, fingerprint: str) -> bool:
        """Whether something about the alert is still to be sent there."""
        courier = self._couriers.get(receiver)
        return courier is not None and courier.waits(fingerprint)

    def room(self, receiver: str) -> int:
        """How many more may wait there."""
        courier = self._couriers.get(receiver)
        return 0 if courier is None else courier.receiver.queue_size - courier.queued

    def views(self) -> list[ReceiverView]:
        """Each receiver, in the order of the file."""
        return [
            ReceiverView(
                name, courier.receiver.kind, courier.ok, courier.queued, *courier.counts,
                courier.retries, courier.last_error,
            )
            for name, courier in self._couriers.items()
        ]  # fmt: skip

    def stop(self, timeout: float) -> None:
        """Requests under way get `timeout` seconds in all, then they are cut. Idempotent."""
        couriers = [*self._leaving, *self._couriers.values()]
        for courier in couriers:
            courier.stop()
        deadline = time.monotonic() + timeout
        for courier in couriers:
            courier.join(max(0.0, deadline - time.monotonic()))
        for courier in couriers:
            courier.abort()
        deadline += _CUT_S
        for courier in couriers:
            courier.join(max(0.0, deadline - time.monotonic()))
            if courier.is_alive:  # it ends with this process; what it sends is sent again
                events.warning("receiver_left_behind", receiver=courier.receiver.name)
