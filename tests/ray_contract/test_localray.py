"""LocalRay leaves nothing behind, and says clearly what went wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broker.errors import ClientError
from broker.localray import LocalRay
from broker.proctree import ProcessTree
from tests.support.wait import wait_until


def test_a_directory_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="at most 40 characters") as caught:
        LocalRay(tmp_path / ("x" * 40))
    assert caught.value.status == 400


@pytest.mark.ray
def test_a_head_that_fails_to_start_says_why_and_leaves_nothing(ray_head: LocalRay) -> None:
    head = LocalRay(env={"RAY_AUTH_MODE": "no-such-mode"})
    with pytest.raises(ClientError, match="no-such-mode") as caught:
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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_all_of_it_ends_with_a_parent_that_ends_while_it_starts(
    ray_head: LocalRay, number: signal.Signals
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", "from broker.localray import LocalRay; LocalRay().start()"],
        stderr=subprocess.DEVNULL,
    )
    tree = ProcessTree(parent.pid)
    wait_until(lambda: len(tree.alive()) > 3, 30, "Ray's first processes are there")
    parent.send_signal(number)
    parent.wait(30)
    wait_until(lambda: not tree.alive(), 30, "all of them are gone")
