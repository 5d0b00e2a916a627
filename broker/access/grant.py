"""What somebody may do. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

import msgspec

from broker.config.config import Action
from broker.errors import ClientError
from broker.topic import Stream, matches

ACTIONS: Final[frozenset[Action]] = frozenset({"read", "admin"})
_DOES: Final = {"read": "read", "admin": "change"}


class Grant(msgspec.Struct, frozen=True):
    """The jobs that a token opens, and what for: `read` their lines and state, `admin` to change
    or remove things. One does not hold the other. `expires`: unix seconds; `origin`: which token
    or key it comes from, for `Access.holds`."""

    name: str
    clusters: tuple[str, ...] = ()  # globs
    jobs: tuple[str, ...] = ()  # globs of [cluster/]job
    actions: frozenset[Action] = frozenset()
    expires: float | None = None
    origin: str = ""

    def allows(self, stream: Stream, action: Action = "read") -> bool:
        """Whether the job is open to it."""
        return (
            action in self.actions
            and any(fnmatchcase(stream.cluster, cluster) for cluster in self.clusters)
            and any(matches(job, stream) for job in self.jobs)
        )

    def allows_cluster(self, cluster: str) -> bool:
        """Whether it may read any job of the cluster, be one there or not."""
        return (
            "read" in self.actions
            and any(fnmatchcase(cluster, pattern) for pattern in self.clusters)
            and any(_reaches(job, cluster) for job in self.jobs)
        )

    def check(self, stream: Stream, action: Action = "read") -> None:
        """Raise `ClientError` 403 where `allows` says no; that tells nothing of the job."""
        if not self.allows(stream, action):
            raise ClientError(403, f"{self._who} may not {_DOES[action]} job {stream}")

    def check_action(self, action: Action) -> None:
        """Raise `ClientError` 403 where it lacks an action that is about no single job."""
        if action not in self.actions:
            raise ClientError(403, f"{self._who} lacks the action {action}")

    @property
    def _who(self) -> str:
        return f"the token {self.name!r}" if self.name else "this token"


ANYONE: Final = Grant("", ("*",), ("*",), ACTIONS)
"""Whoever reaches the address, where no permissions are configured."""


def _reaches(job: str, cluster: str) -> bool:
    pattern, slash, _ = job.rpartition("/")
    return not slash or fnmatchcase(cluster, pattern)
