"""Which streams are wanted: globs of `[cluster/]job`, and what transports are asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from broker.errors import ClientError
from broker.topic import CHANNEL_PREFIX, Stream, matches

_PATTERN: Final = re.compile(r"(?:[\w*?\[\]!-]+/)?[\w*?\[\]!-]+", re.ASCII)
_GLOB: Final = re.compile(r"[*?\[]")


class Selection:
    """A set of patterns. Raises `ClientError` 400 for one that can name no stream."""

    def __init__(self, patterns: str | Sequence[str]) -> None:
        self.patterns = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        if not self.patterns:
            raise ClientError(400, "no job named; give job ids or globs, '*' for all")
        for pattern in self.patterns:
            if not _PATTERN.fullmatch(pattern):
                raise ClientError(
                    400, f"{pattern!r} is no job pattern: [cluster/]job, globs allowed"
                )

    def __contains__(self, stream: Stream) -> bool:
        return any(matches(pattern, stream) for pattern in self.patterns)

    @property
    def exact(self) -> list[Stream]:
        """The streams that are named in full, cluster and job."""
        return [
            Stream(*pattern.split("/"))
            for pattern in self.patterns
            if "/" in pattern and not is_glob(pattern)
        ]

    def prefixes(self) -> list[bytes]:
        """ZeroMQ subscriptions that receive every wanted stream, and maybe more."""
        return sorted({_prefix(pattern) for pattern in self.patterns})

    def channels(self) -> list[str]:
        """Redis channels to SUBSCRIBE to."""
        return [f"{CHANNEL_PREFIX}{stream}/" for stream in self.exact]

    def channel_patterns(self) -> list[str]:
        """Redis patterns to PSUBSCRIBE to. Redis negates a set with `^`, where globs use `!`."""
        return [
            f"{CHANNEL_PREFIX}{pattern if '/' in pattern else '*/' + pattern}/".replace("[!", "[^")
            for pattern in self.patterns
            if "/" not in pattern or is_glob(pattern)
        ]


def is_glob(pattern: str) -> bool:
    """Whether the pattern can name more than one job of a cluster."""
    return _GLOB.search(pattern) is not None


def _prefix(pattern: str) -> bytes:
    if "/" not in pattern:
        return b""
    glob = _GLOB.search(pattern)
    return (pattern[: glob.start()] if glob else pattern + "/").encode()
