"""Where a client stands in all logs of a cluster, as the id of an event: short enough for a
header, and good after the gateway was started anew. Pure.

    base64url( version · flags · time (ms) · [ job (5) · epoch (3) · line and open (varint) ] … )
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from broker.errors import ClientError
from broker.topic import Stream
from subscribers.dashboard.positions import Place

MOST_PLACES: Final = 400  # about 6 KiB; many proxies take headers of 8
_VERSION: Final = 1
_HEAD: Final = struct.Struct(">BBQ")
_KEY: Final = 8  # bytes
_JOB: Final = 5  # of them
_WRONG: Final = "Last-Event-ID is not one that this stream sent"


class ClusterPosition:
    """The places that an id holds, and the time it was made, in ms since 1970. `full`: there were
    more than fit, and those that were silent for longest are left out."""

    def __init__(self, lines: dict[bytes, int], ts: int, *, full: bool) -> None:
        self._lines = lines
        self._jobs = {key[:_JOB] for key in lines}
        self.ts = ts
        self.full = full

    def line(self, place: Place) -> tuple[int, bool] | None:
        """The line that comes next in a place, and whether the one before it had no end."""
        packed = self._lines.get(_key(place))
        return None if packed is None else (packed >> 1, bool(packed & 1))

    def knows(self, stream: Stream) -> bool:
        """Whether it holds some epoch of a log."""
        return _job(stream.job) in self._jobs

    def others(self, streams: Iterable[Stream]) -> int:
        """How many logs it holds besides these."""
        return len(self._jobs.difference(_job(stream.job) for stream in streams))


def cluster_id(places: Iterable[tuple[Place, int, bool]], ts: int, *, full: bool) -> str:
    """The id of these places."""
    pieces = [_HEAD.pack(_VERSION, full, ts)]
    for place, line, is_open in places:
        pieces += (_key(place), _varint(line << 1 | is_open))
    return base64.urlsafe_b64encode(b"".join(pieces)).rstrip(b"=").decode()


def parse_cluster_id(text: str) -> ClusterPosition:
    """What an id says. Raises `ClientError` 400."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        version, full, ts = _HEAD.unpack_from(data)
    except (ValueError, struct.error):
        raise ClientError(400, _WRONG) from None
    if version != _VERSION or full > 1:
        raise ClientError(400, _WRONG)
    lines: dict[bytes, int] = {}
    at = _HEAD.size
    while at < len(data):
        key = data[at : at + _KEY]
        at += _KEY
        packed = shift = 0
        more = True
        while more:
            if at >= len(data) or shift > 63:
                raise ClientError(400, _WRONG)
            packed |= (data[at] & 0x7F) << shift
            more = data[at] > 0x7F
            shift += 7
            at += 1
        lines[key] = packed
    return ClusterPosition(lines, ts, full=bool(full))


@lru_cache(4096)
def _key(place: Place) -> bytes:
    return _job(place.stream.job) + blake2b(place.epoch.encode(), digest_size=_KEY - _JOB).digest()


def _job(job: str) -> bytes:
    return blake2b(job.encode(), digest_size=_JOB).digest()


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
