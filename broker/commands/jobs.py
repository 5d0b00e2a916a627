"""`raytap jobs`: what the daemon follows, and how it goes."""

from __future__ import annotations

import sys
from typing import Final

import click
import msgspec

from broker.commands.token_option import token_option
from broker.errors import ClientError
from broker.jobview import JobList, JobView
from broker.text.plain_text import one_line

BROKER: Final = "http://127.0.0.1:8270"
_COLOURS: Final = {
    "streaming": "green", "connecting": "cyan", "reconnecting": "yellow", "queued": "yellow",
    "failed": "red", "skipped": "yellow",
}  # fmt: skip
_WIDE: Final = 110  # columns of a terminal that take all of it; --json has it anyway
_NAME: Final = 40
_MORE: Final = ("BYTES", "RECONN", "DROPPED", "REDACTED")


@click.command()
@click.option("--broker", default=BROKER, show_default=True, metavar="URL", help="Its HTTP API.")
@token_option
@click.option("--json", "as_json", is_flag=True, help="JSON, as where it is no terminal.")
def command(broker: str, token: str | None, as_json: bool) -> None:
    """List the jobs that the daemon follows and the token opens: a table on a terminal, JSON
    elsewhere.

    Exit status: 0, 2 wrong usage or a wrong token, 3 the daemon cannot be reached.
    """
    listed = _ask(broker, token)
    if as_json or not sys.stdout.isatty():
        click.echo(msgspec.json.format(msgspec.json.encode(listed)))
        return
    for reason in listed.degraded:
        click.secho(f"degraded: {one_line(reason)}", fg="yellow", err=True)
    if not listed.jobs:
        click.echo(
            "No jobs yet. A job that is submitted to Ray appears here within seconds; one that was "
            "over before\nthe daemon came is followed with `raytap serve --follow all`. "
            "`raytap doctor` checks the way to Ray."
        )
        return
    _print_table(listed.jobs)


def _ask(broker: str, token: str | None) -> JobList:
    from subscribers.replay import JournalClient

    client = JournalClient(broker, token)
    try:
        return client.jobs()
    except ClientError as error:
        if error.status not in (408, 503):
            raise
        advice = "is `raytap serve` running, and is this its address? --broker URL names another"
        raise ClientError(error.status, f"{error.message}; {advice}") from None
    finally:
        client.close()


def _print_table(jobs: list[JobView]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    wide = console.width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    several = len({view.cluster for view in jobs}) > 1
    names = [f"{view.cluster}/{view.job}" if several else view.job for view in jobs]
    # Whatever else has to give, it must be seen which job a row is about.
    table.add_column("JOB", overflow="fold", min_width=min(_NAME, max(map(len, names))))
    for name in ("STATUS", "STATE", *(["SOURCE"] if wide else [])):
        table.add_column(name, no_wrap=True)
    for name in ("LINES", "LINES/S", *(_MORE if wide else [])):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("NOTE", overflow="fold")
    for name, view in zip(names, jobs, strict=True):
        more = _size(view.bytes), f"{view.reconnects:,}", f"{view.dropped:,}", f"{view.redacted:,}"
        table.add_row(
            Text(one_line(name)),
            Text(one_line(view.status)),
            Text(view.state, style=_COLOURS.get(view.state, "")),
            *([Text(one_line(view.source))] if wide else []),
            f"{view.next:,}",
            f"{view.lines_per_s:,.0f}",
            *(more if wide else []),
            Text(_note(view)),
        )
    console.print(table)


def _note(view: JobView) -> str:
    notes = [view.reason or view.last_error]
    if view.unsent:
        notes.insert(0, f"{view.unsent:,} frames not sent (replay has them)")
    return one_line("; ".join(note for note in notes if note), 200)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
