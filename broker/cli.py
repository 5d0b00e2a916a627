"""The command `raytap`: a group whose subcommands are imported when they are called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import click

from broker.errors import ClientError
from broker.exit_status import ExitStatus, exit_status
from broker.text.plain_text import mask_credentials, one_line

# The short helps stand here, so that `raytap --help` imports none of them.
COMMANDS: Final = {
    "serve": "Follow jobs and publish their lines until told to stop.",
    "demo": "Show it all at work: a local Ray, two jobs, their lines live.",
    "dashboard": "Show live logs in a browser, and serve them over HTTP.",
    "tail": "Print the lines of jobs as they come.",
    "jobs": "List what the daemon follows, and how it goes.",
    "alerts": "Watch jobs by rules, and tell the people who should know.",
    "doctor": "Check that everything raytap needs is there, and say what to do.",
    "sanitize": "Show what a log becomes, and what was redacted by which rule.",
    "export": "Write a job's log to a file or to standard output.",
    "purge": "Remove what the journal holds of a job.",
    "token": "Make a token for the HTTP APIs.",
}


class LazyGroup(click.Group):
    """Each subcommand is `command` in `broker.commands.<name>`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"broker.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version  # 20 ms, for this option only

    try:
        click.echo(f"raytap {version('raytap')}")
    except PackageNotFoundError:
        click.echo("raytap (from a source tree that is not installed)")
    ctx.exit()


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 ok, 1 a check failed, 2 usage or configuration, 3 unreachable, "
    "4 unknown job; tail of one job: 10 it failed, 11 it was stopped.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def group() -> None:
    """Read each Ray job's log once, and hand it to any number of subscribers."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; errors become one line on stderr.

    A subcommand returns None or an `ExitStatus`, or calls `ctx.exit`.
    """
    return reported(lambda: group.main(arguments, prog_name="raytap", standalone_mode=False))


def reported(work: Callable[[], Any]) -> int:
    """Do the work of a process: its exit status, and its error as one line on stderr."""
    try:
        status = work()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ClientError as error:
        message = one_line(mask_credentials(error.message), 1000)
        click.echo(f"raytap: {message}", err=True)
        return exit_status(error)
    except (click.Abort, KeyboardInterrupt):
        return ExitStatus.INTERRUPTED
    return status if isinstance(status, int) else ExitStatus.OK


def main() -> NoReturn:
    """The entry point of the `raytap` command."""
    sys.exit(run())
