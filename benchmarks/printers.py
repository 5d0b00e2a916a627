"""What plays the jobs of a stand-in: one process that prints to many logs, and one that floods one.

A line says when it was printed (ns since 1970) and its number.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

TICK: Final = 0.02  # seconds between two writes to a log
SLOTS: Final = 20  # within a tick, so that not all logs are written at once
FLOOD_BLOCK: Final = 1 << 20


@contextmanager
def printing(paths: Sequence[Path], lines_per_s: int) -> Iterator[Event]:
    """Print to every log at that rate from a process of its own, until the event is set."""
    with _process(_print, paths, max(1, round(lines_per_s * TICK))) as stop:
        yield stop


@contextmanager
def flooding(path: Path, mb_per_s: float) -> Iterator[Event]:
    """Print to one log at that rate, 1 MiB at a time."""
    with _process(_flood, path, mb_per_s) as stop:
        yield stop


@contextmanager
def _process(target: object, *arguments: object) -> Iterator[Event]:
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    process = spawn.Process(target=target, args=(*arguments, stop), daemon=True)  # type: ignore[arg-type]
    process.start()
    try:
        yield stop
    finally:
        stop.set()
        process.join()


def _print(paths: Sequence[Path], lines: int, stop: Event) -> None:
    with ExitStack() as stack:
        logs = [stack.enter_context(path.open("ab", buffering=0)) for path in paths]
        groups = [logs[slot::SLOTS] for slot in range(SLOTS)]
        number, at = 0, time.monotonic()
        while not stop.is_set():
            for group in groups:
                for log in group:
                    now = time.time_ns()
                    log.write(
                        b"".join(
                            [
                                b"%d %d loss=0.123 tokens/s=48211\n" % (now, number + index)
                                for index in range(lines)
                            ]
                        )
                    )
                at += TICK / SLOTS
                time.sleep(max(0.0, at - time.monotonic()))  # its rate
            number += lines


def _flood(path: Path, mb_per_s: float, stop: Event) -> None:
    line = b"2026-11-21 09:14:03,118 INFO flood.py:212 -- as fast as it can be read, and faster\n"
    block = line * (FLOOD_BLOCK // len(line))
    with path.open("ab", buffering=0) as log:
        at = time.monotonic()
        while not stop.is_set():
            log.write(block)
            at += len(block) / 1e6 / mb_per_s
            time.sleep(max(0.0, at - time.monotonic()))  # its rate
