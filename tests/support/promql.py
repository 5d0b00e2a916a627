"""As much of PromQL as it takes to see which metrics and labels an expression asks for."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR: Final = re.compile(r"\b(raytap_\w+|process_\w+|up|ALERTS)\b(?!\s*\()(?:\{([^}]*)\})?")
_MATCHER: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPING: Final = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_WORD: Final = re.compile(r"[a-zA-Z_:]\w*")
_KNOWN: Final = frozenset(
    {
        *("sum", "max", "count", "by", "rate", "increase", "histogram_quantile", "absent"),
        *("changes", "unless", "or", "and", "on", "offset"),
    }
)


class Selector(NamedTuple):
    """A metric that is asked for, and the labels in its braces."""

    name: str
    labels: frozenset[str]


class Asked(NamedTuple):
    """What an expression asks for. `labels` are those that it groups by."""

    selectors: list[Selector]
    labels: frozenset[str]


def asked(expression: str) -> Asked:
    """Taken apart. Raises `ValueError` for a word that is none of the metrics or functions known
    here: else a mistyped metric would go unseen."""
    bare = _STRING.sub('""', expression)
    selectors = [
        Selector(match[1], frozenset(_MATCHER.findall(match[2] or "")))
        for match in _SELECTOR.finditer(bare)
    ]
    groups = [_WORD.findall(match[1]) for match in _GROUPING.finditer(bare)]
    rest = re.sub(r"\[[^\]]*\]|\boffset\s+\w+|\b\d\w*\b", " ", _GROUPING.sub(" ", bare))
    unknown = set(_WORD.findall(_SELECTOR.sub(" ", rest))) - _KNOWN
    if unknown:
        raise ValueError(f"{sorted(unknown)} in {expression!r}")
    return Asked(selectors, frozenset(name for group in groups for name in group))
