"""What a request asks for: its query, ids and accepted types, checked. Pure.

Every function raises `ClientError` (400; 406 for `media_type`) that says what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl

from broker.errors import ClientError
from broker.topic import Stream
from broker.validate import validate_resource_id

TEXT: Final = "text/plain"
NDJSON: Final = "application/x-ndjson"
MSGPACK: Final = "application/msgpack"
TYPES: Final = (TEXT, NDJSON, MSGPACK)  # the first of those liked equally is sent

_MAX_VALUE: Final = 256  # characters
_LINE: Final = re.compile(r"[0-9]{1,18}")
_EPOCH: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")


def query_values(raw: bytes, allowed: Collection[str]) -> dict[str, str]:
    """The query's values by name; an unknown, repeated, empty or overlong one is refused."""
    known = ", ".join(sorted(allowed)) or "none here"
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=16)
    except ValueError:
        raise ClientError(400, f"the query cannot be read; it may hold {known}") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed:
            raise ClientError(400, f"unknown query name {name[:40]!r}; known: {known}")
        if name in values:
            raise ClientError(400, f"{name} is given twice")
        if not value or len(value) > _MAX_VALUE:
            raise ClientError(400, f"{name} must have 1 to {_MAX_VALUE} characters")
        values[name] = value
    return values


def stream_of(path_params: Mapping[str, str]) -> Stream:
    """The stream that the path names."""
    return Stream(
        validate_resource_id(path_params["cluster"], "cluster"),
        validate_resource_id(path_params["job"], "job"),
    )


def line_number(name: str, text: str, least: int = 0) -> int:
    """A line number or a count of lines."""
    if not _LINE.fullmatch(text) or int(text) < least:
        raise ClientError(400, f"{name} must be a whole number from {least} up, not {text[:40]!r}")
    return int(text)


def epoch_id(text: str) -> str:
    """An epoch as frames name it."""
    if not _EPOCH.fullmatch(text):
        raise ClientError(400, f"epoch is what the frames hold as `epoch`, not {text[:40]!r}")
    return text


def media_type(accept: str) -> str:
    """The one of `TYPES` that an Accept header likes best; `text/plain` where there is none."""
    if not accept.strip():
        return TEXT
    ranges = _weights(accept)
    best = max(TYPES, key=lambda offered: _quality(offered, ranges))  # the first of equals
    if _quality(best, ranges) <= 0:
        raise ClientError(406, f"a log is sent as {', '.join(TYPES)}, not as {accept[:80]!r}")
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header asks for gzip."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _quality(offered: str, ranges: dict[str, float]) -> float:
    """The weight of the most specific range that covers the type."""
    for candidate in (offered, offered.partition("/")[0] + "/*", "*/*"):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0


def _weights(header: str) -> dict[str, float]:
    """`a;q=0.5, b` as {a: 0.5, b: 1.0}; what cannot be read weighs nothing."""
    weights = {}
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        weights[name] = float(quality) if re.fullmatch(r"[01](\.[0-9]{0,3})?", quality) else 0.0
    return weights
