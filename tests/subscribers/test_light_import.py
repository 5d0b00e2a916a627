"""A subscriber does not load the daemon, nor a client that it does not use."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("redis", "urllib3", "requests", "starlette", "uvicorn", "sqlite3", "rich", "click", "zmq")


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, subscribers; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert not set(HEAVY) & set(loaded)


def test_importing_the_client_loads_no_transport() -> None:
    program = "import sys; from subscribers import Subscription; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert not set(HEAVY) & set(loaded)
