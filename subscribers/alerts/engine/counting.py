"""From single matches to a condition: enough of them in a window, or too few. Pure."""

from __future__ import annotations

from typing import Any

from subscribers.alerts.engine.book import Book, Entry
from subscribers.alerts.engine.series import Detail, Series


def count(book: Book, entry: Entry, series: Series, time: float, matches: int) -> int | None:
    """So many matches more, at one time. Which of them (from 0) was enough for the condition to
    hold; None where it does not."""
    rule, window = entry.rule, series.window
    if rule.missing:
        window.add(time, matches, rule.span)
        window.keep(rule.needed)
        if series.held and _enough(entry, series, time):
            series.clear(time)
            book.advance(entry, series, time)
        return None
    book.advance(entry, series, time)
    if rule.needed == 1:
        return 0
    before = window.count(time, rule.span)
    window.add(time, matches, rule.span)
    return max(0, rule.needed - before - 1) if before + matches >= rule.needed else None


def met(book: Book, entry: Entry, series: Series, time: float, detail: Detail) -> None:
    """The condition holds at this moment; `detail` is what an alert would show of it."""
    if series.fired is None:
        if detail.value is None:
            detail.value = _value(entry, series)
        series.detail = detail
    series.pulse(time)
    book.advance(entry, series, time)


def confirm(
    book: Book, entry: Entry, series: Series, running: float, time: float, detail: Detail
) -> None:
    """Nothing but what was counted has come up to `time`, and the job has been running since
    `running`: too few, if that is a whole window."""
    rule = entry.rule
    newest = series.window.since(rule.needed)
    begins = max(running, running if newest is None else newest) + rule.span
    if begins > time:
        series.clear(time)
    else:
        if not series.held:
            detail.value = (
                time - begins + rule.span
                if rule.absent is not None
                else series.window.within(time, rule.span) / rule.span
            )
            series.detail = detail
        series.hold(begins)
    book.advance(entry, series, time)


def values_of(entry: Entry, cluster: str, job: str, match: Any) -> list[str]:
    """The values of the labels that the rule counts by."""
    program = entry.program
    if not program.captured:
        return [cluster if name == "cluster" else job for name in program.by]
    labels = {"cluster": cluster, "job": job}
    if match is not None:
        labels.update(zip(program.captured, program.labels(match), strict=True))
    return [labels.get(name, "") for name in program.by]


def _enough(entry: Entry, series: Series, time: float) -> bool:
    newest = series.window.since(entry.rule.needed)
    return newest is not None and newest > time - entry.rule.span


def _value(entry: Entry, series: Series) -> float | None:
    rule = entry.rule
    if rule.rate_above is not None:
        return series.window.total / rule.span
    return float(series.window.total) if rule.needed > 1 else None
