"""Row 10: how long `raytap --help`, a daemon that is ready, and `import subscribers` take.

    python -m benchmarks.startup [--rounds 15] [--json]

Each in a fresh process, from its start to its end, beside bare Python (`python -c pass`). The
daemon: from its start to the first 200 of `/readyz`, asked every 2 ms, with the stand-in for Ray
there and no job. The files are in the page cache and the bytecode is written: these are second
starts, not first ones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.daemon import Daemon
from benchmarks.measure import parse, parser, take_turns
from benchmarks.result import Claim, Result, Work, print_result
from benchmarks.standin import StandIn

RAYTAP: Final = str(Path(sys.executable).with_name("raytap"))
COMMANDS: Final = {
    "bare Python": ([sys.executable, "-c", "pass"], ""),
    "raytap --help": ([RAYTAP, "--help"], "Usage: raytap"),
    "import subscribers": (
        [sys.executable, "-c", "import subscribers; print(subscribers.Subscription)"],
        "<class",
    ),
}
READY: Final = "daemon ready"
TARGETS: Final = {"raytap --help": 0.150, READY: 1.0, "import subscribers": 0.120}


def command(words: list[str], says: str) -> float:
    """Seconds of one; checks what it says."""
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    if not done.stdout.startswith(says):
        raise AssertionError(f"{words}: {done.stdout[:200]}")
    return seconds


def ready(ray: str) -> float:
    """Seconds of a daemon's start."""
    with tempfile.TemporaryDirectory(prefix="raytap-") as home:
        daemon = Daemon(Path(home, "d"), ray)
        start = time.perf_counter()
        with daemon:
            return time.perf_counter() - start


def main() -> None:
    """Run and report."""
    made = parser(__doc__, rounds=15)
    options = parse(made)
    with tempfile.TemporaryDirectory() as bytecode, StandIn() as standin:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        contenders = {name: partial(command, *call) for name, call in COMMANDS.items()}
        contenders[READY] = partial(ready, standin.url)
        take_turns(contenders, 1)  # fills the page cache, writes the bytecode
        seconds = take_turns(contenders, options.rounds)
    claims = [
        Claim("10", name, "–", "s", seconds[name], at_most=target)
        for name, target in TARGETS.items()
    ]
    bare = seconds["bare Python"]
    figures = {
        name: {
            "seconds": taken,
            "more than bare": [mine - other for mine, other in zip(taken, bare, strict=True)],
        }
        for name, taken in seconds.items()
    }
    print_result(Result(claims, [Work("Starting", figures)]), options.json)


if __name__ == "__main__":
    main()
