"""`raytap token new`, and `--token` of the commands that ask a daemon."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from broker import cli
from broker.access.access import Access
from broker.commands.token_option import token_option
from broker.config.settings import resolve

TOKEN = re.compile(r"^raytap_\w{43}$", re.MULTILINE)


def made(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """The token, and the section on standard output."""
    assert cli.run(["token", "new", *arguments]) == 0
    out, err = capsys.readouterr()
    (token,) = TOKEN.findall(err)
    return token, out


def test_a_token_is_not_called_as_serves_own_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["token", "new", "raytap-serve"]) == 2
    assert "take another" in capsys.readouterr().err


def test_the_section_lets_the_token_in_when_it_is_appended_to_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    token, section = made(
        capsys, "oncall", "--clusters", "prod", "--jobs", "train-*, lab/eval", "--actions",
        "read,admin",
    )  # fmt: skip
    other, more = made(capsys, "other")
    (tmp_path / "raytap.toml").write_text('state_dir = "x"' + "\n" + section + more)
    access = Access.of(resolve({}, {}, tmp_path).config.access)
    grant = access.authenticate(token)
    assert (grant.name, grant.clusters, grant.jobs) == (
        "oncall",
        ("prod",),
        ("train-*", "lab/eval"),
    )
    assert grant.actions == {"read", "admin"}
    assert access.authenticate(other).actions == {"read"}


def test_where_the_section_goes_to_a_file_nothing_is_announced_that_does_not_follow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.run(["token", "new", "oncall"])
    _, token, advice = capsys.readouterr().err.splitlines()
    assert TOKEN.fullmatch(token)
    assert advice == "SIGHUP makes the servers take it; the first one needs a start."
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    cli.run(["token", "new", "oncall"])
    assert capsys.readouterr().err.splitlines()[2:] == [
        "Its section of the configuration:",
        "SIGHUP makes the servers take it; the first one needs a start.",
    ]


def test_the_token_is_not_in_its_section(capsys: pytest.CaptureFixture[str]) -> None:
    token, section = made(capsys, "oncall")
    assert token not in section
    assert list(tomllib.loads(section)["access"]["token"]) == ["oncall"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["on call"], "a token's name is 1 to 100 letters"),
        (["a/../b"], "a token's name is 1 to 100 letters"),
        (["a", "--actions", "write"], "--actions: 'write' is none of read, admin"),
        (["a", "--jobs", "a/b/c"], "'a/b/c' is not a pattern"),
        (["a", "--clusters", ""], "'' is not a pattern"),
    ],
)
def test_what_opens_nothing_is_not_made(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert cli.run(["token", "new", *arguments]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert "raytap_" not in out + err


def test_into_a_folder_it_is_written_once_for_its_owner_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    assert cli.run(["token", "new", "compose", "--into", str(folder)]) == 0
    out, err = capsys.readouterr()
    holder, settings = folder / "compose.token", folder / "compose.toml"
    token = holder.read_text().strip()
    assert TOKEN.fullmatch(token)
    assert token not in out + err
    assert {stat.S_IMODE(path.stat().st_mode) for path in (holder, settings)} == {0o600}
    access = Access.of(resolve({"config": str(settings)}, {}, tmp_path).config.access)
    assert access.authenticate(token).name == "compose"
    assert cli.run(["token", "new", "compose", "--into", str(folder)]) == 0
    assert holder.read_text().strip() == token
    settings.unlink()  # half of it is no use to anyone
    assert cli.run(["token", "new", "compose", "--into", str(folder)]) == 0
    assert holder.read_text().strip() != token


def test_a_folder_that_cannot_be_written_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert cli.run(["token", "new", "a", "--into", str(tmp_path / "file" / "x")]) == 1
    assert "cannot write" in capsys.readouterr().err


@click.command()
@token_option
def shows(token: str | None) -> None:
    click.echo(f"{token}")


def test_a_token_comes_from_the_option_a_file_or_the_environment(tmp_path: Path) -> None:
    holder = tmp_path / "token"
    holder.write_text("raytap_file\n")

    def shown(*arguments: str, **env: str) -> str:
        return CliRunner().invoke(shows, arguments, env=env).output

    assert shown() == "None\n"
    assert shown("--token", "raytap_x") == "raytap_x\n"
    assert shown("--token", f"@{holder}") == "raytap_file\n"
    assert shown(RAYTAP_TOKEN="raytap_env") == "raytap_env\n"
    assert shown(RAYTAP_TOKEN=f"@{holder}") == "raytap_file\n"
    assert shown("--token", "raytap_x", RAYTAP_TOKEN="raytap_env") == "raytap_x\n"
    assert shown(RAYTAP_TOKEN="") == "None\n"


@pytest.mark.parametrize("value", ["Bearer raytap_x", "raytap_x\nraytap_y", "raytäp", "@/no/file"])
def test_what_is_no_token_is_refused_and_not_shown(value: str) -> None:
    result = CliRunner().invoke(shows, ["--token", value])
    assert result.exit_code == 2
    assert "raytap_x" not in result.output
