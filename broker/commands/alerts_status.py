"""`raytap alerts status`: what fires, what is muted, and how the receivers do."""

from __future__ import annotations

import sys
import time
from io import StringIO
from typing import TYPE_CHECKING, Final

import click
import msgspec

from broker.commands.alerts_api import URL, ask
from broker.commands.token_option import token_option
from broker.errors import ClientError
from broker.text.plain_text import one_line

if TYPE_CHECKING:
    from rich.text import Text

    from subscribers.alerts.delivery.views import AlertsView, AlertView, ReceiverView

_COLOURS: Final = {"critical": "bold red", "error": "red", "warning": "yellow", "info": "cyan"}
_WIDE: Final = 10_000  # columns where it is no terminal: no row is broken


@click.command()
@click.option("--url", default=URL, show_default=True, metavar="URL", help="Of the alerts' API.")
@token_option
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option(
    "--limit",
    type=click.IntRange(0, 10_000),
    default=100,
    show_default=True,
    metavar="N",
    help="Of those that fire; those that press most.",
)
@click.option(
    "--history",
    type=click.IntRange(0, 10_000),
    default=5,
    show_default=True,
    metavar="N",
    help="Of those that are over; the last ones.",
)
def command(url: str, token: str | None, output: str, limit: int, history: int) -> None:
    """Show what is firing, what is muted, and how the receivers do.

    As JSON it is the answer of GET /v1/alerts with the larger of both numbers.

    Exit status: 0, 1 the token may not, 2 wrong usage or no token, 3 unreachable.
    """
    from subscribers.alerts.delivery.views import AlertsView

    body = ask(url, token, "GET", f"/v1/alerts?limit={max(limit, history)}")
    try:
        view = msgspec.json.decode(body, type=AlertsView)
    except msgspec.MsgspecError:
        said = f"{url} is no `raytap alerts` (it answers something else)"
        raise ClientError(503, said) from None
    if output == "json":
        click.echo(msgspec.json.format(body).decode())
        return
    for problem in view.degraded:
        click.secho(f"degraded: {one_line(problem)}", fg="yellow", err=True)
    _print(view, limit, history)


def _print(view: AlertsView, limit: int, history: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=_WIDE, file=StringIO())

    def table(title: str, columns: str, rows: list[list[str | Text]], more: str = "") -> None:
        if not rows:
            console.print(Text(f"{title}: {more or 'none'}"))
            return
        console.print(Text(f"{title}:", style="bold"))
        made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for name in columns.split():
            made.add_column(name, overflow="fold")
        for row in rows:
            made.add_row(*(Text(one_line(cell)) if isinstance(cell, str) else cell for cell in row))
        console.print(made)
        if more:
            console.print(Text(more))

    now = time.time()
    firing, over = view.firing[:limit], view.history[:history]
    table(
        "Firing",
        "SEVERITY RULE JOB LINE SINCE SUMMARY",
        [_alert(one, now) for one in firing],
        _more(view.total.firing - len(firing)),
    )
    table("Over", "SEVERITY RULE JOB LINE ENDED SUMMARY", [_alert(one, now) for one in over])
    table(
        "Muted",
        "ID FOR MATCHERS BY REASON",
        [
            [mute.id, _span(mute.until - now), " ".join(mute.matchers), mute.by, mute.reason]
            for mute in view.mutes
        ],
    )
    table(
        "Receivers",
        "NAME KIND STATE QUEUED SENT FAILED DROPPED LAST-ERROR",
        [_receiver(one) for one in view.receivers],
    )
    if isinstance(console.file, StringIO):  # a table fills its rows up with spaces
        for line in console.file.getvalue().splitlines():
            click.echo(line.rstrip())


def _more(count: int) -> str:
    return f"{count:,} more (--limit N shows N)" if count > 0 else ""


def _alert(alert: AlertView, now: float) -> list[str | Text]:
    from rich.text import Text

    ended = alert.ends_at is not None
    since = now - (alert.ends_at or alert.starts_at if ended else alert.starts_at)
    notes = alert.annotations
    summary = notes.get("summary") or notes.get("title") or next(iter(notes.values()), "")
    return [
        Text(alert.severity, style="dim" if ended else _COLOURS.get(alert.severity, "")),
        alert.rule,
        f"{alert.cluster}/{alert.job}" if alert.job else alert.cluster,
        "" if alert.line is None else str(alert.line),
        f"{_span(since)} ago",
        ("(muted) " if alert.muted else "") + one_line(summary, 160),
    ]


def _receiver(one: ReceiverView) -> list[str | Text]:
    from rich.text import Text

    state = Text("ok", style="green") if one.ok else Text("failing", style="red")
    counts = (one.queued, one.sent, one.failed, one.dropped)
    return [one.name, one.kind, state, *(f"{count:,}" for count in counts), one.last_error]


def _span(seconds: float) -> str:
    seconds = max(0.0, seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return (
                f"{seconds / size:.1f}{unit}"
                if seconds < 10 * size
                else f"{seconds / size:.0f}{unit}"
            )
    return f"{seconds:.0f}s"
