"""`raytap sanitize`: the pipeline over a file, in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker import cli
from broker.exit_status import ExitStatus

ROOT = Path(__file__).parents[1]
TOKEN = "ghp_" + "a" * 36
LOG = f"one\r\n\x1b[31mred\x1b[0m {TOKEN}\ntqdm 1%\rAKIAABCDEFGHIJKLMNOP {TOKEN}\nlast".encode()


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from around the test."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("RAY_", "RAYTAP_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def log(tmp_path: Path) -> str:
    path = tmp_path / "job.log"
    path.write_bytes(LOG)
    return str(path)


def test_the_text_is_what_subscribers_get_with_its_own_line_ends(
    log: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.run(["sanitize", log]) == ExitStatus.OK
    out = capfdbinary.readouterr().out
    assert out == b"one\nred [REDACTED]\ntqdm 1%\r[REDACTED] [REDACTED]\nlast"


def test_the_summary_on_stderr_counts_by_rule(
    log: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    cli.run(["sanitize", log])
    assert capfdbinary.readouterr().err.decode() == (
        f"raytap: 5 lines, {len(LOG)} bytes; redacted: 3 (github-token 2, aws-access-key-id 1); "
        "truncated lines: 0\n"
    )


def test_the_summary_is_json_where_asked(
    log: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    cli.run(["sanitize", "--json", log])
    assert json.loads(capfdbinary.readouterr().err) == {
        "lines": 5,
        "bytes": len(LOG),
        "redacted": {"github-token": 2, "aws-access-key-id": 1},
        "truncated": 0,
    }


def test_a_private_key_over_several_lines_is_hidden_whole(
    log: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nAAAA\n-----END RSA PRIVATE KEY-----\nafter\n"
    Path(log).write_text(key)
    cli.run(["sanitize", log])
    out, err = capfdbinary.readouterr()
    assert out == b"[REDACTED]\n" * 4 + b"after\n"
    assert b"redacted: 1 (private-key 1)" in err


def test_the_configuration_decides_what_is_redacted_and_how_long_a_line_is(
    log: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    settings = tmp_path / "mine.toml"
    settings.write_text(
        '[limits]\nmax_message_size = 64\n[sanitize]\ndisable = ["github-token"]\n'
        'rules = ["emp-[0-9]+"]\n'
    )
    Path(log).write_text(f"{TOKEN} emp-12\n{'x' * 100}\n")
    assert cli.run(["sanitize", "--config", str(settings), log]) == ExitStatus.OK
    out, err = capfdbinary.readouterr()
    long = f"{'x' * 64} …[truncated 36 bytes]"
    assert out.decode() == f"{TOKEN} [REDACTED]\n{long}\n"
    assert b"extra-1 1" in err
    assert b"truncated lines: 1" in err


def test_a_missing_file_and_a_wrong_rule_are_usage_errors(
    log: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.run(["sanitize", str(tmp_path / "none")]) == ExitStatus.USAGE
    Path("raytap.toml").write_text('[sanitize]\nrules = ["("]\n')
    assert cli.run(["sanitize", log]) == ExitStatus.USAGE
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert b"'extra-1' is no RE2 pattern" in err


def test_standard_input_is_read_as_it_comes() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "from broker.cli import main; main()", "sanitize", "-"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{TOKEN}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline() == b"[REDACTED]\n"
        _, err = process.communicate(timeout=20)
    assert process.returncode == ExitStatus.OK
    assert err.startswith(b"raytap: 1 lines,")


def test_a_huge_log_with_a_huge_line_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.log"
    with path.open("wb") as file:
        for _ in range(60):
            file.write(b"0123456789abcde\n" * (1 << 16))
        file.write(b"y" * (40 << 20))
    code = (
        "import sys\nfrom broker.cli import run\nstatus = run(['sanitize', sys.argv[1]])\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(status, peak.split()[1], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    summary, status = done.stderr.splitlines()
    assert summary.endswith("redacted: 0; truncated lines: 1")
    assert status.split()[0] == "0"
    assert int(status.split()[1]) < 100_000, "KiB"
