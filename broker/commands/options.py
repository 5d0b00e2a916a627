"""The options that `serve`, `doctor` and others share, and the configuration they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from broker.config.settings import Resolved, resolve

Command = TypeVar("Command", bound=Callable[..., Any])

# Choices are not checked here: the configuration does it for every origin alike.
_OPTIONS: Final = (
    click.option("--config", metavar="FILE", help="Settings; else ./raytap.toml if there is one."),
    click.option(
        "--ray",
        multiple=True,
        metavar="[NAME=]URL",
        help="A Ray dashboard, such as http://HOST:8265; may be given several times.",
    ),
    click.option("--redis", metavar="URL", help="Publish on this Redis too."),
    click.option("--zeromq", metavar="ENDPOINT", help="Bind ZeroMQ here: tcp://127.0.0.1:5556."),
    click.option("--http", metavar="HOST:PORT", help="Bind the HTTP API here: 127.0.0.1:8270."),
    click.option("--state-dir", metavar="DIR", help="The journal's and the lock's place."),
    click.option("--protocol", metavar="auto|http|websocket", help="How logs are read."),
    click.option("--follow", metavar="running|all", help="Finished jobs too, or not."),
    click.option(
        "--job",
        multiple=True,
        metavar="PATTERN",
        help="Only jobs like this: globs of [CLUSTER/]JOB; may be given several times.",
    ),
    click.option(
        "--insecure", is_flag=True, help="Bind beyond this machine though everyone may read there."
    ),
    click.option("--log-format", metavar="auto|text|json", help="Of raytap's own log."),
    click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
)


def config_options(command: Command) -> Command:
    """Add the options; the command takes them as `**flags` and hands them to `configuration`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def configuration(flags: Mapping[str, object]) -> Resolved:
    """The configuration of this process. Raises `ConfigError`."""
    return resolve(flags, os.environ, Path.cwd())
