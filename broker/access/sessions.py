"""Sign-ins of browsers: a cookie's random value in place of the token. Pure but for randomness."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from broker.access.grant import Grant
from broker.access.token import hash_token

MAX_SESSIONS: Final = 10_000


class Sessions:
    """In memory, bounded: over `MAX_SESSIONS` the oldest is signed out; all are when the process
    ends. Only hashes of the values are kept. Any thread. `holds`: whether a grant is still good
    (`Access.holds`); `clock`: unix seconds."""

    def __init__(
        self,
        holds: Callable[[Grant], bool] = lambda _: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._holds = holds
        self._clock = clock
        self._lock = threading.Lock()
        self._grants: OrderedDict[str, tuple[Grant, float]] = OrderedDict()

    def create(self, grant: Grant, seconds: float) -> str:
        """The value of a new session's cookie; it ends after `seconds`, or with its token."""
        now = self._clock()
        until = now + seconds if grant.expires is None else min(now + seconds, grant.expires)
        value = secrets.token_urlsafe(32)
        with self._lock:
            over = [key for key, (_, until) in self._grants.items() if until <= now]
            for key in over:
                del self._grants[key]
            if len(self._grants) >= MAX_SESSIONS:
                self._grants.popitem(last=False)
            self._grants[hash_token(value)] = (grant, until)
        return value

    def grant(self, value: str) -> Grant | None:
        """What the cookie opens; None where it is unknown or over."""
        with self._lock:
            grant, until = self._grants.get(hash_token(value), (None, 0.0))
        good = grant is not None and until > self._clock() and self._holds(grant)
        return grant if good else None

    def end(self, value: str) -> None:
        """Sign out. A value that is unknown is no error."""
        with self._lock:
            self._grants.pop(hash_token(value), None)
