"""`raytap serve` as the demo's child process: the very command, tied to its parent."""

from broker.cli import main
from broker.processes.tether import tie_to_parent

if __name__ == "__main__":
    tie_to_parent()
    main()
