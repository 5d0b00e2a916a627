"""`raytap alerts`: the group; each subcommand lies in a module `alerts_NAME` beside this one."""

from __future__ import annotations

import importlib
from typing import Final

import click

# The short helps stand here, so that `raytap alerts --help` imports none of them.
COMMANDS: Final = {
    "run": "Watch jobs by the rules and tell the receivers; what `raytap alerts` alone does.",
    "check": "Check rule files, with the exact place of what is wrong.",
    "try": "Show what rules would have done on a log, without telling anybody.",
    "status": "Show what is firing, what is muted, and how the receivers do.",
    "mute": "Keep alerts with these labels quiet for a while.",
}
_HELP: Final = ("-h", "--help")


class AlertsGroup(click.Group):
    """Each subcommand is `command` in `broker.commands.alerts_<name>`; without one it is `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in _HELP):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"broker.commands.alerts_{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=AlertsGroup)
def command() -> None:
    """Rules on live logs and on the jobs' life, told to where people look."""
