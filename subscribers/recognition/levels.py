"""Levels of lines. Pure.

A level is recognised by where it stands, never by a word in the text:

- in a log line's header: behind nothing but Ray's prefix, times, numbers, `[…]`, a place
  (`train.py:12: `), a logger's name before ` - `, and punctuation:
  `2026-11-21 09:14:03,118 INFO train.py:212 --`, `INFO:root:…`, `[INFO]`, `09:14 | WARNING | …`.
  In capitals; in any case within `[ ]` and before a colon (`error: …`, but not `error: 0.12`,
  which is a measurement).
- as one letter, as C++ writes it: `[2026-11-21 09:14:03,118 E 12 34] …` (Ray),
  `E1121 09:14:03.118 …` (glog, absl, torch), `2026-…: W tensorflow/x.cc:3] …`.
- by name: `level=info` among the `key=value` that a line begins with, `"level": "error"` in an
  object of JSON (also `lvl`, `levelname`, `severity`, `log.level`).
- `… NCCL WARN …`.
- an error or a warning of Python: `ValueError: …`, `x.py:3: UserWarning: …`, `Traceback (most …`.

So "no error", "error_rate=0.1", "0 errors" and "ERROR_COUNT=3" are none. A line that begins with
a level's word in capitals ("DEBUG mode is off") has that level: a log line looks just so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from broker.errors import ClientError
from subscribers.recognition.prefix import RANK, WORKER
from subscribers.recognition.text import joined


class Level(IntEnum):
    """How grave a line is; one without a level has `NONE`."""

    NONE = 0
    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4
    CRITICAL = 5


_ALIASES: Final = {"warn": Level.WARNING, "fatal": Level.CRITICAL}
_NAMES: Final = {level.name.lower(): level for level in Level if level}

# The pattern's one group takes a single letter of the level's word (the second "e" of
# "Traceback" is none of it, but its "e" is that of an error): `findall` then makes no new string.
_BYTES: Final = {
    "": int(Level.NONE),
    **dict.fromkeys("DdTt", int(Level.DEBUG)),
    **dict.fromkeys("IiNn", int(Level.INFO)),
    **dict.fromkeys("Ww", int(Level.WARNING)),
    **dict.fromkeys("Ee", int(Level.ERROR)),
    **dict.fromkeys("CcFf", int(Level.CRITICAL)),
}

_CAPITALS: Final = (
    r"(?:INFO|WARN(?:ING)?|ERR(?:OR)?|DEBUG|CRIT(?:ICAL)?|FATAL|TRACE|NOTICE|EXCEPTION)(?![\w=.])"
)
_ANY_CASE: Final = (
    r"(?i:info|warn(?:ing)?|err(?:or)?|debug|crit(?:ical)?|fatal|trace|notice|exception)(?!\w)"
)
_TIME: Final = r"\d[\d:.,/TZ+-]*+"
_KEY: Final = r"(?:log\.)?(?:level|lvl|levelname|log_level|loglevel|severity)"
_NUMBER_ALONE: Final = r"[ ]*+[-+]?[\d.]++(?:e[-+]?\d++)?%?[ ]*+$"

_PYTHON: Final = r"(?:Error|Exception|Warning)(?:\([\w.]++\))?(?::[ ]|:?$)"

_LINE: Final = re.compile(
    rf"""
    (?:
        (?>{WORKER})?+ (?>{RANK})?+
        (?>
            \[\d{{4}}-\d\d-\d\d[ ]\d\d:\d\d:\d\d[,.]\d++[ ](?=[A-Z][ ]\d)
        |   \[?(?=[IWEFCD]\d{{4,8}}[ ]\d\d:\d\d:\d\d)
        |   Trac(?=eback[ ]\(most[ ]recent[ ]call[ ]last\):)
        |   \{{[ ]*+"(?>[^\n]{{0,2000}}?(?<="){_KEY}"[ ]?:[ ]?")(?={_ANY_CASE})
        |   (?>
                [ \t|:,-]++
            |   {_TIME}(?=[ \t\]|:,-])
            |   \[(?>{_TIME}[ ,:|-]*+)*+(?={_ANY_CASE})
            |   \[[^\[\]\n]{{0,80}}+\]
            |   (?!{_CAPITALS})[A-Za-z_][\w.]*+[ ]-[ ]
            |   (?:<[\w. ]++>|[\w./~-]++):\d++(?::\d++)?:[ ]
            ){{0,24}}+
            (?>
                (?={_CAPITALS})
            |   (?={_ANY_CASE}[ ]*+(?:\]|:(?!{_NUMBER_ALONE})))
            |   (?=[\w.]++(?:(?<=Error)|(?<=Exception)|(?<=Warning))[(:\n])
                [\w.]+?(?={_PYTHON}(?!{_NUMBER_ALONE}))
            |   (?>(?!{_KEY}=)[A-Za-z_][\w.]*+=(?:"[^"\n]*+"|[^\s"]*+)[ \t]++){{0,16}}+
                {_KEY}="?(?={_ANY_CASE})
            |   (?<=:[ ])(?=[IWEF][ ][\w./-]++:\d++\])
            |   [\w.-]++:\d++:\d++[ ]\[\d++\][^\n]{{0,120}}?NCCL[ ](?={_CAPITALS})
            )
        )
        (\w)
    )?
    [^\n]*+\n
    """,
    re.VERBOSE | re.MULTILINE,
)


def levels(lines: Sequence[str]) -> bytes:
    """One byte a line, its `Level`. One pass of one pattern over the joined lines."""
    return bytes(map(_BYTES.__getitem__, _LINE.findall(joined(lines))))


def parse_level(text: str) -> Level:
    """The level a person names, in any case. Raises `ClientError` 400 with those there are."""
    name = text.strip().lower()
    level = _NAMES.get(name) or _ALIASES.get(name)
    if level is None:
        raise ClientError(400, f"{text!r} is no level; there are {', '.join(_NAMES)}")
    return level
