"""`raytap tail`: the lines of jobs, as they come."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from broker.commands.tail_options import where_options, which_options
from broker.commands.token_option import token_option
from broker.errors import ClientError
from broker.exit_status import ExitStatus
from broker.plain_text import mask_credentials, one_line

if TYPE_CHECKING:
    from broker.frame import Frame
    from broker.topic import Stream
    from subscribers.recognition.levels import Level
    from subscribers.tail.follow import Jobs
    from subscribers.tail.lens import Lens
    from subscribers.tail.paint import Paint
    from subscribers.tail.place import Place
    from subscribers.tail.printer import Printer

ZEROMQ: Final = "tcp://127.0.0.1:5556"
BROKER: Final = "http://127.0.0.1:8270"


@click.command()
@click.argument("jobs", nargs=-1, metavar="JOB...")
@click.option("--all", "every", is_flag=True, help="All jobs, and those that come.")
@where_options
@which_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "raw"]),
    default="text",
    help="text (the default) makes control characters visible and, on a terminal, leaves out the "
    "empty line before a progress bar. json is an object for each line, gap and end. raw keeps "
    "every line as it is, with control characters made visible on a terminal only.",
)
@click.option("--no-follow", is_flag=True, help="Print what there is, and end.")
@click.option("--wait", is_flag=True, help="Wait for jobs that are not there yet.")
@click.option("--zeromq", multiple=True, metavar="ENDPOINT", help=f"The broker's. [{ZEROMQ}]")
@click.option("--redis", metavar="URL", help="Listen on this Redis instead of ZeroMQ.")
@click.option("--broker", "brokers", multiple=True, metavar="URL", help=f"Its HTTP API. [{BROKER}]")
@token_option
def command(
    jobs: tuple[str, ...],
    every: bool,
    start: str | int | None,
    since: float | None,
    tail: int | None,
    zeromq: tuple[str, ...],
    redis: str | None,
    brokers: tuple[str, ...],
    token: str | None,
    output: str,
    no_follow: bool,
    wait: bool,
    **shown: Any,
) -> ExitStatus:
    """Print the lines of jobs as they come, until all of them have ended.

    JOB is a glob of [CLUSTER/]JOB; with one that is no plain id, or with --all, new jobs join as
    they start, and it goes on until it is interrupted. What is not a line (a gap, an end) goes to
    standard error; a gap is told whatever is filtered. A traceback is one to --level.

    Exit status: 0, 2 wrong usage or a wrong token, 3 unreachable, 4 unknown job; of one job: 10 it
    failed, 11 it was stopped, 1 its log may be incomplete.
    """
    from subscribers.selection import Selection
    from subscribers.tail.follow import Jobs, follow, print_once

    if redis and zeromq:
        raise click.UsageError("give --redis or --zeromq, not both")
    if every == bool(jobs):
        raise click.UsageError("name a JOB, or several, or give --all")
    if start is not None and (since is not None or tail is not None):
        raise click.UsageError("--from says where to begin; --since and --tail do, too")
    if output == "raw" and shown["timestamps"]:
        raise click.UsageError("raw is the text alone; --timestamps is for -o text")
    jobs = jobs or ("*",)
    Selection(jobs)
    lens, paint = _optics(**shown)
    wanted = Jobs(jobs, brokers or (BROKER,), wait=wait, token=token)
    if wanted.unreachable and not wanted.views and (no_follow or since is not None):
        raise ClientError(503, f"{wanted.unreachable}; is `raytap serve` running?")
    if no_follow and not wait and not wanted.streams():
        _nothing(wanted, every=every)
    if isinstance(start, int):
        for view in wanted.shorter_than(start):
            so_far = "" if view.state == "ended" else " so far"
            _note(f"{view.job}: the log has {view.next} lines{so_far}")
    place = _place(wanted, start, since, tail, follow=not no_follow)
    quiet = bool(wanted.globs) and place.begins_late
    printer = _printer(output, lens, paint, wanted, timestamps=shown["timestamps"])
    try:
        if no_follow:
            return _verdict(wanted, print_once(wanted, place, printer, quiet_ends=quiet))
        from subscribers import Subscription

        with Subscription(
            wanted.patterns,
            zeromq=() if redis else zeromq or ZEROMQ,
            redis=redis,
            brokers=brokers or (BROKER,),
            start=place.start,
            positions=place.positions(wanted.views.values()),
            token=token,
        ) as frames:
            joined = _joined if sys.stderr.isatty() else None
            return _verdict(
                wanted, follow(wanted, frames, printer, _note, quiet_ends=quiet, joined=joined)
            )
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the flush at exit is quiet
        if isinstance(error, BrokenPipeError):
            return ExitStatus.OK
        raise ClientError(500, f"cannot write the lines: {error.strerror or error}") from None


def _nothing(jobs: Jobs, *, every: bool) -> None:
    """Say that no job is there to print. Raises `ClientError` where some were named."""
    if jobs.unreachable:
        raise ClientError(503, f"{jobs.unreachable}; is `raytap serve` running?")
    if not every:
        names = ", ".join(map(repr, jobs.patterns))
        raise ClientError(404, f"no job matches {names}; `raytap jobs` lists those that there are")
    _note("there is no job yet")


def _place(jobs: Jobs, start: Any, since: float | None, tail: int | None, *, follow: bool) -> Place:
    from subscribers.tail.place import Place

    if start is None:
        if tail is not None:
            start = -tail or "live"
        else:
            start = "live" if jobs.globs and follow and since is None else "begin"
    if since is None:
        return Place(start)
    return Place(start, jobs.lines_since(round((time.time() - since) * 1e9)))


def _optics(
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    level: Level | None,
    highlight: tuple[str, ...],
    timestamps: bool,
) -> tuple[Lens, Paint]:
    """What is shown, and in which colours; a pattern that is none is refused here."""
    from subscribers.recognition.levels import Level
    from subscribers.tail.lens import Lens
    from subscribers.tail.paint import Paint

    lens = Lens(include=include, exclude=exclude, level=level or Level.NONE, workers=_coloured())
    return lens, Paint(highlight)


def _coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _printer(output: str, lens: Lens, paint: Paint, jobs: Jobs, *, timestamps: bool) -> Printer:
    from subscribers.tail.printer import JsonPrinter, RawPrinter, TextPrinter

    out = sys.stdout.buffer
    terminal = sys.stdout.isatty()
    if output == "json":
        from broker.web.render import as_ndjson

        return JsonPrinter(out, as_ndjson, lens=lens)
    if output == "raw":
        return RawPrinter(out, _note, terminal=terminal, lens=lens)
    return TextPrinter(
        out,
        _note,
        prefixed=len(jobs.patterns) > 1 or bool(jobs.globs),
        terminal=terminal,
        coloured=_coloured(),
        lens=lens,
        paint=paint,
        clusters=len({stream.cluster for stream in jobs.streams()}) > 1,
        timestamps=timestamps,
    )


def _joined(stream: Stream) -> None:
    _note(f"+ {stream}")


def _note(text: str) -> None:
    said = one_line(mask_credentials(text), 1000)
    click.echo(click.style(f"[raytap] {said}", dim=True), err=True)


def _verdict(jobs: Jobs, ends: Mapping[Stream, Frame]) -> ExitStatus:
    """Only one job's end is an exit status; a job that goes on has none."""
    if len(jobs.plain) != 1 or len(ends) != 1:
        return ExitStatus.OK
    (end,) = ends.values()
    if end.status == "FAILED":
        return ExitStatus.JOB_FAILED
    if end.status == "STOPPED":
        return ExitStatus.JOB_STOPPED
    unsure = end.complete is False or end.status == "LOST"
    return ExitStatus.CHECK_FAILED if unsure else ExitStatus.OK
