"""The processes below one root, found in /proc (Linux).

Each is remembered by pid and start time, so one that left its session or its parent is still
known, and a pid that a stranger uses again is never taken for one of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class _Stat(NamedTuple):
    parent: int
    started: int  # clock ticks since boot
    zombie: bool


class ProcessTree:
    """The descendants of a running process, itself not among them. Not thread-safe."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._root_started = _snapshot()[root].started
        self._known: dict[int, int] = {}  # pid: started

    def alive(self) -> list[int]:
        """Pids of those that run now."""
        stats = _snapshot()
        children: dict[int, list[int]] = {}
        for pid, stat in stats.items():
            children.setdefault(stat.parent, []).append(pid)
        known = {
            pid: started
            for pid, started in self._known.items()
            if pid in stats and stats[pid].started == started
        }
        parents = list(known)
        if self._root in stats and stats[self._root].started == self._root_started:
            parents.append(self._root)
        while parents:
            for child in children.get(parents.pop(), ()):
                if child not in known:
                    known[child] = stats[child].started
                    parents.append(child)
        self._known = known
        return [pid for pid in known if not stats[pid].zombie]

    def kill(self) -> None:
        """SIGKILL to each that runs now."""
        for pid in self.alive():
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                os.kill(pid, signal.SIGKILL)


def command(pid: int) -> str:
    """A process's command line or title, empty where it is gone."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (OSError, UnicodeDecodeError):
        return ""


def _snapshot() -> dict[int, _Stat]:
    stats = {}
    for name in os.listdir(_PROC):
        if name.isdigit():
            try:
                text = (_PROC / name / "stat").read_bytes()
            except OSError:  # gone in the meantime
                continue
            # pid (name, which may hold anything) state parent …; field 22 is the start time
            fields = text[text.rindex(b")") + 2 :].split()
            stats[int(name)] = _Stat(int(fields[1]), int(fields[19]), fields[0] in (b"Z", b"X"))
    return stats
