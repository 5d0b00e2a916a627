"""A child process of the demo: its output in a file, itself out of reach of a Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from broker.errors import ClientError
from broker.processes.proctree import ProcessTree
from broker.processes.tether import PARENT

# What a raytap's exit status says, as the status of an error.
_STATUS: Final = {2: 400, 3: 503}
_LAST_LINES: Final = 3


class Child:
    """`python -m module arguments`, run from `start` to `stop` in a session of its own.

    `log`: the file its output goes to; it runs in that file's directory. It ends with us, however
    we go. Not thread-safe; `start` is called on the main thread, as it is that thread's end which
    ends the child.
    """

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], log: Path, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._env = {**env, PARENT: str(os.getpid())}
        self._process: subprocess.Popen[bytes] | None = None
        self._tree: ProcessTree | None = None

    def start(self) -> None:
        """Start it; it need not be ready yet."""
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                env=self._env,
                start_new_session=True,
            )
        self._tree = ProcessTree(self._process.pid)

    def ready(self) -> None:
        """It is up: what runs below it is remembered, so that `stop` ends that in any case."""
        if self._tree is not None:
            self._tree.alive()

    def check(self) -> None:
        """Raise `ClientError` with its last words where it has ended by itself."""
        status = self._process.poll() if self._process else None
        if status is None:
            return
        lines = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        said = " / ".join(line.removeprefix("raytap: ") for line in lines)
        message = f"{self.name} ended by itself (exit status {status}): {said or 'without a word'}"
        raise ClientError(_STATUS.get(status, 500), message)

    def stop(self, timeout: float) -> None:
        """SIGTERM, and after `timeout` seconds SIGKILL to it and all below it. Idempotent."""
        process, tree = self._process, self._tree
        self._process = self._tree = None
        if process is None or tree is None:
            return
        tree.alive()  # they are remembered, should their parent be gone first
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        tree.kill()
