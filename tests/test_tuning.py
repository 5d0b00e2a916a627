"""What a server asks of its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Threads that are alive at the same time, each with memory that it took itself; then the number of
# heaps that the allocator tells.
_HEAPS = """
import ctypes, sys, threading
from broker.commands.tuning import tune_for_threads
if sys.argv[1] == "tuned":
    tune_for_threads()
together = threading.Barrier(4)
def work():
    taken = [bytes(10_000) for _ in range(100)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
print(open(sys.argv[2]).read().count("<heap nr="))
"""


def _heaps(how: str, told: Path) -> int:
    run = [sys.executable, "-c", _HEAPS, how, str(told)]
    return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)


def test_the_threads_of_a_server_share_one_heap(tmp_path: Path) -> None:
    assert _heaps("as it is", tmp_path / "told") > 1
    assert _heaps("tuned", tmp_path / "told") == 1
