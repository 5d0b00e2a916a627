"""A program beside the daemon as its child process; its configuration comes on standard input.

The daemon's own, resolved: flags and environment included, and no secret on a command line.
"""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from broker.cli import reported
from broker.config import Config
from broker.events import setup
from broker.supervisor import Program
from broker.tether import tie_to_parent

_COMMANDS: Final = {"dashboard": "dashboard", "alerts": "alerts_run"}


def programs(config: Config) -> list[Program]:
    """What the configuration wants to run beside the daemon."""
    wanted = {"dashboard": config.dashboard.enabled, "alerts": config.alerts.enabled}
    given = msgspec.json.encode(config)
    return [Program(name, __name__, (name,), given) for name, on in wanted.items() if on]


def main() -> int:
    """Run the one that the first argument names, until told to stop; its exit status."""
    # The daemon passes it to all: the alerts read their rules again, to others it says nothing.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tie_to_parent()
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=Config)
    module = importlib.import_module(f"broker.commands.{_COMMANDS[sys.argv[1]]}")
    run: Callable[[Config], object] = module.run
    setup(config.log.format, config.log.level)
    return reported(lambda: run(config))


if __name__ == "__main__":
    sys.exit(main())
