"""The state directory: closed to others, one daemon's at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.processes.state_dir import LOCK_NAME, StateDir, StateDirInUse


def test_it_is_made_for_its_owner_only(tmp_path: Path) -> None:
    with StateDir(tmp_path / "a" / "b") as state:
        assert stat.S_IMODE(state.path.stat().st_mode) == 0o700
        assert stat.S_IMODE((state.path / LOCK_NAME).stat().st_mode) == 0o600
        assert state.journal.parent == state.path


def test_a_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with StateDir("~/state") as state:
        assert state.path == tmp_path / "state"


def test_a_second_daemon_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    with (
        StateDir(tmp_path / "s"),
        pytest.raises(StateDirInUse, match=rf"in use by another raytap \(pid {os.getpid()}\)"),
    ):
        StateDir(tmp_path / "s")


def test_closing_lets_another_have_it_and_may_be_done_twice(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "s")
    state.close()
    state.close()
    with StateDir(tmp_path / "s"):
        pass


def test_a_daemon_that_was_killed_leaves_no_lock_behind(tmp_path: Path) -> None:
    code = (
        "import sys; from broker.processes.state_dir import StateDir; s = StateDir(sys.argv[1]);"
        "print('locked', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "s")],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"locked\n"
        with pytest.raises(StateDirInUse, match=f"pid {daemon.pid}"):
            StateDir(tmp_path / "s")
        daemon.kill()
        daemon.wait()
    with StateDir(tmp_path / "s"):
        pass


def test_a_directory_that_others_can_look_into_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError, match=r"mode 0755.*chmod 700"):
        StateDir(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_another_users_directory_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "s"
    place.mkdir(mode=0o700)
    os.chown(place, 12345, -1)
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        StateDir(place)


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(ConfigError, match="state_dir: cannot use"):
        StateDir(tmp_path / "s")


def test_a_lock_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "s"
    place.mkdir(mode=0o700)
    (place / LOCK_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="state_dir: cannot use"):
        StateDir(place)
    assert not (tmp_path / "elsewhere").exists()
