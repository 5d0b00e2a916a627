"""`raytap alerts try`: what rules would have done on a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from io import BufferedIOBase, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click
import msgspec

from broker.commands.options import configuration
from broker.commands.token_option import token_option
from broker.config.config import Config
from broker.errors import ClientError
from broker.frame import Frame, replace
from broker.text.lines import LineAssembler
from broker.text.pipeline import Pipeline
from broker.text.plain_text import one_line
from broker.text.redact import make_redactor
from broker.topic import Stream
from broker.validate import RESOURCE_ID

if TYPE_CHECKING:
    from subscribers.alerts.engine.alert import Alert
    from subscribers.alerts.engine.log_times import Clock
    from subscribers.alerts.engine.trial import Trial
    from subscribers.replay import JournalClient

BROKER: Final = "http://127.0.0.1:8270"
_EPOCH: Final = "file"
_READ_BYTES: Final = 1 << 18
_WIDTH: Final = 200  # where it is no terminal


@click.command("try")
@click.argument("rules", metavar="RULES.toml")
@click.argument("log", metavar="LOGFILE|JOB")
@click.option("--broker", default=BROKER, show_default=True, metavar="URL", help="For a JOB.")
@token_option
@click.option("--config", metavar="FILE", help="Its [sanitize] counts for a LOGFILE.")
@click.option(
    "--lines-per-second",
    type=click.FloatRange(min=0.001),
    default=10.0,
    show_default=True,
    help="How fast a LOGFILE was printed whose lines do not begin with a time.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def command(
    rules: str,
    log: str,
    broker: str,
    token: str | None,
    config: str | None,
    lines_per_second: float,
    output: str,
) -> None:
    """Show which alerts would have fired on a log, where and when; nobody is told.

    LOGFILE is a file (-: standard input), made safe as the daemon would do it; JOB is [CLUSTER/]JOB
    of a running daemon, whose journal is replayed with its own times.

    Exit status: 0, 2 wrong rules, 3 the daemon cannot be reached, 4 unknown job.
    """
    from subscribers.alerts.engine.links import Links
    from subscribers.alerts.engine.log_times import Clock
    from subscribers.alerts.engine.trial import Trial, untried
    from subscribers.alerts.rules.rules_file import load

    file = load([rules])
    dashboard = configuration({"config": config}).config.alerts.dashboard if config else ""
    trial = Trial(file.rules, Links(dashboard))
    clock = Clock(lines_per_second)
    is_file = log == "-" or Path(log).is_file()
    with _frames(log, broker, token, config, clock, is_file=is_file) as frames:
        for _ in trial.run(frames):
            pass
    missing = untried(file.rules, file=is_file)
    if output == "json":
        _print_json(trial, missing)
        return
    _print_table(trial.fired, relative=clock.known is False)
    of_time = ", without times" if clock.known is False else ""
    click.echo(
        f"raytap: {trial.lines:,} lines{of_time}, {len(file.rules)} rules, "
        f"{len(trial.fired)} alerts",
        err=True,
    )
    if missing:
        click.echo(f"raytap: not tried, a log does not tell: {', '.join(missing)}", err=True)


@contextmanager
def _frames(
    log: str, broker: str, token: str | None, config: str | None, clock: Clock, *, is_file: bool
) -> Iterator[Iterator[Frame]]:
    if is_file:
        with click.open_file(log, "rb") as opened:
            settings = configuration({"config": config}).config
            yield _of_file(cast("BufferedIOBase", opened), settings, clock)
        return
    cluster, slash, job = log.rpartition("/")
    if not RESOURCE_ID.fullmatch(job) or (slash and not RESOURCE_ID.fullmatch(cluster)):
        raise ClientError(400, f"{one_line(log, 200)}: there is no such file, and no such job")
    from subscribers.replay import JournalClient

    with closing(JournalClient(broker, token)) as client:
        stream = _stream(cluster, job, _known(client, log))
        with closing(client.replay(stream, 0)) as answer:
            yield (frame for frame, _ in answer)


def _known(client: JournalClient, log: str) -> list[Stream]:
    try:
        return [Stream(view.cluster, view.job) for view in client.jobs().jobs]
    except ClientError as error:
        if error.status not in (408, 503):
            raise
        advice = "is `raytap serve` running, and is this its address? --broker URL names another"
        said = f"there is no file {log}, and for a job: {error.message}; {advice}"
        raise ClientError(error.status, said) from None


def _stream(cluster: str, job: str, known: Sequence[Stream]) -> Stream:
    found = [one for one in known if one.job == job and cluster in ("", one.cluster)]
    if len(found) > 1:
        raise ClientError(400, f"{job} is a job of several clusters: {', '.join(map(str, found))}")
    return found[0] if found else Stream(cluster or "default", job)


def _of_file(log: BufferedIOBase, config: Config, clock: Clock) -> Iterator[Frame]:
    """The file's lines, with their times; then its end."""
    at = Frame(kind="log", cluster="file", job="log", epoch=_EPOCH, first=0, next=0)
    for lines in _safe_lines(log, config):
        done = 0
        for time, count in clock.runs(lines):
            at = replace(
                at,
                first=at.next,
                next=at.next + count,
                lines=lines[done : done + count],
                ts=int(time * 1e9),
            )
            done += count
            yield at
    yield replace(at, kind="end", first=at.next, lines=[])


def _safe_lines(log: BufferedIOBase, config: Config) -> Iterator[list[str]]:
    """The lines as the daemon would publish them: without escapes, controls and secrets."""
    sanitize = config.sanitize
    redactor = make_redactor(sanitize.disable, sanitize.rules) if sanitize.redact else None
    longest = config.limits.max_message_size
    assembler, pipeline, key_lines = LineAssembler(max_line=longest), Pipeline(redactor, longest), 0
    while data := log.read1(_READ_BYTES):
        for chunk in assembler.feed(data):
            batch = pipeline.process(chunk, key_lines)
            key_lines = batch.key_lines
            yield batch.lines
    rest = assembler.end()
    if last := assembler.partial():
        rest.append(last)
    for chunk in rest:
        yield pipeline.process(chunk, key_lines).lines


def _print_json(trial: Trial, missing: Sequence[str]) -> None:
    body = {"lines": trial.lines, "fired": trial.fired, "not_tried": missing}
    sys.stdout.write(msgspec.json.encode(body).decode() + "\n")


def _print_table(fired: Sequence[Alert], *, relative: bool) -> None:
    if not fired:
        click.echo("Nothing would have fired.")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("FIRED", "LASTED", "LINE", "SEVERITY", "RULE"):
        table.add_column(name, no_wrap=True, justify="right" if name == "LINE" else "left")
    table.add_column("SAYS", overflow="fold", min_width=20)
    for alert in sorted(fired, key=lambda one: one.starts_at):
        table.add_row(
            _when(alert.starts_at, relative=relative),
            "it fires on" if alert.ends_at is None else _lasted(alert.ends_at - alert.starts_at),
            "" if alert.line is None else str(alert.line),
            Text(alert.severity),
            Text(alert.rule),
            Text(one_line(alert.annotations.get("summary", ""), 200)),
        )
    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_WIDTH, file=StringIO())
    console.print(table)
    for line in cast("StringIO", console.file).getvalue().splitlines():
        click.echo(line.rstrip())  # a table fills its rows up with spaces


def _when(time: float, *, relative: bool) -> str:
    if relative:
        return f"+{_lasted(time)}"
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _lasted(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
