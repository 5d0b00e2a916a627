"""Where a log stood some time ago, by few questions to its journal."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from broker.jobview import JobView
from broker.topic import Stream
from subscribers.replay import JournalClient

_AT_ONCE: Final = 1_000  # lines that are rather read than halved
_WITH_LINES: Final = ("log", "gap")


def line_since(client: JournalClient, view: JobView, since_ns: int) -> int:
    """The first line that the broker read, or could not, at `since_ns` (ns since 1970) or later;
    the log's end where none is. Lines of which the time is not known any more count as older.

    Raises `ClientError` as the journal's client does.
    """
    stream = Stream(view.cluster, view.job)
    if 0 < view.last_frame_ts < since_ns or not view.next:
        return view.next
    if 0 < _time_of(client, stream, view, view.next - 1) < since_ns:
        return view.next
    low, high = 0, view.next - 1
    while high - low > _AT_ONCE:
        middle = (low + high) // 2
        if _time_of(client, stream, view, middle) < since_ns:
            low = middle + 1
        else:
            high = middle
    with closing(client.replay(stream, low, view.epoch, high - low + 1)) as answer:
        late = (f.first for f, _ in answer if f.kind in _WITH_LINES and f.ts >= since_ns)
        return next(late, view.next)


def _time_of(client: JournalClient, stream: Stream, view: JobView, line: int) -> int:
    """When the line was read; 0 where that is not known."""
    with closing(client.replay(stream, line, view.epoch, 1)) as answer:
        return next((frame.ts for frame, _ in answer if frame.kind in _WITH_LINES), 0)
