"""Which lines belong to a Python traceback. Pure.

What is seen: `Traceback (most recent call last):` (at the end of a log line too), frames with
their source and `^^^^`, the error and its indented message, the sentences of a chain and what
follows them, exception groups (`  | …`, `  +-+---- 1 ----`), `ray::task() (pid=…)` of a remote
task, torch's `[rank0]: …`, `Stack (most recent call last):`, tracebacks in rich's boxes. Each
worker, told by the prefix of its lines, has a traceback of its own, so those of many workers may
be interleaved.

Not seen: further lines of an error's message that are not indented (but for some of torch's and
Ray's), because nothing tells them from what the program prints next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from subscribers.recognition.prefix import RANK, WORKER
from subscribers.recognition.text import joined

PATIENCE: Final = 1_000
"""Lines of others after which a worker's unfinished traceback is given up."""

MAX_WORKERS: Final = 256
"""Tracebacks that are followed at once; beyond them the one that was silent for longest goes."""

# frames: its error is yet to come; error: it came, and may be chained; gap: a blank line after it;
# chain: the sentence between two came; group: within an exception group; stack: has no error.
_State = Literal["frames", "error", "gap", "chain", "group", "stack"]

_REPEATED: Final = r"(?:[ ]\[repeated[ ]\d++x[^\n]*+)?+[ ]*+$"

# A line's prefix, then its kind: the group that matched last.
_LINE: Final = re.compile(
    rf"""
    ((?>{WORKER})?+(?>{RANK})?+)
    (?:
        (?P<blank>$)
    |   (?P<group_head>[ ]*+\+[ ]Exception[ ]Group[ ]Traceback[ ]\(most[ ]recent[ ]call[ ]last\):)
    |   (?P<group_line>[ ]{{2,}}+[|+])
    |   (?P<file>[ ]{{2}}File[ ]"[^"\n]++",[ ]line[ ]\d)
    |   (?P<box_head>[ ]*+[╭┏][─━ ]++Traceback[ ]\(most[ ]recent[ ]call[ ]last\))
    |   (?P<head>[^\n]*?Traceback[ ]\(most[ ]recent[ ]call[ ]last\):{_REPEATED})
    |   (?P<stack>Stack[ ]\(most[ ]recent[ ]call[ ]last\):{_REPEATED})
    |   (?P<indented>[ \t│╰┃┗])
    |   (?P<remote>ray::[^\n]{{1,500}}?[ ]\(pid=\d)
    |   (?P<sentence>During[ ]handling[ ]of[ ]the[ ]above[ ]exception,[ ]another
        |   The[ ]above[ ]exception[ ]was[ ]the[ ]direct[ ]cause)
    |   (?P<more>\"\"\"$|'''$                                  # around a process pool's traceback
        |   CUDA[ ]kernel[ ]errors[ ]might[ ]be|For[ ]debugging[ ]consider[ ]passing[ ]CUDA
        |   Compile[ ]with[ ]`TORCH_USE_CUDA_DSA|The[ ]actor[ ](?:is|died))
    |   (?P<error>[^\W\d][\w.<>]*+(?:\([\w.]++\))?+(?::[ ]|:?{_REPEATED}))
    |   (?P<other>)
    )
    [^\n]*+\n
    """,
    re.VERBOSE | re.MULTILINE,
)

# No line begins a traceback without one of these.
_OPENERS: Final = (" (most recent call last)", '  File "', "ray::")

_BEGINS: Final[dict[str, tuple[str, _State]]] = {
    "head": ("T", "frames"),
    "box_head": ("T", "frames"),
    "remote": ("T", "frames"),
    "group_head": ("T", "group"),
    "stack": ("T", "stack"),
    "file": ("t", "frames"),  # met in its middle, or a syntax error of the script itself
}
_GOES_ON: Final[dict[_State, dict[str, _State]]] = {
    "frames": {
        "file": "frames",
        "indented": "frames",
        "group_line": "frames",
        "remote": "frames",
        "error": "error",
    },
    "error": {
        "file": "frames",  # the frames of a remote task stand behind their error
        "indented": "error",
        "group_line": "error",
        "more": "error",
        "blank": "gap",
        "sentence": "chain",
    },
    "gap": {"sentence": "chain", "more": "error"},
    "chain": {
        "blank": "chain",
        "head": "frames",
        "remote": "frames",
        "file": "frames",
        "group_head": "group",
        "error": "error",
    },
    "group": {"group_line": "group", "blank": "gap", "sentence": "chain"},
    "stack": {"file": "stack", "indented": "stack"},
}


class Tracebacks:
    """The tracebacks of one stream, carried on from chunk to chunk: however its lines are cut into
    chunks, they get the same roles. Bounded memory."""

    def __init__(self) -> None:
        self.open = False  # the last line belongs to a traceback that may go on
        self._live: dict[str, tuple[_State, int]] = {}  # by prefix: state, number of its last line
        self._fed = 0  # lines
        self._until = 0  # the number of the line at which nothing is live any more

    def feed(self, lines: Sequence[str]) -> str:
        """A role for each line: `T` a traceback's first, `t` it goes on, `.` none of it."""
        text = joined(lines)
        roles = ["."] * len(lines)
        for index, line in self._lines_of_interest(text):
            roles[index] = self._judge(line[1], line.lastgroup or "", self._fed + index)
        self._fed += len(lines)
        if lines:
            self.open = roles[-1] != "."
        return "".join(roles)

    def reset(self) -> None:
        """What comes next doesn't follow on what was fed."""
        self.open = False
        self._live.clear()

    def copy(self) -> Tracebacks:
        """As it is now."""
        copy = Tracebacks()
        copy.open, copy._fed, copy._until = self.open, self._fed, self._until
        copy._live = self._live.copy()
        return copy

    def _lines_of_interest(self, text: str) -> Iterator[tuple[int, re.Match[str]]]:
        """Lines while a traceback is live, and those that may begin one; with their indices."""
        openers = _Openers(text)
        at = index = 0
        while at < len(text):
            if not self._lives(self._fed + index):
                if (start := openers.next(at)) is None:
                    return
                index += text.count("\n", at, start)
                at = start
            for line in _LINE.finditer(text, at):
                yield index, line
                index, at = index + 1, line.end()
                if not self._lives(self._fed + index):
                    break

    def _lives(self, number: int) -> bool:
        if self._live and number > self._until:
            self._live.clear()
        return bool(self._live)

    def _judge(self, prefix: str, kind: str, number: int) -> str:
        state, last = self._live.pop(prefix, (None, 0))
        role, then = ".", None
        if (
            state is not None
            and number <= last + PATIENCE
            and (goes_on := _GOES_ON[state].get(kind))
        ):
            role, then = "t", goes_on
        elif kind in _BEGINS:
            role, then = _BEGINS[kind]
        if then is not None:
            if len(self._live) >= MAX_WORKERS:
                del self._live[next(iter(self._live))]
            self._live[prefix] = then, number
            self._until = number + PATIENCE
        return role


class _Openers:
    """Where in a text the next line is that may begin a traceback."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found = dict.fromkeys(_OPENERS, -1)  # where each is next; the text's length: nowhere

    def next(self, at: int) -> int | None:
        """The start of the first such line at or after `at`, itself a line's start."""
        for word, found in self._found.items():
            if found < at:
                again = self._text.find(word, at)
                self._found[word] = len(self._text) if again < 0 else again
        first = min(self._found.values())
        return None if first == len(self._text) else self._text.rfind("\n", 0, first) + 1
