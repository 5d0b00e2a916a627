"""A log with everything in it that breaks readers of lines, and what is to become of it."""

from __future__ import annotations

from typing import Final

_HUGE: Final = 5_000_000

# What is written at once (a job pauses between two writes), and the lines it completes.
_WRITES: Final[tuple[tuple[bytes, tuple[str, ...]], ...]] = (
    (b"plain\n\n\n\r\n", ("plain", "", "", "")),
    (b"10%\r20%\r30%\r\ncrlf\r\n", ("10%", "20%", "30%", "crlf")),
    ("a\u2028b\nc\x85d\ne\x0bf\ng\x0ch\n".encode(), ("a\u2028b", "cd", "ef", "gh")),
    (b"\x1b[2J\x1b[10;20Hmoved\x1b[3A\x1b[K\n", ("moved",)),
    (b"\x1b]52;c;c2VjcmV0\x07clip\x1b]52;c;YQ==\x1b\\board\n", ("clipboard",)),
    (b"nul \0 here\n", ("nul  here",)),
    (b"split \xe2\x82", ()),
    (b"\xac whole\n", ("split € whole",)),
    (b"bad \xff byte\n", ("bad \ufffd byte",)),
    (b"x" * _HUGE, ()),
    (b"\n", ("x" * 10_240 + f" …[truncated {_HUGE - 10_240} bytes]",)),
    (b"after it\nno end at the end", ("after it", "no end at the end")),
)

HOSTILE_WRITES: Final = tuple(data for data, _ in _WRITES)
HOSTILE_LINES: Final = [line for _, lines in _WRITES for line in lines]
