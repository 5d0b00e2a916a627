"""What a process holds, read from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """Counts, and bytes of memory that are its own (no mapped files)."""

    threads: int
    files: int  # sockets are files too
    memory: int


def usage_of(pid: int) -> Usage:
    """Raises `FileNotFoundError` where the process is gone."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = int(status.partition("RssAnon:")[2].split()[0]) * 1024
    threads = len(os.listdir(f"/proc/{pid}/task"))
    return Usage(threads, len(os.listdir(f"/proc/{pid}/fd")), memory)
