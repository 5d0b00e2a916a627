"""Matchers on an alert's labels, written as Alertmanager's. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import re2

from broker.errors import ClientError
from broker.text.plain_text import one_line

MOST_MATCHERS: Final = 50
_MOST_CHARACTERS: Final = 1_000
_MATCHER: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\n])*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
_RIGHT: Final = 'a matcher is such as severity="critical", job=~"train-.*", job!="x" or job!~"x.*"'


class Matcher(NamedTuple):
    """One condition on one label; a label that is not there is empty."""

    label: str
    operator: str
    value: str
    pattern: re2._Regexp | None  # of `=~` and `!~`; it must match the whole value

    def __str__(self) -> str:
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{value}"'

    def match(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it."""
        value = labels.get(self.label, "")
        found = (
            value == self.value
            if self.pattern is None
            else self.pattern.fullmatch(value) is not None
        )
        return found != self.operator.startswith("!")


class Matchers:
    """Conditions of which all must be met; none at all are met by everything."""

    def __init__(self, matchers: Iterable[Matcher]) -> None:
        self._matchers = tuple(matchers)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Matchers:
        """One matcher a text. Raises `ClientError` 400 that says what would be right."""
        matchers = [_parse(text) for text in texts]
        if len(matchers) > MOST_MATCHERS:
            raise ClientError(400, f"{len(matchers)} matchers; {MOST_MATCHERS} at most")
        return cls(matchers)

    @property
    def texts(self) -> list[str]:
        """Each matcher in its one way to be written."""
        return [str(matcher) for matcher in self._matchers]

    def match(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet all of them."""
        return all(matcher.match(labels) for matcher in self._matchers)


def _parse(text: str) -> Matcher:
    shown = one_line(text, 80)
    if len(text) > _MOST_CHARACTERS:
        raise ClientError(400, f"a matcher of more than {_MOST_CHARACTERS} characters: {shown}")
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise ClientError(400, f"{shown!r}: {_RIGHT}")
    label, operator, value = found.groups()
    if value.startswith('"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise ClientError(400, f"{shown!r}: the quotes are not closed; {_RIGHT}")
        value = _ESCAPE.sub(lambda one: "\n" if one[1] == "n" else one[1], quoted[1])
    return Matcher(label, operator, value, _pattern(value, shown) if "~" in operator else None)


def _pattern(value: str, shown: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(value, options)
    except re2.error as error:
        why = error.args[0] if error.args else error
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise ClientError(400, f"{shown!r}: no regex (re2): {one_line(why, 100)}") from None
