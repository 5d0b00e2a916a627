"""A program beside the daemon as its child process; its configuration comes on standard input.

The daemon's own, resolved: flags and environment included, and no secret on a command line. Each
further line there is another `[access]`.
"""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from broker.cli import reported
from broker.commands.access_changes import AccessChanges, FromParent
from broker.config.config import Config
from broker.events import setup
from broker.processes.supervisor import Program
from broker.processes.tether import tie_to_parent

_COMMANDS: Final = {"dashboard": "dashboard", "alerts": "alerts_run"}


def programs(config: Config) -> list[Program]:
    """What the configuration wants to run beside the daemon."""
    wanted = {"dashboard": config.dashboard.enabled, "alerts": config.alerts.enabled}
    return [Program(name, __name__, (name,), given(config)) for name, on in wanted.items() if on]


def given(config: Config) -> bytes:
    """What such a program is given as its first line."""
    return msgspec.json.encode(config)


def main() -> int:
    """Run the one that the first argument names, until told to stop; its exit status."""
    # The daemon passes it to all: the alerts read their rules again, others are told more.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tie_to_parent()
    # Not `sys.stdin`: a thread waits in it to the end, and Python aborts where it can't lock that.
    stdin = open(0, "rb", closefd=False)  # noqa: SIM115
    config = msgspec.json.decode(stdin.readline(), type=Config)
    module = importlib.import_module(f"broker.commands.{_COMMANDS[sys.argv[1]]}")
    run: Callable[[Config, AccessChanges], object] = module.run
    setup(config.log.format, config.log.level)
    return reported(lambda: run(config, FromParent(stdin)))


if __name__ == "__main__":
    sys.exit(main())
