"""Topics: `{cluster}/{job}/`. The final slash keeps `job-1` from matching `job-12`. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final, NamedTuple

CHANNEL_PREFIX: Final = "raytap/"


class Stream(NamedTuple):
    """One job's log on one cluster; both parts are valid resource ids."""

    cluster: str
    job: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.job}"

    @property
    def topic(self) -> bytes:
        """The ZeroMQ topic; on Redis the channel is `raytap/` + topic."""
        return f"{self.cluster}/{self.job}/".encode()


def parse_topic(topic: bytes) -> Stream | None:
    """The stream a topic names, or None where it names none."""
    parts = topic.decode("ascii", "replace").split("/")
    return Stream(parts[0], parts[1]) if len(parts) == 3 and not parts[2] else None


def matches(pattern: str, stream: Stream) -> bool:
    """Whether `[cluster/]job`, each part a glob, names the stream."""
    cluster, slash, job = pattern.rpartition("/")
    return fnmatchcase(stream.job, job) and (not slash or fnmatchcase(stream.cluster, cluster))


def subscribed(prefix: bytes, stream: Stream) -> bool:
    """Whether a ZeroMQ subscription to `prefix` receives the stream."""
    return stream.topic.startswith(prefix)
