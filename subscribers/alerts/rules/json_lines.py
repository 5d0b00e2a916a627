"""Lines that are JSON objects, and what rules want of their fields. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

import re2

from subscribers.alerts.rules.regexes import compile_block
from subscribers.alerts.rules.rule import JsonCondition

_MISSING: Final = object()
_MOST_CHARACTERS: Final = 1_000_000


class JsonTest:
    """Conditions of which all must hold. Raises `ValueError` for a regex that is none."""

    def __init__(self, conditions: Sequence[JsonCondition]) -> None:
        self._conditions = [
            (one.field.split("."), one, compile_block(one.match) if one.match else None)
            for one in conditions
        ]

    @property
    def screen(self) -> str:
        """A regex that matches every line which can meet it."""
        return f'"{re2.escape(self._conditions[0][0][0])}"[ \\t]*:'

    def passes(self, line: str) -> bool:
        """Whether the line is an object that meets them all."""
        return self.number(line) is not None

    def number(self, line: str) -> float | None:
        """The number that the last condition looked at, 0 where it is none; None where one of
        them does not hold."""
        fields = parse_object(line)
        if fields is None:
            return None
        number = 0.0
        for path, condition, pattern in self._conditions:
            value = _at(fields, path)
            if not _holds(value, condition, pattern):
                return None
            number = _number(value) or 0.0
        return number


def parse_object(line: str) -> dict[str, Any] | None:
    """The object that the line is, behind Ray's prefix of a worker if there is one; else None.
    Python's NaN and Infinity are taken."""
    start = line.find("{")
    if start < 0 or len(line) > _MOST_CHARACTERS or (start and line[start - 1] != " "):
        return None
    before = line[:start].strip()
    if before and not (before.startswith("(") and before.endswith(")")):
        return None
    try:
        value = json.loads(line[start:])
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _at(fields: dict[str, Any], path: Sequence[str]) -> object:
    value: object = fields
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None


def _holds(value: object, condition: JsonCondition, pattern: Any) -> bool:
    if value is _MISSING:
        return False
    wanted = condition.equals
    if wanted is not None and not _same(value, wanted):
        return False
    if pattern is not None:
        text = value if isinstance(value, str) else json.dumps(value)
        if pattern.search(text.encode("utf-8", "replace")) is None:
            return False
    if condition.above is None and condition.below is None:
        return True
    number = _number(value)
    if number is None:
        return False
    low = condition.above is None or number > condition.above
    return low and (condition.below is None or number < condition.below)


def _same(value: object, wanted: str | bool | float) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, float) and isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(value)
    return value == wanted
