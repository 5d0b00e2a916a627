"""A child process that ends when its parent does, however that went (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

PARENT: Final = "RAYTAP_PARENT"
"""The variable in which a child is told its parent's pid."""

_PR_SET_PDEATHSIG: Final = 1


def tie_to_parent() -> None:
    """From now on the parent's death sends SIGTERM; where it is gone already, exit at once."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    parent = os.environ.pop(PARENT, "")
    if parent and parent != str(os.getppid()):
        os._exit(0)
