"""Permissions for tests: none, and a token that opens what a test says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from broker.access.access import Access
from broker.access.token import PREFIX, hash_token
from broker.config.config import AccessConfig, Action, TokenConfig

OPEN: Final = Access({}, None, time.time)
"""No permissions are configured."""

TOKEN: Final = PREFIX + ("aB3" * 15)[:43]  # the same in each of the processes that test
"""What `access` opens things to."""


def config(
    jobs: Sequence[str] = ("*",),
    clusters: Sequence[str] = ("*",),
    actions: Sequence[Action] = ("read",),
    name: str = "tester",
) -> AccessConfig:
    """`TOKEN` may do this, and nothing else may anything."""
    token = TokenConfig(
        hash=hash_token(TOKEN), clusters=list(clusters), jobs=list(jobs), actions=list(actions)
    )
    return AccessConfig(token={name: token})


def access(
    jobs: Sequence[str] = ("*",),
    clusters: Sequence[str] = ("*",),
    actions: Sequence[Action] = ("read",),
    clock: Callable[[], float] = time.time,
) -> Access:
    """The same, ready to be asked."""
    return Access.of(config(jobs, clusters, actions), clock)
