"""`raytap tail`: the lines of jobs, as they come."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from broker.commands.tail_options import where_options, which_options
from broker.commands.tail_output import TailOutput
from broker.commands.token_option import token_option
from broker.errors import ClientError
from broker.exit_status import ExitStatus

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
    help="text (the default) makes control characters visible and, on a terminal, shows a progress "
    "bar as one line that moves. json is an object for each line, gap and end. raw keeps every "
    "line as it is, with control characters made visible on a terminal only.",
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
    timestamps, out = shown.pop("timestamps"), TailOutput(shown.pop("color"))
    lens, paint = _optics(**shown, workers=out.coloured)
    wanted = Jobs(jobs, brokers or (BROKER,), wait=wait, token=token)
    if wanted.unreachable and not wanted.views and (no_follow or since is not None):
        raise ClientError(503, f"{wanted.unreachable}; is `raytap serve` running?")
    if no_follow and not wait and not wanted.streams():
        _nothing(wanted, out, every=every)
    if isinstance(start, int):
        for view in wanted.shorter_than(start):
            so_far = "" if view.state == "ended" else " so far"
            out.note(f"{view.job}: the log has {view.next} lines{so_far}")
    place = _place(wanted, start, since, tail, follow=not no_follow)
    quiet = bool(wanted.globs) and place.begins_late
    printer = _printer(output, out, lens, paint, wanted, timestamps=timestamps)
    with out.written():
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
            ends = follow(
                wanted,
                frames,
                printer,
                out.note,
                place=place,
                quiet_ends=quiet,
                joined=out.joined,
                is_left=out.is_left,
            )
            return _verdict(wanted, ends)
    return ExitStatus.OK  # nobody reads on


def _nothing(jobs: Jobs, out: TailOutput, *, every: bool) -> None:
    """Say that no job is there to print. Raises `ClientError` where some were named."""
    if jobs.unreachable:
        raise ClientError(503, f"{jobs.unreachable}; is `raytap serve` running?")
    if not every:
        names = ", ".join(map(repr, jobs.patterns))
        raise ClientError(404, f"no job matches {names}; `raytap jobs` lists those that there are")
    out.note("there is no job yet")


def _place(jobs: Jobs, start: Any, since: float | None, tail: int | None, *, follow: bool) -> Place:
    from subscribers.tail.place import Place

    if start is None:
        if tail is not None:
            start = -tail or "live"
        else:
            start = "live" if jobs.globs and follow and since is None else "begin"
    if since is None:
        return Place(start)
    since_ns = round((time.time() - since) * 1e9)
    return Place(start, jobs.lines_since(since_ns), since_ns)


def _optics(
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    level: Level | None,
    highlight: tuple[str, ...],
    *,
    workers: bool,
) -> tuple[Lens, Paint]:
    """What is shown, and in which colours; a pattern that is none is refused here."""
    from subscribers.recognition.levels import Level
    from subscribers.tail.lens import Lens
    from subscribers.tail.paint import Paint

    lens = Lens(include=include, exclude=exclude, level=level or Level.NONE, workers=workers)
    return lens, Paint(highlight)


def _printer(
    output: str, out: TailOutput, lens: Lens, paint: Paint, jobs: Jobs, *, timestamps: bool
) -> Printer:
    from subscribers.tail.printer import JsonPrinter, RawPrinter, TextPrinter

    if output == "json":
        from broker.web.render import as_ndjson

        return JsonPrinter(out.file, as_ndjson, lens=lens)
    if output == "raw":
        return RawPrinter(out.file, out.note, terminal=out.terminal, lens=lens)
    return TextPrinter(
        out.file,
        out.note,
        prefixed=len(jobs.patterns) > 1 or bool(jobs.globs),
        terminal=out.terminal,
        coloured=out.coloured,
        lens=lens,
        paint=paint,
        bar=out.bar,
        clusters=len({stream.cluster for stream in jobs.streams()}) > 1,
        timestamps=timestamps,
    )


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
