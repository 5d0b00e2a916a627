"""Sizes and durations as people write them, and the number types built on them. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_NUMBER: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)")
_BYTES: Final = {"": 1, "b": 1} | {
    f"{letter}{infix}b": base**power
    for power, letter in enumerate("kmgt", start=1)
    for infix, base in (("", 1000), ("i", 1024))
}
_SECONDS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str | int) -> int:
    """Bytes of `"50MiB"`, `"2 GB"` or a plain number; `ValueError` says what would be right."""
    number, unit = _split(text, _BYTES, 'a size in bytes, such as 1048576 or "64MiB"')
    return round(number * unit)


def parse_duration(text: str | float) -> float:
    """Seconds of `"500ms"`, `"5m"`, `"7d"` or a plain number; `ValueError` as above."""
    number, unit = _split(text, _SECONDS, 'a duration in seconds, such as 30 or "5m"')
    return number * unit


def _split(text: str | float, units: dict[str, float], right: str) -> tuple[float, float]:
    found = _NUMBER.fullmatch(str(text).strip())
    unit = units.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(f"{text!r} is not {right}")
    return float(found[1]), unit


def seconds(at_most: float = 366 * 86400, at_least: float = 0.001) -> msgspec.Meta:
    """Marks a float as a duration that may be written with a unit, and gives its range."""
    return msgspec.Meta(ge=at_least, le=at_most, extra={"parse": parse_duration})


def size(at_least: int = 1, at_most: int = 1 << 50) -> msgspec.Meta:
    """Marks an int as a size in bytes that may be written with a unit, and gives its range."""
    return msgspec.Meta(ge=at_least, le=at_most, extra={"parse": parse_size})
