"""Where a client wants to begin: `from=` and `Last-Event-ID`. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from broker.errors import ClientError
from subscribers.dashboard.event import OPEN

_ID: Final = re.compile(rf"([0-9A-Za-z._-]{{1,64}}):([0-9]{{1,18}})({OPEN})?")
_LINE: Final = re.compile(r"-?[0-9]{1,18}")


class Position(NamedTuple):
    """Before line `line` of an epoch; "" is the newest. A negative line counts from the end.
    `is_open`: of the line before it the client has a part."""

    epoch: str
    line: int
    is_open: bool = False


def wanted(last_event_id: str, start: str | None) -> Position | None:
    """What a request asks for; None: what is live. The id goes before `from`: a browser that
    connects again sends both. Raises `ClientError` 400."""
    if last_event_id:
        found = _ID.fullmatch(last_event_id)
        if found is None:
            raise ClientError(400, "Last-Event-ID is EPOCH:LINE, as an event's id was")
        return Position(found[1], int(found[2]), found[3] is not None)
    if start is None:
        return None
    return Position("", signed_line("from", start))


def signed_line(name: str, text: str) -> int:
    """A line number, or a negative count of lines before the end. Raises `ClientError` 400."""
    if not _LINE.fullmatch(text):
        raise ClientError(400, f"{name} is a line number, or -N for the last N, not {text[:40]!r}")
    return int(text)
