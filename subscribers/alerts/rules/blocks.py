"""Folded tracebacks: their lines put together over frames, for each worker on its own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from subscribers.recognition.prefix import RANK, WORKER

QUIET_S: Final = 2.0
"""A traceback that got no line for so long is complete."""
LONGEST_S: Final = 30.0
"""One that goes on for longer is taken as it stands."""
MOST_LINES: Final = 400
"""Of a longer one the middle is left out."""
MOST_CHARACTERS: Final = 2_000
"""Of each line."""
MOST_OPEN: Final = 64
"""Tracebacks of different workers at once; beyond them the oldest is taken as it stands."""

_PREFIX: Final = re.compile(rf"((?:{WORKER})?(?:{RANK})?)", re.VERBOSE)
_WORKER: Final = re.compile(WORKER, re.VERBOSE)


def of_worker(line: str) -> bool:
    """Whether a worker wrote the line, by the prefix that Ray puts in front."""
    return line.startswith("(") and _WORKER.match(f"{line}\n") is not None


class Block(msgspec.Struct, array_like=True):
    """A traceback's lines without their prefix."""

    prefix: str
    first: int  # the number of its first line
    last: int
    began: float
    seen: float  # when its last line came
    lines: list[str]
    dropped: int = 0  # lines out of its middle

    @property
    def text(self) -> str:
        """All of it."""
        if not self.dropped:
            return "\n".join(self.lines).rstrip("\n")
        half = MOST_LINES // 2
        cut = f"… {self.dropped} lines …"
        return "\n".join([*self.lines[:half], cut, *self.lines[half:]]).rstrip("\n")

    @property
    def last_line(self) -> str:
        """What most often says the error."""
        return next((line for line in reversed(self.lines) if line.strip()), "")

    def add(self, number: int, line: str, time: float) -> None:
        """One more line."""
        self.lines.append(line[:MOST_CHARACTERS])
        self.last, self.seen = number, time
        if len(self.lines) > MOST_LINES:
            del self.lines[MOST_LINES // 2]
            self.dropped += 1


class Blocks(msgspec.Struct, array_like=True):
    """The open tracebacks of one stream, by their prefix."""

    open: dict[str, Block] = {}
    skipped: list[str] = []  # prefixes whose traceback was taken as it stood, and may still go on

    def feed(
        self, lines: Sequence[str], roles: str, first: int, time: float, *, amends: bool
    ) -> list[Block]:
        """The tracebacks that these lines completed. `roles` are those of recognition; `amends`:
        the first line replaces the one before."""
        if not self.open and not self.skipped and not roles.strip("."):
            return []
        return list(self._feed(lines, roles, first, time, amends))

    def _feed(
        self, lines: Sequence[str], roles: str, first: int, time: float, amends: bool
    ) -> Iterator[Block]:
        yield from self.quiet(time)
        for index, (line, role) in enumerate(zip(lines, roles, strict=True)):
            prefix, text = split(line)
            block = self.open.get(prefix)
            if role != "t":
                if block is not None and not (amends and index == 0 and block.last == first):
                    yield self.open.pop(prefix)
                if prefix in self.skipped:
                    self.skipped.remove(prefix)
            if role == "." or prefix in self.skipped:
                continue
            block = self.open.get(prefix)
            if block is None:
                if len(self.open) >= MOST_OPEN:
                    yield self._take(next(iter(self.open)))
                block = Block(prefix, first + index, first + index, time, time, [])
                self.open[prefix] = block
            elif amends and index == 0 and block.last == first:
                block.lines.pop()
            block.add(first + index, text, time)

    def quiet(self, now: float) -> list[Block]:
        """The tracebacks that are complete because nothing more came, or too much."""
        done = [
            prefix
            for prefix, block in self.open.items()
            if now - block.seen >= QUIET_S or now - block.began >= LONGEST_S
        ]
        return [self._take(prefix) for prefix in done]

    def flush(self) -> list[Block]:
        """All of them: what comes next does not follow on them."""
        done = list(self.open.values())
        self.open.clear()
        self.skipped.clear()
        return done

    def _take(self, prefix: str) -> Block:
        self.skipped = [*self.skipped[-MOST_OPEN:], prefix]
        return self.open.pop(prefix)


def split(line: str) -> tuple[str, str]:
    """The prefix of a worker and of a rank, and what stands behind it."""
    if line[:1] not in ("(", "["):
        return "", line
    found = _PREFIX.match(line)
    end = found.end() if found else 0
    return line[:end], line[end:]
