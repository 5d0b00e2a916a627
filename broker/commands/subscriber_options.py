"""The options that `dashboard` and `alerts run` share, and the configuration they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeVar

import click
from msgspec.structs import replace

from broker.commands.options import configuration
from broker.config.checks import problems
from broker.config.config import Config
from broker.config.settings import Resolved
from broker.errors import ConfigError
from broker.events import get_logger, setup

Command = TypeVar("Command", bound=Callable[..., Any])

_UPSTREAM: Final = ("zeromq", "redis", "broker", "token_file")


def subscriber_options(bind_help: str) -> Callable[[Command], Command]:
    """Add the options; the command takes them as `**flags` and hands them to
    `subscriber_configuration`. `bind_help` says what `--bind` serves."""
    options = (
        click.option(
            "--config", metavar="FILE", help="Settings; else ./raytap.toml if there is one."
        ),
        click.option("--bind", metavar="HOST:PORT", help=bind_help),
        click.option(
            "--zeromq", multiple=True, metavar="ENDPOINT", help="Follow this broker's ZeroMQ."
        ),
        click.option("--redis", metavar="URL", help="Follow by this Redis instead."),
        click.option("--broker", multiple=True, metavar="URL", help="The broker's HTTP API."),
        click.option(
            "--token-file", metavar="FILE", help="Holds the token for the broker's HTTP API."
        ),
        click.option("--insecure", is_flag=True, help="Bind beyond this machine without [access]."),
        click.option("--log-format", metavar="auto|text|json", help="Of raytap's own log."),
        click.option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
    )

    def added(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return added


def subscriber_configuration(
    section: Literal["dashboard", "alerts"], flags: Mapping[str, Any]
) -> Config:
    """The configuration of this process, whose log is set up by it; flags count for `section`.
    Raises `ConfigError`, and `click.UsageError` for flags that exclude each other."""
    config, notes = _resolved(section, flags)
    setup(config.log.format, config.log.level)
    for note in notes:
        get_logger("config").warning("setting_passed_over", note=note)
    return config


def reread_configuration(
    section: Literal["dashboard", "alerts"], flags: Mapping[str, Any]
) -> Config:
    """The same while the process runs; its log stays as it is. Raises `ConfigError`."""
    return _resolved(section, flags).config


def _resolved(section: Literal["dashboard", "alerts"], flags: Mapping[str, Any]) -> Resolved:
    bind, given = flags["bind"], {name: flags[name] for name in _UPSTREAM}
    if given["zeromq"] and given["redis"]:
        raise click.UsageError("give --redis or --zeromq, not both")
    config, notes = configuration(
        {name: flag for name, flag in flags.items() if name != "bind" and name not in given}
    )
    own = getattr(config, section)
    upstream = own.upstream
    if given["zeromq"] or given["redis"]:
        upstream = replace(upstream, zeromq=list(given["zeromq"]), redis=given["redis"] or "")
    if given["broker"]:
        upstream = replace(upstream, brokers=list(given["broker"]))
    if given["token_file"]:
        upstream = replace(upstream, token_file=given["token_file"], token_env="")
    own = replace(own, bind=bind or own.bind, upstream=upstream)
    config = replace(config, **{section: own})
    for name, message in problems(config):  # of what the flags changed
        raise ConfigError(f"{'--bind' if bind and name == f'{section}.bind' else name}: {message}")
    return Resolved(config, notes)
