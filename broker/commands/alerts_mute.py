"""`raytap alerts mute`: alerts with these labels are not sent for a while."""

from __future__ import annotations

import getpass
import sys
import time

import click
import msgspec

from broker.commands.alerts_api import URL, ask
from broker.commands.token_option import token_option
from broker.config.units import parse_duration
from broker.text.plain_text import one_line


@click.command()
@click.argument("matchers", nargs=-1, metavar="[MATCHER]...")
@click.option("--for", "duration", metavar="TIME", help="For how long, such as 2h; needed.")
@click.option("--reason", default="", metavar="TEXT", help="For those who wonder.")
@click.option("--list", "listed", is_flag=True, help="Show the mutes.")
@click.option("--end", metavar="ID", help="End this one.")
@click.option("--url", default=URL, show_default=True, metavar="URL", help="Of the alerts' API.")
@token_option
def command(
    matchers: tuple[str, ...],
    duration: str | None,
    reason: str,
    listed: bool,
    end: str | None,
    url: str,
    token: str | None,
) -> None:
    """Keep alerts that meet every MATCHER quiet: they are shown, and not sent.

    A MATCHER is such as severity="info", job=~"train-.*", job!="x" or job!~"x.*" (in the shell,
    put it into single quotes). When the mute ends, what still fires is sent.

    Exit status: 0, 1 refused (it needs the action admin), 2 wrong usage, 3 unreachable, 4 there is
    no such mute.
    """
    chosen = sum((bool(matchers), listed, end is not None))
    if chosen != 1:
        raise click.UsageError("give MATCHERs with --for TIME, or --list, or --end ID")
    if listed:
        _print_mutes(url, token)
    elif end is not None:
        from urllib.parse import quote

        ask(url, token, "DELETE", f"/v1/mutes/{quote(end, safe='')}")
        click.echo(f"raytap: mute {one_line(end)} is over", err=True)
    else:
        _mute(url, token, matchers, duration, reason)


def _mute(
    url: str, token: str | None, matchers: tuple[str, ...], duration: str | None, reason: str
) -> None:
    from subscribers.alerts.notifications.mutes import Mute

    if duration is None:
        raise click.UsageError("--for TIME is needed, such as --for 2h")
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise click.UsageError(f"--for: {error}") from None
    body = {"matchers": list(matchers), "for": seconds, "reason": reason, "by": _user()}
    mute = msgspec.json.decode(ask(url, token, "POST", "/v1/mutes", body), type=Mute)
    click.echo(f"raytap: muted until {_local(mute.until)}; --end {mute.id} ends it", err=True)
    click.echo(mute.id)


def _print_mutes(url: str, token: str | None) -> None:
    from subscribers.alerts.delivery.views import AlertsView

    view = msgspec.json.decode(ask(url, token, "GET", "/v1/alerts?limit=0"), type=AlertsView)
    if not view.mutes:
        click.echo("raytap: nothing is muted", err=True)
    for mute in view.mutes:
        by = f"  by {mute.by}" if mute.by else ""
        reason = f"  {mute.reason}" if mute.reason else ""
        text = f"{mute.id}  until {_local(mute.until)}  {' '.join(mute.matchers)}{by}{reason}"
        click.echo(one_line(text, 2000))
    sys.stdout.flush()


def _local(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user, in a container
        return ""
