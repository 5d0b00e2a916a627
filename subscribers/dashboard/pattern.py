"""A user's pattern on many lines at once. Pure: RE2, which never backtracks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import re2

from broker.errors import ClientError
from broker.text.plain_text import one_line

_MAX_MEMORY: Final = 8 << 20


class Pattern:
    """Raises `ClientError` 400 for what is no RE2 pattern. `case`: whether case matters."""

    def __init__(self, text: str, *, case: bool) -> None:
        options = re2.Options()
        options.case_sensitive = case
        options.never_nl = True
        options.max_mem = _MAX_MEMORY
        options.log_errors = False
        try:
            re2.compile(text.encode(), options)  # what is wrong is said of what was typed
            self._pattern = re2.compile(f"(?m:{text})".encode(), options)
        except re2.error as error:
            said = error.args[0] if error.args else error
            said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            raise ClientError(400, f"q is no pattern of RE2: {one_line(said, 200)}") from None

    def find(self, lines: Sequence[str]) -> list[int]:
        """The indices of the lines in which it is found. One pass over the joined lines."""
        data = "\n".join(lines).encode()  # as it is searched: text would be encoded at each call
        found: list[int] = []
        starts: list[int] = []
        at = 0
        while at <= len(data) and (match := self._pattern.search(data, at)) is not None:
            starts = starts or [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]
            index = bisect_right(starts, match.start()) - 1
            if index >= len(lines):
                break
            found.append(index)
            at = starts[index + 1]
        return found
