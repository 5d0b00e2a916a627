"""The stress run, for 30 seconds of it."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(180)
def test_all_faults_at_once_break_no_promise() -> None:
    seed = random.randrange(2**32)
    options = ["--seed", str(seed), "--seconds", "30", "--jobs", "12"]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.stress", *options],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, run.stdout
