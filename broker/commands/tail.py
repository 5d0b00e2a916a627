"""`raytap tail`: the lines of jobs, as they come."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from broker.errors import ClientError
from broker.exit_status import ExitStatus
from broker.plain_text import mask_credentials, one_line

if TYPE_CHECKING:
    from broker.frame import Frame
    from subscribers.tail.printer import Printer

ZEROMQ: Final = "tcp://127.0.0.1:5556"
BROKER: Final = "http://127.0.0.1:8270"


class StartType(click.ParamType[Any]):
    """`begin`, `live` or a line number."""

    name = "begin|live|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int:
        if value in ("begin", "live"):
            return str(value)
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is not begin, live or a line number", param, ctx)


@click.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("--zeromq", multiple=True, metavar="ENDPOINT", help=f"The broker's. [{ZEROMQ}]")
@click.option("--redis", metavar="URL", help="Listen on this Redis instead of ZeroMQ.")
@click.option("--broker", "brokers", multiple=True, metavar="URL", help=f"Its HTTP API. [{BROKER}]")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "raw"]),
    default="text",
    help="text (the default) makes control characters visible and, on a terminal, leaves out the "
    "empty line before a progress bar. json is an object for each line, gap and end. raw keeps "
    "every line as it is, with control characters made visible on a terminal only.",
)
@click.option(
    "--from",
    "start",
    type=StartType(),
    help="Where to begin; -N: N lines before the end. [begin; live where a JOB is a glob]",
)
@click.option("--no-follow", is_flag=True, help="Print what there is, and end.")
@click.option("--wait", is_flag=True, help="Wait for jobs that are not there yet.")
def command(
    jobs: tuple[str, ...],
    zeromq: tuple[str, ...],
    redis: str | None,
    brokers: tuple[str, ...],
    output: str,
    start: str | int | None,
    no_follow: bool,
    wait: bool,
) -> ExitStatus:
    """Print the lines of jobs as they come, until all of them have ended.

    JOB is a glob of [CLUSTER/]JOB; with one that is no plain id it goes on until it is
    interrupted. What is not a line (a gap, an end) goes to standard error.

    Exit status: 0, 2 wrong usage, 3 unreachable, 4 unknown job; of one job: 10 it failed,
    11 it was stopped, 1 its log may be incomplete.
    """
    from subscribers.selection import Selection
    from subscribers.tail.follow import Jobs, follow, print_once

    if redis and zeromq:
        raise click.UsageError("give --redis or --zeromq, not both")
    Selection(jobs)
    brokers = brokers or (BROKER,)
    wanted = Jobs(jobs, brokers, wait=wait)
    if start is None:
        start = "live" if wanted.globs else "begin"
    printer = _printer(output, prefixed=len(wanted.patterns) > 1 or bool(wanted.globs))
    if isinstance(start, int):
        for view in wanted.shorter_than(start):
            so_far = "" if view.state == "ended" else " so far"
            _note(f"{view.job}: the log has {view.next} lines{so_far}")
    try:
        if no_follow:
            if wanted.unreachable and not wanted.views:
                raise ClientError(503, f"{wanted.unreachable}; is `raytap serve` running?")
            line = {"begin": 0, "live": None}[start] if isinstance(start, str) else start
            return _verdict(wanted.plain, list(print_once(wanted, line, printer).values()))
        from subscribers import Subscription

        with Subscription(
            wanted.patterns,
            zeromq=() if redis else zeromq or ZEROMQ,
            redis=redis,
            brokers=brokers,
            start=start,  # type: ignore[arg-type]
        ) as frames:
            quiet = bool(wanted.globs) and start == "live"
            ends = follow(wanted, frames, printer, _note, quiet_ends=quiet)
            return _verdict(wanted.plain, list(ends.values()))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit is quiet
        return ExitStatus.OK


def _printer(output: str, *, prefixed: bool) -> Printer:
    from subscribers.tail.printer import JsonPrinter, RawPrinter, TextPrinter

    out = sys.stdout.buffer
    terminal = sys.stdout.isatty()
    if output == "json":
        from broker.web.render import as_ndjson

        return JsonPrinter(out, as_ndjson)
    if output == "raw":
        return RawPrinter(out, _note, terminal=terminal)
    return TextPrinter(out, _note, prefixed=prefixed, terminal=terminal)


def _note(text: str) -> None:
    said = one_line(mask_credentials(text), 1000)
    click.echo(click.style(f"[raytap] {said}", dim=True), err=True)


def _verdict(plain: list[str], ends: list[Frame]) -> ExitStatus:
    """Only one job's end is an exit status; a job that goes on has none."""
    if len(plain) != 1 or len(ends) != 1:
        return ExitStatus.OK
    (end,) = ends
    if end.status == "FAILED":
        return ExitStatus.JOB_FAILED
    if end.status == "STOPPED":
        return ExitStatus.JOB_STOPPED
    unsure = end.complete is False or end.status == "LOST"
    return ExitStatus.CHECK_FAILED if unsure else ExitStatus.OK
