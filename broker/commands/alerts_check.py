"""`raytap alerts check`: whether rule files are right."""

from __future__ import annotations

import sys

import click
import msgspec

from broker.commands.options import configuration
from broker.errors import ConfigError
from broker.exit_status import ExitStatus


@click.command()
@click.argument("rules", nargs=-1, metavar="[RULES.toml]...")
@click.option("--config", metavar="FILE", help="Settings, for alerts.rules where no file is given.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(rules: tuple[str, ...], config: str | None, output: str) -> ExitStatus:
    """Check rule files, with the exact place of all that is wrong; nothing is sent.

    Without files, those of the configuration (alerts.rules). What is allowed but maybe not meant
    is a note.

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
    if output == "json":
        _print_json({"ok": True, "problems": [], "notes": list(file.notes)})
        return ExitStatus.OK
    for note in file.notes:
        click.echo(f"{note} (a note)", err=True)
    count = len(paths)
    click.echo(
        f"{', '.join(paths)}: {len(file.rules)} rules and {len(file.receivers)} receivers, "
        f"{'all is' if count == 1 else 'all are'} right"
    )
    return ExitStatus.OK


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
