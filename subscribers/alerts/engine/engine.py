"""Evaluates rules on the frames of many jobs. Pure: the caller's clock, no thread, no socket.

Time. What lines cause has the time of their frame (`ts`: when the broker read it), so a replay of
the same frames says the same again, whenever and however fast it comes. Time that passes without
lines is the wall clock's, which `feed`, `tick` and `told` are given as `now`; while lines that are
known to be there have not come yet, a job's time stands still. What fires or resolves has the time
at which its condition was met, not that at which it was noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.alerts.engine.alert import Alert, Transition
from subscribers.alerts.engine.book import Book, Entry
from subscribers.alerts.engine.broker_list import best
from subscribers.alerts.engine.job_rules import JobRules
from subscribers.alerts.engine.known import Known, reopen
from subscribers.alerts.engine.line_rules import LineRules
from subscribers.alerts.engine.links import Links
from subscribers.alerts.engine.selection import Chooser
from subscribers.alerts.engine.series import Series
from subscribers.alerts.engine.state import RuleState, State, decode, encode
from subscribers.alerts.engine.streams import StreamState
from subscribers.alerts.rules.blocks import Block
from subscribers.alerts.rules.program import Program
from subscribers.alerts.rules.rule import TERMINAL, Rule
from subscribers.recognition.recogniser import Recogniser

MOST_STREAMS: Final = 20_000
FORGET_S: Final = 900.0
"""Seconds after which a job that no broker lists any more is let go."""
_SWEEP_S: Final = 10.0


class Engine:
    """All rules over all streams; one thread. Memory is bounded: see the constants of `book`,
    `blocks` and `windows`. Raises `ValueError` or `ClientError` for a rule that does not compile
    (one that `rules_file` loaded does)."""

    def __init__(self, rules: Sequence[Rule], links: Links, *, hyperscan: bool = True) -> None:
        programs = [Program(rule) for rule in rules]
        self.revision = 0  # another one after whatever changes what `dump` gives
        self._book = Book(programs, links)
        self._lines = LineRules(self._book, hyperscan=hyperscan)
        self._jobs = JobRules(self._book)
        self._chooser = Chooser(self._book.entries, self._lines.patterns)
        self._streams: dict[Stream, Known | None] = {}
        self._orphans: list[Alert] = []
        self._surveyed = False  # the broker's list was there once
        self._told: float | None = None  # when it was there last
        self._began: float | None = None
        self._left: float | None = None  # when an earlier life last had the list; until ours has it
        self._swept = 0.0

    @property
    def firing(self) -> list[Alert]:
        """What fires now, and was told."""
        return list(self._book.firing())

    @property
    def folded(self) -> dict[str, int]:
        """Matches, by rule, that were counted under `other` labels as there were too many."""
        return {entry.rule.name: entry.folded for entry in self._book.entries if entry.folded}

    @property
    def dropped(self) -> dict[str, int]:
        """Matches, by rule, that were not counted as there were too many jobs and labels."""
        return {entry.rule.name: entry.dropped for entry in self._book.entries if entry.dropped}

    @property
    def fast(self) -> bool:
        """Whether Hyperscan screens the lines."""
        return self._lines.search.fast

    def feed(self, frame: Frame, now: float) -> list[Transition]:
        """A frame of any kind; lines that were fed before are passed over."""
        self._feed(frame, now)
        return self._book.take()

    def feed_all(self, frames: Iterable[Frame], now: float) -> list[Transition]:
        """Many frames, in order."""
        for frame in frames:
            self._feed(frame, now)
        return self._book.take()

    def tick(self, now: float) -> list[Transition]:
        """What the mere passing of time brings. To be called at least once a second."""
        self._begin(now)
        for known in list(self._streams.values()):
            if known is not None:
                self._pass_time(known, now)
        for entry in self._chooser.general.trouble("heartbeat"):
            heard = max(self._told or 0.0, self._began or 0.0)
            late = heard + entry.rule.limit
            self._jobs.broker(entry, late if late <= now else None, now)
        self._advance(now)
        return self._take_counted()

    def told(
        self, jobs: Sequence[JobView], degraded: Sequence[str], now: float
    ) -> list[Transition]:
        """The brokers' list of jobs, every few seconds; not called while no broker answers."""
        self._begin(now)
        first, self._surveyed, self._told = not self._surveyed, True, now
        for stream, view in best(jobs).items():
            known = self._know(stream)
            if known is not None:
                self._heard(known, view, now, first=first)
        self._left = None
        for entry in self._chooser.general.trouble("heartbeat"):
            self._jobs.broker(entry, None, now)
        for entry in self._chooser.general.trouble("degraded"):
            said = "; ".join(degraded)[:500]
            self._jobs.broker(entry, now if degraded else None, now, said)
        self._forget(now)
        self.revision += 1
        return self._book.take()

    def dump(self) -> bytes:
        """What `restore` goes on from: positions, windows, what fires, half-open tracebacks."""
        streams = {known.name: known.state for known in self._streams.values() if known}
        rules = {
            entry.rule.name: RuleState(
                entry.program.digest, list(entry.series.values()), entry.folded, entry.dropped
            )
            for entry in self._book.entries
        }
        return encode(State(streams, rules, self._orphans, self._surveyed))

    def restore(self, data: bytes) -> None:
        """Go on from a dump; to be called before anything else. A rule that changed starts afresh;
        what fired for it, and for rules that went, resolves at the next moment. Raises
        `ClientError` 400 for bytes that are no dump of this version, and is as it was then."""
        state = decode(data)
        self._orphans = list(state.orphans)
        self._surveyed = state.surveyed
        self._left = max((one.told for one in state.streams.values() if one.told), default=None)
        kept = {entry.rule.name: entry for entry in self._book.entries}
        for name, rule in state.rules.items():
            entry = kept.get(name)
            if entry is not None and entry.program.digest == rule.digest:
                entry.restore(rule.series, rule.folded, rule.dropped)
            else:
                self._orphans += [one.alert for one in rule.series if one.alert is not None]
        for name, known_state in state.streams.items():
            known_state.held = True
            known = self._know(Stream(*name.split("/", 1)), known_state)
            if known is not None:
                reopen(known)
        self._book.wait_again()

    # One stream -----------------------------------------------------------------------------

    def _feed(self, frame: Frame, now: float) -> None:
        self._begin(now)
        known = self._know(Stream(frame.cluster, frame.job))
        if known is None or frame.kind == "heartbeat":
            return
        new = known.state.accept(frame, now)
        if new is None:
            return
        self.revision += 1
        chosen, state = known.chosen, known.state
        if new.kind == "log":
            marks = known.recogniser.mark(new) if known.recogniser is not None else None
            self._lines.feed(chosen, state, known.name, new, marks)
        else:
            self._said(known, new)
        reached = state.reached()
        if reached is not None and state.source_mark is None:
            self._jobs.confirmed(chosen, state, known.stream, reached)

    def _said(self, known: Known, frame: Frame) -> None:
        chosen, state = known.chosen, known.state
        if frame.kind in ("gap", "reset", "end"):
            self._fold(known, state.blocks.flush())
            self._book.waited(known.name, None)
            state.tail = []
            if known.recogniser is not None:
                known.recogniser = Recogniser()
        if frame.kind == "gap":
            self._jobs.gap(chosen, state, frame)
        elif frame.kind in ("status", "end"):
            self._jobs.status(
                chosen, state, known.stream, frame.status, frame.run, state.clock, frame.message
            )
            if frame.kind == "end":
                self._end(known)

    def _end(self, known: Known) -> None:
        """The job's lines are over, and so are the troubles that they told of."""
        for entry in known.chosen.lines:
            if not entry.rule.resolve_at_end or not entry.program.per_job:
                continue
            for series in entry.series.values():
                if series.stream == known.name:
                    self._book.end(entry, series, known.state.clock)

    def _fold(self, known: Known, blocks: Sequence[Block]) -> None:
        self._lines.tracebacks(known.chosen, known.state, known.stream, blocks)

    def _heard(self, known: Known, view: JobView, now: float, *, first: bool) -> None:
        chosen, state, stream = known.chosen, known.state, known.stream
        new = not state.status
        state.heard(view, now)
        ended = view.last_frame_ts / 1e9
        came = now - FORGET_S if self._left is None else min(now - FORGET_S, self._left)
        if new and view.status in TERMINAL and (first or 0 < ended < came):
            state.status, state.run = view.status, view.run  # it was over before we came
        self._jobs.status(chosen, state, stream, view.status, view.run, now)
        self._jobs.known(chosen, state, stream, now)
        self._jobs.reconnects(chosen, state, stream, view, now)
        healthy = view.state in ("streaming", "waiting") and state.source_mark is None
        if healthy and state.mark is None:
            self._jobs.confirmed(chosen, state, stream, now)
        self._jobs.passed(chosen, state, stream, now)

    def _pass_time(self, known: Known, now: float) -> None:
        chosen, state = known.chosen, known.state
        time = state.time(now)
        if state.blocks.open:
            self._fold(known, state.blocks.quiet(time))
        self._book.waited(known.name, time)
        self._jobs.passed(chosen, state, known.stream, now)

    def _know(self, stream: Stream, state: StreamState | None = None) -> Known | None:
        if stream in self._streams:
            return self._streams[stream]
        if len(self._streams) >= MOST_STREAMS:
            del self._streams[next(iter(self._streams))]
        chosen = self._chooser.choose(stream)
        known = None if chosen is None else Known(stream, chosen, state or StreamState())
        self._streams[stream] = known
        return known

    # All of them ----------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        if self._began is None:
            self._began = now
            for known in self._streams.values():
                if known is not None:  # the downtime is no sign that no more lines come
                    known.state.fed = max(known.state.fed, now)
        if self._orphans:
            orphans, self._orphans = self._orphans, []
            for alert in orphans:
                self._book.resolve_orphan(alert, now)

    def _advance(self, now: float) -> None:
        times = {known.name: known.state.time(now) for known in self._streams.values() if known}
        general = min(times.values(), default=now)
        sweep = now - self._swept >= _SWEEP_S
        for entry in self._book.entries:
            idle = []
            for key, series in entry.series.items():
                time = times.get(series.stream, now) if series.stream else general
                self._book.advance(entry, series, time)
                if sweep and self._done_with(entry, series, time):
                    idle.append(key)
            if idle:
                entry.forget(idle)
        if sweep:
            self._swept = now

    def _done_with(self, entry: Entry, series: Series, time: float) -> bool:
        """Whether forgetting it changes nothing; of what is missing, the last time is needed."""
        idle = series.idle and not entry.rule.missing
        return idle and not series.window.within(time, entry.rule.span)

    def _forget(self, now: float) -> None:
        """Jobs that no broker lists, and that say nothing, are over for us."""
        gone = {
            known.name: stream
            for stream, known in self._streams.items()
            if known is not None and now - max(known.state.told, known.state.fed) > FORGET_S
        }
        if not gone:
            return
        for entry in self._book.entries:
            for series in entry.series.values():
                if series.stream in gone:
                    if entry.rule.kind != "status":
                        series.clear(now)
                    self._book.advance(entry, series, now)
                    if series.fired is not None:
                        gone.pop(series.stream, None)
        for stream in gone.values():
            del self._streams[stream]
        for entry in self._book.entries:
            if entry.rule.missing:  # the others' are swept by their windows
                entry.forget([key for key, one in entry.series.items() if one.stream in gone])

    def _take_counted(self) -> list[Transition]:
        out = self._book.take()
        self.revision += bool(out)
        return out
