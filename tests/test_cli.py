"""The group: subcommands when they are called, errors as one line and an exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import click
import pytest

from broker import cli
from broker.errors import ClientError, ConfigError, JournalError
from broker.exit_status import ExitStatus, exit_status

ROOT = Path(__file__).parents[1]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """`raytap jobs` does what the test says: `.does` is called, its result returned."""
    told = SimpleNamespace(does=lambda: None)

    @click.command()
    def command() -> object:
        return told.does()

    module = ModuleType("broker.commands.jobs")
    module.command = command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "broker.commands.jobs", module)
    return told


def raising(error: BaseException) -> object:
    def does() -> object:
        raise error

    return does


@pytest.mark.parametrize("name", ["demo", "doctor", "export", "purge"])
def test_a_commands_help_fits_into_80_columns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_help_lists_every_command_and_imports_none() -> None:
    code = (
        "import sys\nfrom broker.cli import run\nstatus = run(['--help'])\n"
        "heavy = ('zmq', 'redis', 'requests', 'urllib3', 'starlette', 'rich', 'msgspec')\n"
        "print([name for name in heavy if name in sys.modules], status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 0"
    width = max(map(len, cli.COMMANDS))
    for name, help_text in cli.COMMANDS.items():
        assert f"  {name:<{width}}  {help_text}" in done.stdout


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("raytap ")


def test_an_unknown_command_or_option_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["srve"]) == ExitStatus.USAGE
    assert "No such command 'srve'" in capsys.readouterr().err
    assert cli.run(["doctor", "--colour"]) == ExitStatus.USAGE
    assert "No such option" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("result", "status"), [(None, 0), (ExitStatus.JOB_FAILED, 10), (ExitStatus.CHECK_FAILED, 1)]
)
def test_what_a_command_returns_is_the_exit_status(
    stand_in: SimpleNamespace, result: object, status: int
) -> None:
    stand_in.does = lambda: result
    assert cli.run(["jobs"]) == status


def test_a_command_may_also_exit_by_its_context(stand_in: SimpleNamespace) -> None:
    stand_in.does = lambda: click.get_current_context().exit(4)
    assert cli.run(["jobs"]) == 4


def test_an_error_is_one_line_on_stderr_without_credentials(
    stand_in: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.does = raising(ClientError(503, "http://u:hunter2@h\n\x1b[2J"))
    assert cli.run(["jobs"]) == ExitStatus.UNREACHABLE
    out, err = capsys.readouterr()
    assert (out, err) == ("", "raytap: http://[REDACTED]@h\\n\\x1b[2J\n")


def test_an_interrupt_is_130_without_a_traceback(
    stand_in: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.does = raising(KeyboardInterrupt())
    assert cli.run(["jobs"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("x"), 2),
        (ClientError(400, "x"), 2),
        (ClientError(404, "x"), 4),
        (ClientError(408, "x"), 3),
        (ClientError(503, "x"), 3),
        (ClientError(429, "x"), 1),
        (ClientError(500, "x"), 1),
        (JournalError("x"), 1),
    ],
)
def test_each_error_has_its_exit_status(error: ClientError, status: int) -> None:
    assert exit_status(error) == status


def test_the_entry_point_exits_with_the_status() -> None:
    code = "import sys; from broker.cli import main; sys.argv = ['raytap', 'nothing']; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
