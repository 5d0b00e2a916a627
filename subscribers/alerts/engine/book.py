"""What each rule has going: its series by their labels, and the alerts that come of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from subscribers.alerts.engine.alert import Alert, Transition, fingerprint
from subscribers.alerts.engine.links import Links
from subscribers.alerts.engine.series import Detail, Series
from subscribers.alerts.rules.program import Program

MOST_LABEL_SETS: Final = 200
"""Different captured labels of one rule; further ones count under `other`."""
MOST_SERIES: Final = 5_000
"""Series of one rule, with those of other jobs; matches of further ones are dropped."""
OTHER: Final = "other"
AFTER_WAIT_S: Final = 2.0
"""An alert waits so long for the lines after the one that fired."""


class Entry:
    """One rule and its series."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.rule = program.rule
        self.series: dict[tuple[str, ...], Series] = {}
        self.folded = 0  # matches whose captured labels were one set too many
        self.dropped = 0  # matches that were one series too many
        self._sets: set[tuple[str, ...]] = set()

    def find(self, values: Sequence[str], stream: str) -> Series | None:
        """The series of these labels; None, counted, where there are too many."""
        key = tuple(values)
        if (series := self.series.get(key)) is not None:
            return series
        if captured := self._captured(key):
            if captured not in self._sets and len(self._sets) >= MOST_LABEL_SETS:
                self.folded += 1
                key = self._fold(key)
                if (series := self.series.get(key)) is not None:
                    return series
            else:
                self._sets.add(captured)
        if len(self.series) >= MOST_SERIES:
            self.dropped += 1
            return None
        about = stream if self.program.per_job else ""
        series = self.series[key] = Series(list(key), about)
        return series

    def forget(self, keys: Iterable[tuple[str, ...]]) -> None:
        """Let series go."""
        for key in keys:
            del self.series[key]
        if self.program.captured:
            self._sets = {self._captured(key) for key in self.series} - {()}

    def restore(self, series: Iterable[Series], folded: int, dropped: int) -> None:
        """Go on from what was kept."""
        self.series = {tuple(one.values): one for one in series}
        self.folded, self.dropped = folded, dropped
        self.forget(())

    def _captured(self, key: tuple[str, ...]) -> tuple[str, ...]:
        captured = self.program.captured
        if not captured:
            return ()
        return tuple(v for name, v in zip(self.program.by, key, strict=True) if name in captured)

    def _fold(self, key: tuple[str, ...]) -> tuple[str, ...]:
        names = zip(self.program.by, key, strict=True)
        return tuple(OTHER if name in self.program.captured else value for name, value in names)


class Book:
    """All rules' entries. What happens is collected in `out`."""

    def __init__(self, programs: Sequence[Program], links: Links) -> None:
        self.entries = [Entry(program) for program in programs]
        self.out: list[Transition] = []
        self._links = links
        self._waiting: dict[str, list[tuple[Entry, Series]]] = {}  # for the lines after, by stream

    def take(self) -> list[Transition]:
        """What has happened since this was last asked."""
        out, self.out = self.out, []
        return out

    def advance(self, entry: Entry, series: Series, now: float) -> None:
        """Let happen what is due."""
        if series.since is None and series.fired is None:
            return
        for change in series.due(entry.rule, now):
            if change.what == "firing":
                self._tell_or_wait(entry, series)
            else:
                self._resolve(entry, series, change.time)

    def end(self, entry: Entry, series: Series, time: float) -> None:
        """The condition is over."""
        if series.fired is not None:
            self._resolve(entry, series, time)
        for _ in series.end(time):
            pass

    def came_after(self, stream: str, first: int, lines: Sequence[str]) -> None:
        """More lines of a stream, for the alerts that wait for them."""
        for entry, series in self._waiting.pop(stream, ()):
            detail = series.detail
            start = max(0, detail.next - first)
            detail.after += lines[start : start + entry.program.after - len(detail.after)]
            detail.next = first + len(lines)
            self._tell_or_wait(entry, series)

    def waited(self, stream: str, now: float | None) -> None:
        """No line came for long enough; `now` None: none will come."""
        for entry, series in self._waiting.pop(stream, ()):
            if now is not None and now - (series.fired or 0.0) < AFTER_WAIT_S:
                self._waiting.setdefault(stream, []).append((entry, series))
            else:
                self._tell(entry, series)

    def wait_again(self) -> None:
        """After a restore: what fired and was not told waits on."""
        self._waiting.clear()
        for entry in self.entries:
            for series in entry.series.values():
                if series.fired is not None and series.alert is None:
                    self._waiting.setdefault(series.stream, []).append((entry, series))

    def firing(self) -> Iterator[Alert]:
        """What was told and has not resolved."""
        for entry in self.entries:
            for series in entry.series.values():
                if series.alert is not None:
                    yield series.alert

    def resolve_orphan(self, alert: Alert, now: float) -> None:
        """What fired for a rule that is no more."""
        ended = msgspec.structs.replace(alert, ends_at=max(now, alert.starts_at))
        self.out.append(Transition(ended, "resolved"))

    def _tell_or_wait(self, entry: Entry, series: Series) -> None:
        wanted = entry.program.after if series.stream and series.detail.number is not None else 0
        if len(series.detail.after) < wanted:
            self._waiting.setdefault(series.stream, []).append((entry, series))
        else:
            self._tell(entry, series)

    def _tell(self, entry: Entry, series: Series) -> None:
        if series.fired is not None and series.alert is None:
            series.alert = self._alert(entry.program, series, series.fired)
            series.detail = Detail()
            self.out.append(Transition(series.alert, "firing"))

    def _resolve(self, entry: Entry, series: Series, time: float) -> None:
        waiting = self._waiting.get(series.stream)
        if waiting and series.alert is None:
            self._waiting[series.stream] = [one for one in waiting if one[1] is not series]
        self._tell(entry, series)
        if series.alert is not None:
            ended = msgspec.structs.replace(series.alert, ends_at=time)
            self.out.append(Transition(ended, "resolved"))
            series.alert = None

    def _alert(self, program: Program, series: Series, time: float) -> Alert:
        rule, detail = program.rule, series.detail
        counted = zip(program.by, series.values, strict=True)
        labels = {
            **rule.labels,
            **{name: value for name, value in counted if value},
            "alertname": rule.name,
            "severity": rule.severity,
        }
        url = self._links(detail.cluster, detail.job, detail.number)
        values = {
            **{f"labels.{name}": value for name, value in labels.items()},
            "line": detail.line,
            "number": "" if detail.number is None else str(detail.number),
            "before": "\n".join(detail.before),
            "after": "\n".join(detail.after),
            "traceback": detail.traceback,
            "url": url,
            "job": detail.job,
            "cluster": detail.cluster,
            "status": detail.status,
            "name": rule.name,
            "severity": rule.severity,
            "value": "" if detail.value is None else f"{detail.value:g}",
        }
        return Alert(
            fingerprint=fingerprint(rule.name, labels),
            rule=rule.name,
            severity=rule.severity,
            labels=labels,
            annotations=program.annotations(values),
            cluster=detail.cluster,
            job=detail.job,
            epoch=detail.epoch,
            line=detail.number,
            starts_at=time,
            value=detail.value,
            url=url,
        )
