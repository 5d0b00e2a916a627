"""Programs beside the daemon: started, started again, and ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.backoff import Backoff
from broker.processes.supervisor import Program, Supervisor
from tests.support.wait import wait_until

WRITES_AND_WAITS = """
import os, signal, sys
given = sys.stdin.readline().strip()
with open("{out}", "a") as out:
    print(os.getpid(), given, *sys.argv[1:], file=out)
signal.pause()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + WRITES_AND_WAITS
FAILS = """
with open("{out}", "a") as out:
    print("begun", file=out)
raise SystemExit({status})
"""
Make = Callable[[str], Supervisor]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def supervise(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A supervisor of one program, whose pauses are short."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made: list[Supervisor] = []

    def make(code: str) -> Supervisor:
        (tmp_path / "a_program.py").write_text(code.format(out=out, status=1))
        program = Program("viewer", "a_program", ("one", "two"), b"the configuration")
        supervisor = Supervisor([program], lambda: Backoff(0.05, 0.1))
        made.append(supervisor)
        supervisor.start()
        return supervisor

    yield make
    for supervisor in made:
        supervisor.stop(0.1)


def rows(out: Path) -> list[str]:
    return out.read_text().splitlines() if out.exists() else []


def runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_gets_its_arguments_and_what_it_is_given(supervise: Make, out: Path) -> None:
    supervisor = supervise(WRITES_AND_WAITS)
    wait_until(lambda: rows(out))
    pid = supervisor.pids()["viewer"]
    assert rows(out) == [f"{pid} the configuration one two"]
    assert supervisor.problems() == []
    assert supervisor.up() == {("viewer",): 1.0}


def test_one_that_is_killed_is_started_again(supervise: Make, out: Path) -> None:
    supervisor = supervise(WRITES_AND_WAITS)
    wait_until(lambda: rows(out))
    os.kill(supervisor.pids()["viewer"], signal.SIGKILL)
    wait_until(lambda: len(rows(out)) == 2)
    assert supervisor.restarts() == {("viewer",): 1.0}
    assert supervisor.problems() == []


def test_one_that_fails_is_told_of_and_tried_again(supervise: Make, out: Path) -> None:
    supervisor = supervise(FAILS)
    wait_until(lambda: len(rows(out)) >= 3)
    wait_until(supervisor.problems)
    assert supervisor.problems() == ["viewer: it ended by itself (exit status 1); its log says why"]


def test_a_signal_is_passed_on(supervise: Make, out: Path) -> None:
    code = "import signal; signal.signal(signal.SIGHUP, lambda *_: open('{out}', 'a').write('hup'))"
    supervisor = supervise(code + WRITES_AND_WAITS + "signal.pause()")
    wait_until(lambda: rows(out))
    supervisor.signal(signal.SIGHUP)
    wait_until(lambda: rows(out)[-1] == "hup")


def test_one_that_runs_is_told_more_and_one_that_is_started_later_is_given_it(
    supervise: Make, out: Path
) -> None:
    code = WRITES_AND_WAITS.replace(
        "signal.pause()", "for line in sys.stdin: print(line.strip(), file=open('{{out}}', 'a'))"
    )
    supervisor = supervise(code.replace("{{out}}", "{out}"))
    wait_until(lambda: rows(out))
    supervisor.tell(b"more", b"the new configuration")
    wait_until(lambda: rows(out)[-1] == "more")
    os.kill(supervisor.pids()["viewer"], signal.SIGKILL)
    wait_until(lambda: len(rows(out)) == 3)
    assert rows(out)[-1].endswith("the new configuration one two")


def test_one_that_does_not_run_is_told_nothing_and_that_is_no_error(
    supervise: Make, out: Path
) -> None:
    supervisor = supervise(FAILS)
    wait_until(lambda: rows(out))
    for _ in range(3):
        supervisor.tell(b"more" * 100_000, b"the new configuration")
    wait_until(lambda: len(rows(out)) >= 3)


def test_stopping_ends_it(supervise: Make, out: Path) -> None:
    supervisor = supervise(WRITES_AND_WAITS)
    wait_until(lambda: rows(out))
    pid = supervisor.pids()["viewer"]
    supervisor.stop(5.0)
    assert not runs(pid)
    assert len(rows(out)) == 1


def test_one_that_ends_in_order_is_asked_once_and_waited_for(supervise: Make, out: Path) -> None:
    code = (
        "import signal, time\n"
        "def stop(*_):\n"
        "    print('asked', file=open('{out}', 'a'))\n"
        "    time.sleep(0.3)\n"
        "    raise SystemExit(print('in order', file=open('{out}', 'a')))\n"
        "signal.signal(signal.SIGTERM, stop)"
    )
    supervisor = supervise(code + WRITES_AND_WAITS)
    wait_until(lambda: rows(out))
    supervisor.ask_to_stop()
    supervisor.stop(5.0)
    assert rows(out)[1:] == ["asked", "in order"]


def test_one_that_does_not_listen_is_killed_in_time(supervise: Make, out: Path) -> None:
    supervisor = supervise(STUBBORN)
    wait_until(lambda: rows(out))
    pid = supervisor.pids()["viewer"]
    supervisor.stop(0.2)
    assert not runs(pid)


def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path, out: Path) -> None:
    (tmp_path / "a_program.py").write_text(
        "from broker.processes.tether import tie_to_parent\ntie_to_parent()\n"
        + WRITES_AND_WAITS.format(out=out)
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal\nfrom broker.processes.supervisor import Program, Supervisor\n"
            "Supervisor([Program('viewer', 'a_program', (), b'')]).start()\nsignal.pause()",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    try:
        wait_until(lambda: rows(out))
        child = int(rows(out)[0].split()[0])
    finally:
        parent.kill()
        parent.wait(10)
    wait_until(lambda: not runs(child))
