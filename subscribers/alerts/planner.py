"""Who is to be told what, and when: routing, mutes, repeats. Pure; `now` is handed in.

A receiver is told that an alert fires once, then again every `repeat_interval`; that it is over,
if it was told that it fires. What a mute holds back is told when the mute ends, if the alert
still fires then; the end of an alert that was told before the mute is told then, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from subscribers.alerts.alert import Alert, Transition
from subscribers.alerts.matchers import Matchers
from subscribers.alerts.mutes import Mutes
from subscribers.alerts.notification import Notification
from subscribers.alerts.receiver_config import REPEAT_S, Receiver

NEVER: Final = float("inf")
_STILL_WAITS_S: Final = 5.0  # until a repeat is thought of again that the queue has no use for

_SWEEP_S: Final = 1.0  # all alerts are looked at once in so long at most

Waiting = Callable[[str, str], bool]
"""Whether something about the alert (receiver, fingerprint) still waits to be sent."""


class Told(msgspec.Struct, frozen=True):
    """A receiver was told that this alert fires; for the last time `at`, unix seconds."""

    receiver: str
    fingerprint: str
    starts_at: float
    repeat: int
    at: float


class Plan(NamedTuple):
    """What changed, to be committed together."""

    alerts: list[Alert]  # as they are now
    notifications: list[Notification]
    told: list[Told]
    forgotten: list[tuple[str, str]]  # (receiver, fingerprint) of no `Told` any more


class Planner:
    """The alerts that fire, and what each receiver knows of them. One thread."""

    def __init__(self, alerts: Iterable[Alert] = (), told: Iterable[Told] = ()) -> None:
        """`alerts`: those that fire, and those that are over while somebody was not told."""
        self.mutes = Mutes()
        self._receivers: list[tuple[Receiver, Matchers, float]] = []
        self._firing: dict[str, Alert] = {}
        self._over: dict[str, Alert] = {}  # not all receivers know that it is
        for alert in alerts:
            (self._firing if alert.ends_at is None else self._over)[alert.fingerprint] = alert
        self._told = {(one.receiver, one.fingerprint): one for one in told}
        self.due = -NEVER  # when `step` is needed, even without a transition

    @property
    def firing(self) -> list[Alert]:
        """Those that fire, the newest first."""
        return sorted(self._firing.values(), key=lambda alert: alert.starts_at, reverse=True)

    @property
    def told(self) -> list[Told]:
        """All that receivers know."""
        return list(self._told.values())

    @property
    def receivers(self) -> list[str]:
        """Their names."""
        return [receiver.name for receiver, _, _ in self._receivers]

    def use_receivers(self, receivers: Sequence[Receiver], repeat_s: float = REPEAT_S) -> None:
        """Route to these from now on; what others were told is forgotten."""
        self._receivers = [
            (receiver, Matchers.parse(receiver.match), receiver.repeat_s(repeat_s))
            for receiver in receivers
        ]
        names = {receiver.name for receiver in receivers}
        self._told = {key: told for key, told in self._told.items() if key[0] in names}
        self.due = -NEVER

    def use_mutes(self, mutes: Mutes) -> None:
        """These hold back from now on."""
        self.mutes = mutes
        self.due = -NEVER

    def step(
        self,
        transitions: Sequence[Transition],
        now: float,
        waiting: Waiting = lambda _receiver, _alert: False,
    ) -> Plan:
        """Take the transitions in, and everything that is due by `now`."""
        plan = Plan([], [], [], [])
        for transition in transitions:
            alert = transition.alert
            plan.alerts.append(alert)
            if transition.what == "firing":
                self._over.pop(alert.fingerprint, None)
                self._firing[alert.fingerprint] = alert
            else:
                self._firing.pop(alert.fingerprint, None)
                self._over[alert.fingerprint] = alert
            self.due = min(self.due, self._look_at(alert, now, waiting, plan))
        if now >= self.due:
            self.due = NEVER
            for alert in [*self._firing.values(), *self._over.values()]:
                self.due = min(self.due, self._look_at(alert, now, waiting, plan))
            self.due = max(self.due, now + _SWEEP_S)
        return plan

    def _look_at(self, alert: Alert, now: float, waiting: Waiting, plan: Plan) -> float:
        """Plan what is due of one alert; when to look at it again."""
        muted = self.mutes.muted(alert.labels, now)
        if alert.ends_at is not None:
            return self._look_at_end(alert, now, plan, muted=muted)
        if muted:
            return self.mutes.next_end(now) or NEVER
        due = NEVER
        for receiver, matchers, repeat_s in self._receivers:
            if not matchers.match(alert.labels):
                continue
            told = self._told.get((receiver.name, alert.fingerprint))
            known = told is not None and told.starts_at == alert.starts_at
            at = told.at + repeat_s if told is not None and known else now
            if at <= now and known and waiting(receiver.name, alert.fingerprint):
                at = now + _STILL_WAITS_S
            if at <= now:
                repeat = told.repeat + 1 if told is not None and known else 0
                plan.notifications.append(Notification(receiver.name, alert, "firing", repeat, now))
                told = Told(receiver.name, alert.fingerprint, alert.starts_at, repeat, now)
                self._told[receiver.name, alert.fingerprint] = told
                plan.told.append(told)
                at = now + repeat_s
            due = min(due, at)
        return due

    def _look_at_end(self, alert: Alert, now: float, plan: Plan, *, muted: bool) -> float:
        held = False
        for receiver, _, _ in self._receivers:
            key = receiver.name, alert.fingerprint
            told = self._told.get(key)
            if told is None:
                continue
            tell = told.starts_at == alert.starts_at and receiver.send_resolved
            if tell and muted:
                held = True
                continue
            if tell:
                plan.notifications.append(Notification(receiver.name, alert, "resolved", 0, now))
            del self._told[key]
            plan.forgotten.append(key)
        if held:
            return self.mutes.next_end(now) or NEVER
        self._over.pop(alert.fingerprint, None)
        return NEVER
