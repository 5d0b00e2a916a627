"""A rule made ready to be evaluated. Pure."""

from __future__ import annotations

from typing import Any, Final

from subscribers.alerts.rules.blocks import of_worker
from subscribers.alerts.rules.json_lines import JsonTest
from subscribers.alerts.rules.regexes import compile_block, compile_line
from subscribers.alerts.rules.rule import Rule
from subscribers.alerts.rules.templates import parse
from subscribers.recognition.levels import Level, parse_level

MOST_VALUE: Final = 200  # characters of a captured label

_SUMMARIES: Final = {
    "lines": "{job}: {line}",
    "absent": "{job}: nothing for {value} s",
    "rate_below": "{job}: only {value} a second",
    "status": "{job} is {status}",
    "running": "{job} has been running for {value} s",
    "broker": "{name}: {job} {value} {line}",
}


class Program:
    """One rule's compiled parts. Raises `ValueError`, or `ClientError` of a level that is none."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.digest = rule.digest
        self.level = parse_level(rule.level) if rule.level else Level.NONE
        self.whole = rule.on == "traceback"
        self.json = JsonTest(rule.json) if rule.json else None
        compiled = compile_block if self.whole else compile_line
        self.regex: Any = compiled(rule.match) if rule.match else None
        self.unless: Any = compiled(rule.unless) if rule.unless else None
        self.captures = _names(self.regex)
        self.by = self._by()
        self.captured = [name for name in self.by if name in self.captures]
        self.per_job = {"cluster", "job"} <= set(self.by)
        self.templates = {name: parse(text) for name, text in self._annotations().items()}
        used: frozenset[str] = frozenset().union(*(one.names for one in self.templates.values()))
        self.before = rule.before if "before" in used and not self.whole else 0
        self.after = rule.after if "after" in used and not self.whole else 0

    @property
    def screen(self) -> str:
        """A regex that matches every line the rule can be about; empty where every line may."""
        if self.rule.kind != "lines" or self.whole:
            return ""
        return self.rule.match or (self.json.screen if self.json else "")

    @property
    def plain(self) -> bool:
        """Whether lines count or not by their level alone."""
        return not (self.screen or self.unless or self.rule.source != "any")

    def test(self, line: str, level: int) -> float | None:
        """Whether a line that its regex matched meets the rest: None if not, else a number that
        its JSON condition looked at, or 0."""
        if level < self.level:
            return None
        if self.rule.source != "any" and not self.from_source(worker=of_worker(line)):
            return None
        if self.unless is not None and self.unless.search(line.encode("utf-8", "replace")):
            return None
        return self.json.number(line) if self.json else 0.0

    def from_source(self, *, worker: bool) -> bool:
        """Whether what a worker wrote, or the driver, is looked at."""
        return self.rule.source == "any" or (self.rule.source == "workers") == worker

    def labels(self, match: Any) -> list[str]:
        """The values of `captured`, in their order, bounded."""
        return [_text(match.group(self.captures[name])) for name in self.captured]

    def annotations(self, values: dict[str, str]) -> dict[str, str]:
        """The rendered templates."""
        return {name: template.render(values) for name, template in self.templates.items()}

    def _by(self) -> tuple[str, ...]:
        if self.rule.broker in ("heartbeat", "degraded"):
            return ()
        held = self.rule.kind in ("status", "running") or self.rule.broker == "lag"
        if held or self.rule.missing:
            return ("cluster", "job")
        return ("cluster", "job", *self.captures) if self.rule.by is None else tuple(self.rule.by)

    def _annotations(self) -> dict[str, str]:
        kind = "absent" if self.rule.absent is not None else str(self.rule.kind)
        kind = "rate_below" if self.rule.rate_below is not None else kind
        return {"summary": _SUMMARIES[kind], **self.rule.annotations}


def _names(regex: Any) -> dict[str, int]:
    """The named groups with their numbers, in the order they are written."""
    if regex is None:
        return {}
    named = {_text(name): index for name, index in regex.groupindex.items()}
    return dict(sorted(named.items(), key=lambda item: item[1]))


def _text(value: bytes | None) -> str:
    text = (value or b"").decode("utf-8", "replace")
    return text if len(text) <= MOST_VALUE else text[: MOST_VALUE - 1] + "…"
