"""Rules on lines and on tracebacks: what a frame's lines mean to them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from broker.frame import Frame
from broker.topic import Stream
from subscribers.alerts.engine.book import Book, Entry
from subscribers.alerts.engine.counting import count, met, values_of
from subscribers.alerts.engine.selection import Chosen
from subscribers.alerts.engine.series import Detail
from subscribers.alerts.engine.streams import StreamState
from subscribers.alerts.rules.blocks import Block, of_worker
from subscribers.alerts.rules.patterns import Patterns
from subscribers.recognition.levels import Level
from subscribers.recognition.recogniser import Marks
from subscribers.recognition.text import joined

MOST_LINE: Final = 2_000  # characters of a line that an alert shows
MOST_TRACEBACK: Final = 6_000

_REPEATED: Final = re.compile(r"\[repeated (\d{1,9})x across cluster\]")
_AT_LEAST: Final = {level: re.compile(b"[%c-%c]" % (level, max(Level))) for level in Level if level}


class LineRules:
    """Evaluates a frame's lines; what comes of it goes to the book."""

    def __init__(self, book: Book, *, hyperscan: bool = True) -> None:
        self._book = book
        screened = [entry for entry in book.entries if entry.program.screen]
        self.patterns = {entry.rule.name: index for index, entry in enumerate(screened)}
        self.search = Patterns([entry.program.screen for entry in screened], hyperscan=hyperscan)

    def feed(
        self, chosen: Chosen, state: StreamState, name: str, frame: Frame, marks: Marks | None
    ) -> None:
        """The lines of a `log` frame of the stream that is called `name`."""
        self._book.came_after(name, frame.first, frame.lines)
        before = set(state.matched) if frame.amends else set()
        state.matched = []
        here = _Here(self._book, state, name, frame, before)
        levels = marks.levels if marks is not None else b""
        if chosen.by_pattern:
            self._screened(chosen, here, levels)
        for entry in chosen.every_line:
            here.every_line(entry, levels)
        if marks is not None and chosen.whole:
            done = state.blocks.feed(
                frame.lines, marks.roles, frame.first, state.clock, amends=frame.amends
            )
            self.tracebacks(chosen, state, Stream(frame.cluster, frame.job), done)
        if chosen.before:
            state.tail = [*state.tail, *frame.lines[-chosen.before :]][-chosen.before :]

    def tracebacks(
        self, chosen: Chosen, state: StreamState, stream: Stream, blocks: Iterable[Block]
    ) -> None:
        """Whole tracebacks that are complete."""
        cluster, job = stream
        for block in blocks:
            text = block.text
            data = text.encode("utf-8", "replace")
            for entry in chosen.whole:
                program = entry.program
                match = program.regex.search(data) if program.regex is not None else None
                if program.regex is not None and match is None:
                    continue
                if program.unless is not None and program.unless.search(data) is not None:
                    continue
                if not program.from_source(worker=of_worker(block.prefix)):
                    continue
                detail = Detail(
                    cluster,
                    job,
                    state.epoch,
                    block.first,
                    block.last_line[:MOST_LINE],
                    text[-MOST_TRACEBACK:],
                )
                series = entry.find(values_of(entry, cluster, job, match), str(stream))
                if series is None or count(self._book, entry, series, block.seen, 1) is None:
                    continue
                met(self._book, entry, series, block.seen, detail)

    def _screened(self, chosen: Chosen, here: _Here, levels: bytes) -> None:
        lines = here.frame.lines
        for hit in self.search.find(joined(lines).encode("utf-8", "replace")):
            entry = chosen.by_pattern.get(hit.pattern)
            if entry is None:
                continue
            line = lines[hit.line]
            number = entry.program.test(line, levels[hit.line] if levels else 0)
            if number is not None:
                here.match(entry, hit.line, hit.match, number if entry.program.json else None)


class _Here:
    """One frame that is being looked at."""

    def __init__(
        self, book: Book, state: StreamState, name: str, frame: Frame, before: set[str]
    ) -> None:
        self.frame = frame
        self._book = book
        self._state = state
        self._name = name
        self._before = before  # rules that the first line met before it was amended
        self._partial = len(frame.lines) - 1 if frame.partial else None

    def every_line(self, entry: Entry, levels: bytes) -> None:
        """A rule without a regex: its lines are told by their level, if at all."""
        program, lines = entry.program, self.frame.lines
        if not program.level:
            found: Sequence[int] = range(len(lines))
        else:
            found = [one.start() for one in _AT_LEAST[program.level].finditer(levels)]
        if not program.plain:
            tested = ((i, program.test(lines[i], levels[i] if levels else 0)) for i in found)
            found = [index for index, number in tested if number is not None]
        if found and found[0] == 0 and entry.rule.name in self._before:
            found = found[1:]
        if not found:
            return
        if self._partial is not None and found[-1] == self._partial:
            self._state.matched.append(entry.rule.name)
        self._count(entry, values_of(entry, self.frame.cluster, self.frame.job, None), found)

    def match(self, entry: Entry, index: int, match: Any, number: float | None) -> None:
        """A rule's regex matched in a line that meets all else."""
        name = entry.rule.name
        if index == self._partial:
            self._state.matched.append(name)
        if index == 0 and name in self._before:
            return
        values = values_of(entry, self.frame.cluster, self.frame.job, match)
        line = self.frame.lines[index]
        times = 1
        if "x across cluster]" in line and (repeated := _REPEATED.search(line)):
            times = max(1, int(repeated[1]))
        self._count(entry, values, (index,), times, number)

    def _count(
        self,
        entry: Entry,
        values: list[str],
        found: Sequence[int],
        times: int = 1,
        number: float | None = None,
    ) -> None:
        """Matches in the lines `found`, each of which stands for `times`, with the same labels."""
        series = entry.find(values, self._name)
        if series is None:
            return
        time = self._state.clock
        enough = count(self._book, entry, series, time, len(found) * times)
        if enough is None:
            return
        if series.fired is not None:
            series.pulse(time)
            return
        met(self._book, entry, series, time, self._detail(entry, found[enough // times], number))

    def _detail(self, entry: Entry, at: int, number: float | None) -> Detail:
        frame, program = self.frame, entry.program
        before: list[str] = []
        if program.before:
            before = [*self._state.tail, *frame.lines[max(0, at - program.before) : at]]
            before = before[-program.before :]
        after = frame.lines[at + 1 : at + 1 + program.after] if program.after else []
        return Detail(
            cluster=frame.cluster,
            job=frame.job,
            epoch=frame.epoch,
            number=frame.first + at,
            line=frame.lines[at][:MOST_LINE],
            before=[line[:MOST_LINE] for line in before],
            after=[line[:MOST_LINE] for line in after],
            status=self._state.status,
            value=number,
            next=frame.next,
        )
