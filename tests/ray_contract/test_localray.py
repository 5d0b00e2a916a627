"""LocalRay leaves nothing behind, and says clearly what went wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from broker.errors import ClientError
from broker.processes.localray import LocalRay
from broker.processes.proctree import ProcessTree, command
from tests.support.wait import wait_until


def test_a_directory_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="at most 40 characters") as caught:
        LocalRay(tmp_path / ("x" * 40))
    assert caught.value.status == 400


@pytest.mark.ray
def test_a_head_that_fails_to_start_says_why_and_leaves_nothing(ray_head: LocalRay) -> None:
    head = LocalRay(num_cpus=-1)
    with pytest.raises(ClientError, match="must be nonnegative") as caught:
        head.start(timeout=30)
    assert caught.value.status == 503
    with pytest.raises(ClientError, match="not running"):
        _ = head.session_dir


@pytest.mark.ray
def test_its_processes_are_found_by_name(ray_head: LocalRay) -> None:
    for name in ("agent", "dashboard", "gcs", "JobHead", "raylet", "StateHead"):
        assert len(ray_head.pids(name)) == 1
    with pytest.raises(KeyError):
        ray_head.pids("no such")


@pytest.mark.ray
def test_the_sockets_of_its_dashboard_lie_in_its_own_directory(ray_head: LocalRay) -> None:
    assert list(ray_head.session_dir.parent.glob("tmp/pymp-*"))


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_all_of_it_ends_with_a_parent_that_ends_while_it_starts(
    ray_head: LocalRay, number: signal.Signals
) -> None:
    code = "import sys;from broker.processes.localray import *;LocalRay(Path(sys.argv[1])).start()"
    with tempfile.TemporaryDirectory(prefix="rt-", dir="/tmp", ignore_cleanup_errors=True) as home:
        parent = subprocess.Popen([sys.executable, "-c", code, home], stderr=subprocess.DEVNULL)
        tree = ProcessTree(parent.pid)
        wait_until(lambda: _has(tree, "/raylet/raylet "), 30, "Ray comes up")
        parent.send_signal(number)
        parent.wait(30)
        wait_until(lambda: not tree.alive(), 10, "all of it is gone")


@pytest.mark.ray
def test_a_head_that_lost_its_raylet_leaves_nothing(ray_head: LocalRay) -> None:
    with LocalRay() as head:
        head.wait(head.submit("setsid sleep 77777"), {"RUNNING"})
        tree = ProcessTree(os.getpid())
        wait_until(lambda: _has(tree, "sleep 77777"), 10, "the job's process is there")
        (raylet,) = head.pids("raylet")
        os.kill(raylet, signal.SIGKILL)
    assert not _has(tree, "sleep 77777")


def _has(tree: ProcessTree, text: str) -> bool:
    return any(text in command(pid) for pid in tree.alive())
