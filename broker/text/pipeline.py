"""A chunk of raw lines to sanitized text, line by line the same, whatever the chunks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from broker.text import ansi, private_key
from broker.text.lines import OVERLAP, Chunk, over_long
from broker.text.redact import Redactor
from broker.text.rules import PRIVATE_KEY
from broker.text.screen import Screen

NOTHING: Final[Mapping[str, int]] = MappingProxyType({})


class Batch(NamedTuple):
    """A chunk's lines as text: `lines[i]` is the chunk's line `i`, without its end."""

    lines: list[str]
    cr: list[int]  # indices of lines that ended in a lone \r
    redacted: int  # secrets, a private key of many lines being one
    truncated: int  # lines that were too long
    key_lines: int  # lines a private key may still go on for after these; 0: none is open
    rules: Mapping[str, int] = NOTHING  # how many secrets each rule found


class Pipeline:
    """Escapes and controls out, secrets out, then over-long lines cut: in that order.

    An escape inside a token would hide it, and a cut could leave half of one. `redactor` None
    leaves secrets in. `max_message_size` is for a line, in bytes. A `screen`, made of the same
    rules, spares lines that are clean the first two. Not thread-safe: `fallbacks` counts the
    chunks done again line by line, because a step changed their number of lines.
    """

    def __init__(
        self,
        redactor: Redactor | None,
        max_message_size: int = 10_240,
        screen: Screen | None = None,
    ) -> None:
        self.fallbacks = 0
        self._screen = screen
        self._redactor = redactor
        self._max = max_message_size

    def process(self, chunk: Chunk, key_lines: int = 0) -> Batch:
        """Sanitize a chunk; `key_lines` is the batch's before it. `len(lines) == chunk.lines`."""
        if self._screen is not None and not key_lines:
            data, found, keys = self._screened(self._screen, chunk.data)
        else:
            data, found, keys = self._sanitize(chunk.data, key_lines)
        lines = data.decode("utf-8", "replace").split("\n")
        lines.pop()
        if len(lines) != chunk.lines:
            self.fallbacks += 1
            data, found, keys = self._one_by_one(chunk.data, key_lines)
            lines = data.decode("utf-8", "replace").split("\n")
            lines.pop()
        truncated = 0
        if chunk.cut or over_long(data, self._max):
            truncated = self._truncate(lines, chunk.cut)
        return Batch(lines, list(chunk.cr), sum(found.values()), truncated, keys, found)

    def _screened(self, screen: Screen, raw: bytes) -> tuple[bytes, dict[str, int], int]:
        data = ansi.strip_sequences(raw)
        suspects = screen.suspects(data) if data is not None else None
        if data is None or suspects is None:
            return self._sanitize(raw, 0)
        found: dict[str, int] = {}
        if not suspects or self._redactor is None:
            return data, found, 0
        pieces: list[bytes] = []
        done = 0
        for start, stop in suspects:
            text, secrets = self._redactor.redact_by_rule(data[start:stop])
            if secrets:
                pieces += (data[done:start], text)
                done = stop
                for rule, count in secrets.items():
                    found[rule] = found.get(rule, 0) + count
        pieces.append(data[done:])
        return b"".join(pieces), found, 0

    def _sanitize(self, data: bytes, key_lines: int) -> tuple[bytes, dict[str, int], int]:
        data = ansi.strip(data)
        if self._redactor is None:
            return data, {}, 0
        text, found = self._redactor.redact_by_rule(data)
        if not (self._redactor.private_keys and (key_lines or found)):
            return text, found, 0
        # A key's first line is a secret to the rules too: where they found none, no key began.
        hidden, key_lines, keys = private_key.redact(data, key_lines)
        if hidden is data:
            return text, found, 0
        text, found = self._redactor.redact_by_rule(hidden)
        if keys:
            found[PRIVATE_KEY.id] = found.get(PRIVATE_KEY.id, 0) + keys
        return text, found, key_lines

    def _one_by_one(self, data: bytes, key_lines: int) -> tuple[bytes, dict[str, int], int]:
        """The same for one line at a time, so that a line end lost or made stays within its own."""
        total: dict[str, int] = {}
        lines: list[bytes] = []
        for line in data.splitlines(keepends=True):
            text, found, key_lines = self._sanitize(line, key_lines)
            lines.append(text.replace(b"\n", b"") + b"\n")
            for rule, count in found.items():
                total[rule] = total.get(rule, 0) + count
        return b"".join(lines), total, key_lines

    def _truncate(self, lines: list[str], cut: dict[int, int]) -> int:
        """Shorten what is over the size in place; how many lines."""
        truncated = 0
        for index, line in enumerate(lines):
            if index not in cut and len(line) * 4 <= self._max:
                continue
            text = line.encode()
            keep = self._max
            if index in cut:
                # Half a secret may stand at the cut, and redaction may have moved it forward.
                keep = min(keep, max(len(text) - OVERLAP, 0))
            if index in cut or len(text) > keep:
                shown = text[:keep].decode("utf-8", "ignore")
                missing = len(text) - len(shown.encode()) + cut.get(index, 0)
                lines[index] = f"{shown} …[truncated {missing} bytes]"
                truncated += 1
        return truncated
