"""Programs that run beside the daemon, each in a process of its own: the dashboard, the alerts.

One that ends is started again, after a pause that grows; it ends with us, however we go. Nothing
waits for it: the daemon is the same whether it runs or not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Final, NamedTuple

from broker.backoff import Backoff
from broker.events import get_logger
from broker.processes.tether import PARENT

events: Final = get_logger("supervisor")

_NOT_STARTED: Final = "exit status 2"  # wrong usage or configuration
_MEND_S: Final = 30.0
_STEADY_S: Final = 60.0  # one that ran so long is started again at once


class Program(NamedTuple):
    """`python -m module arguments`; `given` is the first line of its standard input, which stays
    open for others."""

    name: str
    module: str
    arguments: tuple[str, ...]
    given: bytes


class Supervisor:
    """`start` and `stop` are called on one thread, the rest on any."""

    def __init__(
        self,
        programs: Sequence[Program] = (),
        backoff: Callable[[], Backoff] = lambda: Backoff(1.0, 30.0),
    ) -> None:
        self._watches = [_Watch(program, backoff()) for program in programs]

    def start(self) -> None:
        """Start them; they need not be ready yet."""
        for watch in self._watches:
            watch.start()

    def ask_to_stop(self) -> None:
        """SIGTERM to all, without waiting. Idempotent."""
        for watch in self._watches:
            watch.ask_to_stop()

    def stop(self, timeout: float) -> None:
        """SIGTERM to all, SIGKILL to those that live after `timeout` seconds. Idempotent."""
        deadline = time.monotonic() + timeout
        self.ask_to_stop()
        for watch in self._watches:
            watch.stop(max(0.05, deadline - time.monotonic()))

    def signal(self, number: int) -> None:
        """Pass a signal on to those that run. Any thread, from a signal handler too."""
        for pid in self.pids().values():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def tell(self, line: bytes, given: bytes) -> None:
        """Another line for those that run; those that are started later are `given` that. Any
        thread; it waits for one that does not read."""
        for watch in self._watches:
            watch.tell(line, given)

    def problems(self) -> list[str]:
        """Those that do not run, a line each."""
        return [f"{watch.name}: {watch.problem}" for watch in self._watches if watch.problem]

    def up(self) -> dict[tuple[str, ...], float]:
        """1 for each that runs, by name."""
        return {(watch.name,): float(watch.pid is not None) for watch in self._watches}

    def restarts(self) -> dict[tuple[str, ...], float]:
        """How often each was started again, by name."""
        return {(watch.name,): float(watch.restarts) for watch in self._watches}

    def pids(self) -> dict[str, int]:
        """Those that run."""
        return {watch.name: watch.pid for watch in self._watches if watch.pid is not None}


class _Watch:
    """One program and the thread that waits for its end. That thread starts it, too: where a
    thread ends, what is tied to it is ended by the kernel."""

    def __init__(self, program: Program, backoff: Backoff) -> None:
        self.name = program.name
        self.problem = ""  # why it does not run
        self.restarts = 0
        self._program = program
        self._backoff = backoff
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._listens: IO[bytes] | None = None  # the standard input of one that was given its own
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"raytap-{program.name}-watch", daemon=True
        )

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        with self._lock:
            if self._process is not None and not self._stopping.is_set():
                self._process.terminate()  # once: a second one would end it at once
            self._stopping.set()

    def stop(self, timeout: float) -> None:
        if self._thread.ident is None:
            return
        self._thread.join(timeout)
        with self._lock:
            if self._process is not None and self._process.returncode is None:
                events.warning("child_killed", child=self.name)
                self._process.kill()
        self._thread.join()

    def tell(self, line: bytes, given: bytes) -> None:
        with self._writing:
            self._program = self._program._replace(given=given)
            if self._listens is not None:
                _write(self._listens, line)

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            status = self._once()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > _STEADY_S:
                self._backoff.reset()
            pause = self._backoff.next()
            if status == _NOT_STARTED:  # it will be so again until somebody mends it
                pause = max(pause, _MEND_S)
            self.restarts += 1
            self.problem = f"it ended by itself ({status}); its log says why"
            events.error("child_ended", child=self.name, how=status, again_in_s=round(pause, 1))
            self._stopping.wait(pause)

    def _once(self) -> str:
        """Run it to its end; how that was."""
        program = self._program
        with self._lock:
            if self._stopping.is_set():
                return ""
            try:
                self._process = process = subprocess.Popen(
                    [sys.executable, "-P", "-m", program.module, *program.arguments],
                    stdin=subprocess.PIPE,
                    env={**os.environ, PARENT: str(os.getpid())},
                    start_new_session=True,  # a Ctrl-C is for us; we tell it
                )
            except OSError as error:
                return f"it cannot be started: {error.strerror}"
        events.info("child_started", child=self.name, pid=process.pid)
        self.problem = ""
        assert process.stdin is not None
        with self._writing:
            _write(process.stdin, self._program.given)
            self._listens = process.stdin
        process.wait()
        with self._writing:
            self._listens = None
            with suppress(OSError):  # what it did not take
                process.stdin.close()
        return f"exit status {process.returncode}"


def _write(stream: IO[bytes], line: bytes) -> None:
    with suppress(OSError):  # it ended: what waits for that says how
        stream.write(line + b"\n")
        stream.flush()
