"""`raytap alerts check`: whether rule files are right."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sized
from typing import TYPE_CHECKING

import click
import msgspec

from broker.commands.options import configuration
from broker.errors import ConfigError
from broker.exit_status import ExitStatus

if TYPE_CHECKING:
    from subscribers.alerts.rules.receiver_config import Receiver


@click.command()
@click.argument("rules", nargs=-1, metavar="[RULES.toml]...")
@click.option("--config", metavar="FILE", help="Settings, for alerts.rules where no file is given.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(rules: tuple[str, ...], config: str | None, output: str) -> ExitStatus:
    """Check rule files, with the exact place of all that is wrong; nothing is sent.

    Without files, those of the configuration (alerts.rules). What is allowed but maybe not meant
    is a note, and so is what only this machine lacks: a receiver's variable or file.

    Exit status: 0, 2 something is wrong.
    """
    from subscribers.alerts.rules.rules_file import RulesError, load

    paths = rules or tuple(configuration({"config": config}).config.alerts.rules)
    if not paths:
        raise ConfigError("no rule file: name one, or set alerts.rules in the configuration")
    try:
        file = load(paths)
    except RulesError as error:
        if output == "json":
            _print_json({"ok": False, "problems": error.problems, "notes": []})
        for problem in error.problems if output == "text" else ():
            click.echo(problem, err=True)
        return ExitStatus.USAGE
    lacks = _lacks(file.receivers)
    notes = [*file.notes, *lacks]
    if output == "json":
        _print_json({"ok": True, "problems": [], "notes": notes})
        return ExitStatus.OK
    for note in notes:
        click.echo(f"{note} (a note)", err=True)
    found = f"{_count(file.rules, 'rule')} and {_count(file.receivers, 'receiver')}"
    verdict = "all is right, but for what this machine lacks" if lacks else "all is right"
    click.echo(f"{', '.join(paths)}: {found}, {verdict}")
    return ExitStatus.OK


def _lacks(receivers: Iterable[Receiver]) -> list[str]:
    """What would keep `raytap alerts run` from starting here."""
    from subscribers.alerts.delivery.receivers.target import target_problems

    return [
        f"{problem}, so `raytap alerts run` would not start here"
        for receiver in receivers
        for problem in target_problems(receiver, os.environ)
    ]


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
