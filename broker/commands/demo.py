"""`raytap demo`: it all at work, and counted."""

from __future__ import annotations

import math
import os
import signal
import sys
from contextlib import suppress

import click

from broker.demo.hints import hints
from broker.demo.interrupts import Interrupted, Interrupts
from broker.demo.receiver import Notice
from broker.demo.report import Report
from broker.demo.run import JOBS_S, Run
from broker.demo.stage import Stage, given_cluster
from broker.demo.steps import Steps
from broker.exit_status import ExitStatus

ROUNDS = 12  # of the jobs, where somebody looks on: about two minutes
_GLANCE_S = 0.25


@click.command(short_help="Show it all at work: a local Ray, two jobs, their lines live.")
@click.option("--once", is_flag=True, help="End when both jobs are over; so where stdout is piped.")
@click.option("--ray", metavar="URL", help="A Ray dashboard to use instead of a head of our own.")
def command(once: bool, ray: str | None) -> int:
    """Start Ray, an embedded Valkey and raytap; run two sample jobs; show their lines live, here
    and in the dashboard. A traceback that one of them prints fires an alert, which a receiver of
    the demo's own gets and checks.

    RAY_API_SERVER_ADDRESS or RAY_ADDRESS, where it is http(s), names a cluster too. On a cluster
    that is not the demo's own, the daemon follows the two jobs only.

    What reached plain ZeroMQ and Redis subscribers is counted and compared with Ray's log. With
    --once the last line is JSON: {"jobs": {ID: {"source_lines", "zeromq", "redis", "gaps",
    "repeats", "redacted"}}, "alerts": {"fired", "resolved", "requests", "verified"}, "ok"};
    otherwise everything stays up until Ctrl-C. Either way all
    that was started is ended.

    Exit status: 0 all agree (or Ctrl-C before that is known, while the lines are shown),
    1 they do not agree, 2 wrong usage, 3 unreachable or not installed; interrupted before the
    jobs run or with --once: 130.
    """
    steps = Steps()
    once = once or not sys.stdout.isatty()
    given = given_cluster(ray, os.environ, steps)
    stage = Stage(steps, given, alerts_last=3 if once else 30)
    shown = Shown(once)
    with Interrupts() as interrupts:
        try:
            stage.open()
            shown.run(stage, steps)
        except Interrupted as interrupt:
            if once or not shown.begun or interrupt.number != signal.SIGINT:
                return 128 + interrupt.number
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitStatus.CHECK_FAILED
        finally:
            interrupts.hold()
            with suppress(OSError):  # the terminal may be gone
                shown.ending()
            stage.close()
    if once and shown.report:
        click.echo(shown.report.as_json())
    return ExitStatus.CHECK_FAILED if shown.report and not shown.report.ok else ExitStatus.OK


class Shown:
    """What the terminal shows. `report`: the verdict, once there is one."""

    def __init__(self, once: bool) -> None:
        self._once = once
        self.begun = False
        self.report: Report | None = None
        self._hints = ""
        self._alerts_shown = 0

    def run(self, stage: Stage, steps: Steps) -> None:
        """Submit the jobs and print lines: until the verdict with `once`, else for ever."""
        from subscribers.subscription import Subscription
        from subscribers.tail.printer import TextPrinter

        with Subscription(
            "default/*", zeromq=stage.addresses.zeromq, brokers=stage.addresses.http, start="begin"
        ) as frames:
            with steps.step("Submitting two jobs"):
                run = Run(stage, JOBS_S) if self._once else Run(stage, math.inf, ROUNDS)
            self.begun = True
            self._hints = hints(stage.addresses, run.jobs, own_head=not stage.given)
            click.echo(f"\n{self._hints}\n\nTheir lines as they come:")
            printer = TextPrinter(sys.stdout.buffer, _note, prefixed=True, terminal=_colours())
            awaited = set(run.jobs)
            while not (self._once and self.report):
                frame = frames.receive(_GLANCE_S)
                if frame is not None:
                    printer.show(frame)
                    if frame.kind == "end":
                        awaited.discard(frame.job)
                self._show_alerts(stage.receiver.notices)
                if self.report is None and (report := run.verdict(shown=not awaited)):
                    self._tell(report)
                elif self.report:
                    stage.check()

    def _show_alerts(self, notices: list[Notice]) -> None:
        for notice in notices[self._alerts_shown :]:
            click.secho(f"[raytap] {notice}", fg="yellow" if notice.verified else "red")
        self._alerts_shown = len(notices)

    def ending(self) -> None:
        """Said before everything is ended."""
        if self.begun:
            _note("ending Ray, Valkey and raytap")

    def _tell(self, report: Report) -> None:
        self.report = report
        click.secho(f"\n{report.as_text()}", fg="green" if report.ok else "red")
        if not self._once:
            click.echo(f"\nAll of it stays up until Ctrl-C.\n\n{self._hints}\n")


def _colours() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _note(text: str) -> None:
    click.echo(click.style(f"[raytap] {text}", dim=True))
