"""Which rules are about a stream, by what they look at. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from broker.topic import Stream
from subscribers.alerts.engine.book import Entry
from subscribers.alerts.rules.rule import Trouble


class Chosen:
    """The entries that are about one stream; streams with the same ones share it."""

    def __init__(self, entries: Sequence[Entry], patterns: dict[str, int]) -> None:
        lines = [entry for entry in entries if entry.rule.kind == "lines"]
        self.by_pattern = {
            patterns[entry.rule.name]: entry for entry in lines if entry.rule.name in patterns
        }
        self.every_line = [
            entry for entry in lines if not entry.program.whole and not entry.program.screen
        ]
        self.whole = [entry for entry in lines if entry.program.whole]
        self.missing = [entry for entry in lines if entry.rule.missing]
        self.lines = lines
        self.status = [entry for entry in entries if entry.rule.kind == "status"]
        self.running = [entry for entry in entries if entry.rule.kind == "running"]
        self._troubles = {
            trouble: [entry for entry in entries if entry.rule.broker == trouble]
            for trouble in ("reconnects", "lag", "gap", "heartbeat", "degraded")
        }
        self.recognises = bool(self.whole) or any(entry.program.level for entry in lines)
        self.before = max((entry.program.before for entry in lines), default=0)

    def trouble(self, kind: Trouble) -> list[Entry]:
        """Those about this trouble of the broker."""
        return self._troubles[kind]


class Chooser:
    """Finds a stream's rules, once for each set of them."""

    def __init__(self, entries: Sequence[Entry], patterns: dict[str, int]) -> None:
        self.general = Chosen([one for one in entries if not one.program.by], patterns)
        self._entries = entries
        self._patterns = patterns
        self._scopes: dict[tuple[str, ...], list[int]] = {}  # rules with the same globs
        for index, entry in enumerate(entries):
            globs = (*entry.rule.jobs, "", *entry.rule.clusters)
            self._scopes.setdefault(globs, []).append(index)
        self._known: dict[tuple[int, ...], Chosen] = {}

    def choose(self, stream: Stream) -> Chosen | None:
        """What is about a stream; None where nothing is."""
        indices = tuple(
            sorted(
                index
                for scope in self._scopes.values()
                if self._entries[scope[0]].rule.about(stream)
                for index in scope
            )
        )
        if not indices:
            return None
        if indices not in self._known:
            entries = [self._entries[index] for index in indices]
            self._known[indices] = Chosen(entries, self._patterns)
        return self._known[indices]
