"""What the demo says while it sets things up, with the time that each step took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click


class Steps:
    """Steps on standard output, notes on standard error; `clock` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """`what … 4.2 s`, or `what … failed`."""
        click.echo(f"{what} … ", nl=False)
        began = self._clock()
        try:
            yield
        except KeyboardInterrupt:
            with suppress(OSError):  # by the terminal's end, maybe
                click.echo("interrupted")
            raise
        except BaseException:
            click.secho("failed", fg="red")
            raise
        click.secho(f"{self._clock() - began:.1f} s", fg="green")

    def note(self, text: str) -> None:
        """Something the reader should know, in one line."""
        click.secho(f"Note: {text}", fg="yellow", err=True)
