"""How long to wait before trying again. Pure: nothing here sleeps."""

from __future__ import annotations

import random as _random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from broker.errors import ClientError

RETRY_AFTER_MIN_S: Final = 1.0  # a server that says 0 again and again must not be hammered
RETRY_AFTER_MAX_S: Final = 300.0
_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class Backoff(Iterator[float]):
    """Delays in seconds: the nth is between 0 and `min(cap, base * 2**n)`, n from 0 (full jitter).

    Endless. `random` gives floats in [0, 1). `base` and `cap` are over 0, else `ClientError` 400.
    """

    def __init__(
        self,
        base: float = 0.5,
        cap: float = 30.0,
        random: Callable[[], float] = _random.random,
    ) -> None:
        for name, value in (("base", base), ("cap", cap)):
            if not 0 < value < float("inf"):
                raise ClientError(400, f"backoff {name}: seconds over 0 are needed, not {value!r}")
        self._base = base
        self._cap = cap
        self._random = random
        self.attempts = 0  # delays given since the last reset

    def next(self) -> float:
        """The next delay; the builtin `next()` gives the same."""
        most = min(self._cap, self._base * 2.0 ** min(self.attempts, 64))
        self.attempts += 1
        return self._random() * most

    __next__ = next

    def reset(self) -> None:
        """There was progress: the next delay is a short one again."""
        self.attempts = 0


def retry_after(
    headers: Mapping[str, str], default: float = 30.0, now: Callable[[], float] = time.time
) -> float:
    """Seconds that a `Retry-After` header asks for, within [1, 300]; `default` where there is none
    or it can't be read. It holds seconds or an HTTP date, which is compared with `now`, seconds
    since 1970."""
    text = next((v for name, v in headers.items() if name.lower() == "retry-after"), "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            date = parsedate_to_datetime(text)
            seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now()
        except (ValueError, TypeError, IndexError, OverflowError):
            return default
    return min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
