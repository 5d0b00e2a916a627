"""`raytap token`: tokens for the HTTP APIs of the daemon, the dashboard and the alerts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Final, get_args

import click
import msgspec

from broker.access.token import hash_token, new_token
from broker.config.checks import problems
from broker.config.config import AccessConfig, Action, Config, TokenConfig
from broker.errors import ClientError, ConfigError

_ACTIONS: Final = get_args(Action)


class Words(click.ParamType[list[str]]):
    """Comma-separated words."""

    name = "words"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[str]:
        return [word.strip() for word in str(value).split(",")]


@click.group()
def command() -> None:
    """Make tokens for the HTTP APIs of the daemon, the dashboard and the alerts."""


@command.command()
@click.argument("name")
@click.option("--clusters", type=Words(), default="*", help="Globs, comma-separated. [*: all]")
@click.option(
    "--jobs", type=Words(), default="*", help="Globs of [CLUSTER/]JOB, comma-separated. [*: all]"
)
@click.option(
    "--actions",
    type=Words(),
    default="read",
    help="read, admin or both, comma-separated: admin removes and mutes. [read]",
)
@click.option(
    "--into",
    metavar="DIR",
    help="Write NAME.token and NAME.toml there, unless they are there, and print neither.",
)
def new(
    name: str, clusters: list[str], jobs: list[str], actions: list[str], into: str | None
) -> None:
    """Make a token, and the section of the configuration that lets it in.

    The section goes to standard output, such as `>> raytap.toml`, the token to standard error: it
    is shown this once, and nobody can find it out from the section.
    """
    token = new_token()
    section = _section(name, hash_token(token), clusters, jobs, actions)
    if into is not None:
        _write(Path(into).expanduser(), name, token, section)
        return
    click.echo(f"The token, shown this once; who holds it may do what is below:\n{token}", err=True)
    if sys.stdout.isatty():
        click.echo("Its section of the configuration:", err=True)
    click.echo(section, nl=False)
    click.echo("SIGHUP makes the servers take it; the first one needs a start.", err=True)


def _section(
    name: str, digest: str, clusters: list[str], jobs: list[str], actions: list[str]
) -> str:
    for action in actions:
        if action not in _ACTIONS:
            raise ConfigError(f"--actions: {action!r} is none of {', '.join(_ACTIONS)}")
    token = TokenConfig(
        hash=digest, clusters=clusters, jobs=jobs, actions=msgspec.convert(actions, list[Action])
    )
    for setting, message in problems(Config(access=AccessConfig(token={name: token}))):
        if setting.startswith("access."):
            raise ConfigError(f"{setting}: {message}")
    lists = {"clusters": clusters, "jobs": jobs, "actions": actions}
    rows = [f"{key} = {json.dumps(value)}" for key, value in lists.items()]  # it is TOML, too
    return "\n".join(["", f"[access.token.{name}]", f'hash = "{digest}"', *rows, ""])


def _write(directory: Path, name: str, token: str, section: str) -> None:
    """The token's file comes last: where it is there, the section is too."""
    holder, settings = directory / f"{name}.token", directory / f"{name}.toml"
    if holder.exists() and settings.exists():
        click.echo(f"raytap: {holder} is there already, and stays", err=True)
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in ((settings, section), (holder, token + "\n")):
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(text)
    except OSError as error:
        raise ClientError(500, f"cannot write {error.filename}: {error.strerror}") from None
    click.echo(f"raytap: {holder} holds the token, {settings} its section", err=True)
