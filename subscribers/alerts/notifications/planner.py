"""Who is to be told what, and when: routing, mutes, repeats. Pure; `now` is handed in.

A receiver is told that an alert fires once, then again every `repeat_interval`, and when it has
moved to another address; that it is over, if it was told that it fires. What a mute holds back is
told when the mute ends, if the alert still fires then; the end of an alert that was told before
the mute is told then, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from subscribers.alerts.engine.alert import Alert, Transition
from subscribers.alerts.notifications.mutes import Mutes
from subscribers.alerts.notifications.notification import Notification
from subscribers.alerts.rules.matchers import Matchers
from subscribers.alerts.rules.receiver_config import REPEAT_S, Receiver

NEVER: Final = float("inf")
_STILL_WAITS_S: Final = 5.0  # until a repeat is thought of again that the queue has no use for

_SWEEP_S: Final = 1.0  # all alerts are looked at once in so long at most

Waiting = Callable[[str, str], bool]
"""Whether something about the alert (receiver, fingerprint) still waits to be sent."""
Room = Callable[[str], int]
"""How many notifications more the receiver's queue can take."""


class Told(msgspec.Struct, frozen=True):
    """A receiver was told that this alert fires; for the last time `at`, unix seconds. `-NEVER`:
    it has another address since."""

    receiver: str
    fingerprint: str
    starts_at: float
    repeat: int
    at: float
    episode: int = 0


class Plan(NamedTuple):
    """What changed, to be committed together."""

    alerts: list[Alert]  # as they are now
    notifications: list[Notification]
    told: list[Told]
    forgotten: list[tuple[str, str]]  # (receiver, fingerprint) of no `Told` any more


class Planner:
    """The alerts that fire, and what each receiver knows of them. One thread."""

    def __init__(
        self, alerts: Iterable[Alert] = (), told: Iterable[Told] = (), episode: int = 0
    ) -> None:
        """`alerts`: those that fire, and those that are over while somebody was not told.
        `episode`: the number that was given last."""
        self.mutes = Mutes()
        self._episode = episode
        self._receivers: list[tuple[Receiver, Matchers, float]] = []
        self._firing: dict[str, Alert] = {}
        self._over: dict[str, Alert] = {}  # not all receivers know that it is
        for alert in alerts:
            (self._firing if alert.ends_at is None else self._over)[alert.fingerprint] = alert
        self._told = {(one.receiver, one.fingerprint): one for one in told}
        self.due = -NEVER  # when `step` is needed, even without a transition
        self._now = -NEVER
        self._room: dict[str, int] = {}  # in the queues, in this step
        self._untold: set[tuple[str, str]] = set()  # (receiver, fingerprint) that had no room yet

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

    def use_receivers(
        self,
        receivers: Sequence[Receiver],
        repeat_s: float = REPEAT_S,
        moved: Collection[str] = (),
    ) -> None:
        """Route to these from now on; what others were told is forgotten. Those that `moved` are
        told once more what fires: nobody may have heard it where they were."""
        self._receivers = [
            (receiver, Matchers.parse(receiver.match), receiver.repeat_s(repeat_s))
            for receiver in receivers
        ]
        names = {receiver.name for receiver in receivers}
        self._told = {
            key: msgspec.structs.replace(told, at=-NEVER) if key[0] in moved else told
            for key, told in self._told.items()
            if key[0] in names
        }
        self._untold = {key for key in self._untold if key[0] in names}
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
        room: Room = lambda _receiver: sys.maxsize,
    ) -> Plan:
        """Take the transitions in, and everything that is due by `now`. What a queue has no room
        for is told once it has, or when the alert is over."""
        plan = Plan([], [], [], [])
        if now < self._now - _SWEEP_S:  # the clock was put back: what was due is not known
            self.due = -NEVER
        self._now = now
        self._room = {name: room(name) for name in self.receivers}
        for transition in transitions:
            alert = self._take(transition)
            plan.alerts.append(alert)
            self.due = min(self.due, self._look_at(alert, now, waiting, plan))
        if now >= self.due:
            self.due = NEVER
            for alert in [*self._firing.values(), *self._over.values()]:
                self.due = min(self.due, self._look_at(alert, now, waiting, plan))
            self.due = max(self.due, now + _SWEEP_S)
        return plan

    def _take(self, transition: Transition) -> Alert:
        """The alert with the number of its episode."""
        alert, key = transition.alert, transition.alert.fingerprint
        fires = transition.what == "firing"
        before = self._firing.pop(key, None)
        if fires:
            self._over.pop(key, None)
        if before is not None and (not fires or before.starts_at == alert.starts_at):
            number = before.episode
        else:
            number = self._episode = self._episode + 1
        alert = msgspec.structs.replace(alert, episode=number)
        (self._firing if fires else self._over)[key] = alert
        return alert

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
            known = told is not None and _is_about(told, alert)
            at = told.at + repeat_s if told is not None and known else now
            if at - now > 2 * repeat_s:  # the clock was put back
                at = now
            if at <= now and told and known and waiting(receiver.name, alert.fingerprint):
                at = now + _STILL_WAITS_S
                if told.at == -NEVER:  # what waits goes to the new address
                    told = self._note(msgspec.structs.replace(told, at=now), plan)
                    at = now + repeat_s
            if at <= now and self._room[receiver.name] <= 0:
                at = now + _STILL_WAITS_S
                if not known:
                    self._untold.add((receiver.name, alert.fingerprint))
            if at <= now:
                self._room[receiver.name] -= 1
                self._untold.discard((receiver.name, alert.fingerprint))
                repeat = told.repeat + 1 if told is not None and known else 0
                plan.notifications.append(Notification(receiver.name, alert, "firing", repeat, now))
                self._note(_told(receiver, alert, repeat, now), plan)
                at = now + repeat_s
            due = min(due, at)
        return due

    def _look_at_end(self, alert: Alert, now: float, plan: Plan, *, muted: bool) -> float:
        held = False
        for receiver, _, _ in self._receivers:
            key = receiver.name, alert.fingerprint
            told = self._told.get(key)
            if key in self._untold:
                self._untold.discard(key)
                if told is None and not muted:  # its queue lets go of older ones, and counts them
                    plan.notifications.append(Notification(receiver.name, alert, "firing", 0, now))
                    told = self._told[key] = _told(receiver, alert, 0, now)
            if told is None:
                continue
            tell = receiver.send_resolved
            if tell and muted:
                held = True
                continue
            if tell:
                # Where it fired again and a mute hid that, the one they know of is over, too.
                known = msgspec.structs.replace(
                    alert, starts_at=told.starts_at, episode=told.episode
                )
                plan.notifications.append(Notification(receiver.name, known, "resolved", 0, now))
            del self._told[key]
            plan.forgotten.append(key)
        if held:
            return self.mutes.next_end(now) or NEVER
        self._over.pop(alert.fingerprint, None)
        return NEVER

    def _note(self, told: Told, plan: Plan) -> Told:
        self._told[told.receiver, told.fingerprint] = told
        plan.told.append(told)
        return told


def _told(receiver: Receiver, alert: Alert, repeat: int, now: float) -> Told:
    return Told(receiver.name, alert.fingerprint, alert.starts_at, repeat, now, alert.episode)


def _is_about(told: Told, alert: Alert) -> bool:
    """Whether it was about this time that the alert fires, not an earlier one."""
    return (told.starts_at, told.episode) == (alert.starts_at, alert.episode)
