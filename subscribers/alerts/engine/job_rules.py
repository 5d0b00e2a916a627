"""Rules on the job's life, on what is missing, and on the broker's health. Pure."""

from __future__ import annotations

from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.alerts.engine.book import Book, Entry
from subscribers.alerts.engine.counting import confirm, count, met
from subscribers.alerts.engine.selection import Chosen
from subscribers.alerts.engine.series import Detail, Series
from subscribers.alerts.engine.streams import StreamState
from subscribers.alerts.rules.rule import TERMINAL


class JobRules:
    """Evaluates what is said of a job; what comes of it goes to the book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def status(
        self,
        chosen: Chosen,
        state: StreamState,
        stream: Stream,
        status: str,
        run: int,
        time: float,
        why: str = "",
    ) -> None:
        """The job's status at a time. What has been over in the same run is not running again:
        two brokers, or a frame and a list, may tell it in another order."""
        run = run or state.run  # 0: not told
        if not status or (status, run) == (state.status, state.run) or run < state.run:
            return
        if state.status in TERMINAL and status not in TERMINAL and run == state.run:
            return
        if run != state.run or status != "RUNNING":
            state.running = None
            for entry in (*chosen.missing, *chosen.running):
                if (series := entry.series.get(tuple(stream))) is not None:
                    series.clear(time)
                    self._book.advance(entry, series, time)
        state.status, state.run = status, run
        if status == "RUNNING":
            state.running = time
        for entry in chosen.status:
            series = entry.series.get(tuple(stream))
            if series is not None:
                self._book.end(entry, series, time)
            if status in entry.rule.status:
                self._hold_status(entry, state, stream, time, why)

    def known(self, chosen: Chosen, state: StreamState, stream: Stream, time: float) -> None:
        """The status goes on: for rules that came later than it."""
        if state.status in TERMINAL:
            return
        for entry in chosen.status:
            if state.status in entry.rule.status and tuple(stream) not in entry.series:
                self._hold_status(entry, state, stream, time)

    def confirmed(self, chosen: Chosen, state: StreamState, stream: Stream, time: float) -> None:
        """All that the job had printed up to `time` was seen."""
        if state.running is None:
            return
        for entry in chosen.missing:
            series = entry.find(stream, str(stream))
            if series is not None:
                detail = _detail(state, stream)
                confirm(self._book, entry, series, state.running, time, detail)

    def passed(self, chosen: Chosen, state: StreamState, stream: Stream, now: float) -> None:
        """Time has passed: how long the job has been running, and how far the broker lags."""
        for entry in chosen.running:
            longest = entry.rule.running_longer
            if longest is None or state.running is None or not state.run:
                continue
            begins = state.run / 1000 + longest
            if begins <= now:
                self._hold(entry, state, stream, begins, now, now - state.run / 1000)
        for entry in chosen.trouble("lag"):
            lag, since = state.lag(now)
            if lag >= entry.rule.limit:
                self._hold(entry, state, stream, since + entry.rule.limit, now, lag)
            else:
                self._clear(entry, stream, now)

    def gap(self, chosen: Chosen, state: StreamState, frame: Frame) -> None:
        """Lines that cannot be had; those from before raytap came are none."""
        if frame.reason == "backfill":
            return
        stream = Stream(frame.cluster, frame.job)
        said = f"{frame.next - frame.first} lines are missing: {frame.reason}"
        for entry in chosen.trouble("gap"):
            detail = _detail(state, stream, said, frame.first)
            self._pulse(entry, stream, state.clock, 1, detail)

    def reconnects(
        self, chosen: Chosen, state: StreamState, stream: Stream, view: JobView, now: float
    ) -> None:
        """How often the broker has begun anew to read the log; a daemon counts from its start."""
        before, state.reconnects = state.reconnects, view.reconnects
        more = view.reconnects - (before if before is not None else view.reconnects)
        more = view.reconnects if more < 0 else more
        if more:
            for entry in chosen.trouble("reconnects"):
                self._pulse(entry, stream, now, more, _detail(state, stream, view.last_error))

    def broker(self, entry: Entry, begins: float | None, now: float, said: str = "") -> None:
        """A trouble of no job: it has been there since `begins`, or is not (None)."""
        series = entry.find((), "")
        if series is None:
            return
        if begins is None:
            series.clear(now)
        else:
            if not series.held:
                series.detail = Detail(line=said, value=now - begins if not said else None)
            series.hold(begins)
        self._book.advance(entry, series, now)

    def _hold_status(
        self, entry: Entry, state: StreamState, stream: Stream, time: float, why: str = ""
    ) -> None:
        series = entry.find(stream, str(stream))
        if series is None:
            return
        series.detail = _detail(state, stream, why)
        series.hold(time)
        if state.status in TERMINAL:
            series.until = time + entry.rule.for_ + entry.rule.resolves
        self._book.advance(entry, series, time)

    def _hold(
        self,
        entry: Entry,
        state: StreamState,
        stream: Stream,
        begins: float,
        now: float,
        value: float,
    ) -> None:
        series = self._series(entry, stream)
        if series is None:
            return
        if not series.held:
            series.detail = _detail(state, stream, value=value)
            series.hold(begins)
        self._book.advance(entry, series, now)

    def _clear(self, entry: Entry, stream: Stream, now: float) -> None:
        series = entry.series.get(_values(entry, stream))
        if series is not None and series.held:
            series.clear(now)
            self._book.advance(entry, series, now)

    def _pulse(
        self, entry: Entry, stream: Stream, time: float, matches: int, detail: Detail
    ) -> None:
        series = self._series(entry, stream)
        if series is None or count(self._book, entry, series, time, matches) is None:
            return
        met(self._book, entry, series, time, detail)

    def _series(self, entry: Entry, stream: Stream) -> Series | None:
        return entry.find(_values(entry, stream), str(stream))


def _values(entry: Entry, stream: Stream) -> tuple[str, ...]:
    by = {"cluster": stream.cluster, "job": stream.job}
    return tuple(by.get(name, "") for name in entry.program.by)


def _detail(
    state: StreamState,
    stream: Stream,
    said: str = "",
    number: int | None = None,
    value: float | None = None,
) -> Detail:
    return Detail(
        cluster=stream.cluster,
        job=stream.job,
        epoch=state.epoch,
        number=number,
        line=said,
        status=state.status,
        value=value,
    )
