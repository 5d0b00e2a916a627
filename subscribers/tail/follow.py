"""Which jobs `raytap tail` shows, and when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Final

from broker.errors import ClientError
from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream, matches
from subscribers.replay import JournalClient
from subscribers.selection import is_glob
from subscribers.subscription import Subscription
from subscribers.tail.place import Place
from subscribers.tail.printer import Note, Printer
from subscribers.tail.since import line_since

_PATIENCE_S: Final = 5.0  # for the transport to connect
_GLANCE_S: Final = 0.5


class Jobs:
    """The patterns of one `tail`, resolved by what the brokers list. `unreachable` says why no
    list is there. Raises `ClientError` 401 where the token is missing or wrong, 404 for a job that
    is not listed, unless `wait`, and 503 for an address where something else than a broker
    answers."""

    def __init__(
        self,
        patterns: Sequence[str],
        brokers: Sequence[str],
        *,
        wait: bool,
        token: str | None = None,
    ) -> None:
        self.views: dict[Stream, JobView] = {}
        self._listed_by: dict[Stream, str] = {}
        self._token = token
        self.unreachable = ""
        for base in brokers:
            client = JournalClient(base, token)
            try:
                for view in client.jobs().jobs:
                    stream = Stream(view.cluster, view.job)
                    if stream not in self.views or self.views[stream].next < view.next:
                        self.views[stream] = view
                        self._listed_by[stream] = base
            except ClientError as error:
                if error.status == 404:
                    raise ClientError(503, error.message) from None
                if error.status == 401:
                    raise
                self.unreachable = error.message
            finally:
                client.close()
        self.globs = [pattern for pattern in patterns if is_glob(pattern)]
        self.plain: list[str] = []
        for pattern in patterns:
            if is_glob(pattern):
                continue
            found = self._named(pattern)
            if not found and not wait and not self.unreachable:
                raise ClientError(
                    404,
                    f"no job {pattern!r} at {', '.join(brokers)}{' for this token' * bool(token)}; "
                    "`raytap jobs` lists those that there are, --wait waits for one that comes",
                )
            self.plain += [str(stream) for stream in found] or [pattern]

    @property
    def patterns(self) -> list[str]:
        """What to subscribe to."""
        return [*self.plain, *self.globs]

    def streams(self) -> list[Stream]:
        """The listed streams that are wanted."""
        return [s for s in self.views if any(matches(pattern, s) for pattern in self.patterns)]

    @property
    def awaited(self) -> list[str]:
        """The patterns that will bring nothing until a job comes."""
        over = ("ended", "skipped")
        going_on = [stream for stream, view in self.views.items() if view.state not in over]
        return [
            *(job for job in self.plain if not any(matches(job, s) for s in self.views)),
            *(glob for glob in self.globs if not any(matches(glob, s) for s in going_on)),
        ]

    def shorter_than(self, line: int) -> list[JobView]:
        """The jobs named in full whose logs do not reach to a line."""
        views = [self.views[stream] for stream in self.streams() if str(stream) in self.plain]
        return [view for view in views if view.next < line and view.state != "skipped"]

    def is_final(self, end: Frame) -> bool:
        """Whether an `end` is the job's last one, and not that of an earlier run."""
        view = self.views.get(Stream(end.cluster, end.job))
        if view is None:
            return True
        same_file = not view.epoch or view.epoch == end.epoch
        earlier = end.run < view.run if end.run else end.next < view.next
        return same_file and not earlier

    def lines_since(self, since_ns: int) -> dict[Stream, int]:
        """For each listed stream, the first line that was read at `since_ns` (ns since 1970) or
        later. Raises `ClientError` where its journal does not answer."""
        lines = {}
        with ExitStack() as stack:
            clients: dict[str, JournalClient] = {}
            for stream in self.streams():
                view, base = self.views[stream], self._listed_by[stream]
                if view.state == "skipped" or not view.epoch:
                    continue
                if base not in clients:
                    clients[base] = stack.enter_context(closing(JournalClient(base, self._token)))
                lines[stream] = line_since(clients[base], view, since_ns)
        return lines

    def replay(self, stream: Stream, first: int) -> Iterator[Frame]:
        """The stream's frames, from the broker that listed it."""
        with closing(JournalClient(self._listed_by[stream], self._token)) as client:
            for frame, _ in client.replay(stream, first):
                yield frame

    def _named(self, pattern: str) -> list[Stream]:
        named = [stream for stream in self.views if matches(pattern, stream)]
        skipped = [view for s in named if (view := self.views[s]).state == "skipped"]
        if skipped and len(skipped) == len(named):
            raise ClientError(404, f"job {skipped[0].job!r} is skipped: {skipped[0].reason}")
        return named


def follow(
    jobs: Jobs,
    frames: Subscription,
    printer: Printer,
    note: Note,
    *,
    place: Place,
    quiet_ends: bool,
    joined: Callable[[Stream], None] | None = None,
    is_left: Callable[[], bool] = lambda: False,
) -> dict[Stream, Frame]:
    """Print until every plain job has ended (never, where a glob is among them); the last `end`
    of each. `joined` is told of each job that comes while it runs; with `quiet_ends`, the end of
    one of which nothing was shown is not said. Raises `BrokenPipeError` soon after `is_left`, and
    `ClientError` 503 where the transport does not connect in time."""
    ends: dict[Stream, Frame] = {}
    heard: set[Stream] = set()
    patience = time.monotonic() + _PATIENCE_S
    was_connected, lost = False, ""
    while jobs.globs or not all(any(matches(p, s) for s in ends) for p in jobs.plain):
        frame = frames.receive(_GLANCE_S)
        if is_left():
            raise BrokenPipeError
        if frames.connected and not was_connected:
            was_connected = True
            if said := _what_lacks(jobs):
                note(said)
        if frame is None and not was_connected and time.monotonic() > patience:
            raise ClientError(503, _unreachable(frames, jobs))
        if frames.connected is False and was_connected and frames.problem != lost:
            lost = frames.problem
            note(f"connection lost: {lost}; trying again")
        elif frames.connected and lost:
            lost = ""
            note("connected again")
        if frame is None or place.is_before(frame):
            continue
        stream = Stream(frame.cluster, frame.job)
        if frame.kind == "end" and jobs.is_final(frame):
            ends[stream] = frame
        elif frame.kind == "log":
            if joined is not None and stream not in heard and stream not in jobs.views:
                joined(stream)
            heard.add(stream)
            ends.pop(stream, None)
        if frame.kind == "end" and quiet_ends and stream not in heard:
            continue
        printer.show(frame)
    return ends


def print_once(
    jobs: Jobs, place: Place, printer: Printer, *, quiet_ends: bool
) -> dict[Stream, Frame]:
    """Print what the journals hold now, from `place` on. The last `end` of each job; with
    `quiet_ends`, as `follow`. Raises `ClientError` where no journal answers."""
    ends: dict[Stream, Frame] = {}
    for stream in jobs.streams():
        view = jobs.views[stream]
        if view.state == "skipped":
            continue
        heard = False
        for frame in jobs.replay(stream, place.line(view)):
            heard |= frame.kind == "log"
            if frame.kind == "end" and jobs.is_final(frame):
                ends[stream] = frame
            if heard or frame.kind != "end" or not quiet_ends:
                printer.show(frame)
    return ends


def _what_lacks(jobs: Jobs) -> str:
    """Why lines may not come at once, though there is a connection; empty where they may."""
    if jobs.unreachable:
        return (
            f"lines that were printed before can't be had: {jobs.unreachable}; "
            f"waiting for new ones of {', '.join(jobs.patterns)}"
        )
    if jobs.awaited:
        return f"waiting for {', '.join(jobs.awaited)}"
    return ""


def _unreachable(frames: Subscription, jobs: Jobs) -> str:
    if jobs.unreachable:  # often the transport's problem too
        problems = dict.fromkeys(filter(None, (frames.problem, jobs.unreachable)))
        return f"nothing answers: {'; '.join(problems)}. Is `raytap serve` running?"
    problem = frames.problem or "no connection"
    return f"{problem}, though the broker's HTTP API answers: is this the address it publishes on?"
