"""Mutes as they are made and ended: any thread."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from typing import Final

from broker.errors import ClientError
from broker.events import get_logger
from subscribers.alerts.notifications.mutes import MOST_MUTES, Mute, Mutes, new_mute
from subscribers.alerts.store.store import Store

events: Final = get_logger("alerts")


class Muting:
    """`mutes` are in force; at first those of the store. Raises `StoreError`."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.mutes = Mutes(store.mutes())
        self._store = store
        self._clock = clock
        self._changed = False
        self._lock = threading.Lock()

    def add(self, matchers: Sequence[str], seconds: float, reason: str, by: str) -> Mute:
        """From now on. Raises `ClientError` 400, 429 (too many), `StoreError`."""
        now = self._clock()
        mute = new_mute(secrets.token_hex(4), matchers, seconds, reason, by, now)
        with self._lock:
            mutes = self.mutes.active(now)
            if len(mutes) >= MOST_MUTES:
                raise ClientError(429, f"there are {MOST_MUTES} mutes; end some of them")
            self._store.add_mute(mute)
            self._use([*mutes, mute])
        events.info("muted", mute=mute.id, matchers=mute.matchers, by=by, reason=reason)
        return mute

    def end(self, id_: str) -> None:
        """Now. Raises `ClientError` 404, `StoreError`."""
        with self._lock:
            mutes = self.mutes.active(self._clock())
            if id_ not in [mute.id for mute in mutes]:
                raise ClientError(404, f"there is no mute {id_[:40]!r}; it may be over")
            self._store.remove_mute(id_)
            self._use([mute for mute in mutes if mute.id != id_])
        events.info("mute_ended", mute=id_)

    def take(self) -> Mutes | None:
        """Those in force, where they are others than at the last call."""
        with self._lock:
            changed, self._changed = self._changed, False
            return self.mutes if changed else None

    def _use(self, mutes: Sequence[Mute]) -> None:
        self.mutes = Mutes(mutes)
        self._changed = True
