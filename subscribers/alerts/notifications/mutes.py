"""Mutes: alerts that match are not sent for a while. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from broker.errors import ClientError
from broker.text.plain_text import one_line
from subscribers.alerts.rules.matchers import Matchers

LONGEST_S: Final = 366 * 86400.0
MOST_MUTES: Final = 1_000
_REASON: Final = 500  # characters


class Mute(msgspec.Struct, frozen=True):
    """Alerts that meet all `matchers` are not sent before `until`, unix seconds."""

    id: str
    matchers: list[str]
    until: float
    reason: str = ""
    by: str = ""


def new_mute(
    id: str, matchers: Sequence[str], seconds: float, reason: str, by: str, now: float
) -> Mute:
    """A checked one, which begins at once. Raises `ClientError` 400."""
    if not matchers:
        raise ClientError(400, 'matchers: give at least one, such as job=~"train-.*"')
    if not 0 < seconds <= LONGEST_S:  # false for NaN, too
        raise ClientError(400, "for: a time over 0 and up to 366d is needed, such as 2h")
    texts = Matchers.parse(matchers).texts
    return Mute(id, texts, now + seconds, one_line(reason, _REASON), one_line(by, 100))


class Mutes:
    """The mutes in force; those that are over do nothing."""

    def __init__(self, mutes: Iterable[Mute] = ()) -> None:
        self._mutes = [(mute, Matchers.parse(mute.matchers)) for mute in mutes]

    def active(self, now: float) -> list[Mute]:
        """Those in force, the one that ends first in front."""
        return sorted(
            (mute for mute, _ in self._mutes if mute.until > now), key=lambda mute: mute.until
        )

    def muted(self, labels: Mapping[str, str], now: float) -> bool:
        """Whether any of them holds an alert with these labels back."""
        return any(mute.until > now and matchers.match(labels) for mute, matchers in self._mutes)

    def next_end(self, now: float) -> float | None:
        """When the next of them is over."""
        return min((mute.until for mute, _ in self._mutes if mute.until > now), default=None)
