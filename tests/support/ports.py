"""Ports that nobody listens at."""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from functools import cache

# The kernel hands out none of these to whoever binds port 0, and `LocalRay` takes none.
_FIRST, _STOP = 12_000, 20_000


def free_port() -> int:
    """A port of 127.0.0.1 that is free, and stays so until the caller binds it, or again.

    No other test process of this run gets it, and this one not before it got thousands of others.
    """
    return next(port for port in _ports() if _is_free(port))


@cache
def _ports() -> Iterator[int]:
    """This worker's, again and again; in random order, for other runs on the same machine."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(_FIRST + worker % workers, _STOP, workers)
    return itertools.cycle(random.sample(mine, len(mine)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
