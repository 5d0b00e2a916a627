"""Text that is safe to print or log: one line, no control characters, no credentials. Pure."""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Up to the last @ of the word: a password that was not escaped may hold @, / and # itself.
_USER_INFO: Final = re.compile(r"(?<=://)[^\s'\"]*@")
_QUERY_SECRET: Final = re.compile(r"(?i)([?&][^=&\s]*(?:password|token|secret|key)=)[^&\s#]+")


def one_line(text: str, limit: int = 500) -> str:
    """The text with what would break a line or steer a terminal escaped, cut to `limit`."""
    safe = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return safe if len(safe) <= limit else safe[:limit] + "…"


def mask_credentials(text: str) -> str:
    """The text with user info and secrets in the query of every URL in it replaced."""
    return _QUERY_SECRET.sub(r"\1[REDACTED]", _USER_INFO.sub("[REDACTED]@", text))
