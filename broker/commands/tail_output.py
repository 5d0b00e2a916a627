"""Where the lines of `raytap tail` go: a terminal, a file, or a pipe that somebody may leave."""

from __future__ import annotations

import os
import select
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO

import click

from broker.errors import ClientError
from broker.text.plain_text import mask_credentials, one_line

if TYPE_CHECKING:
    from broker.topic import Stream
    from subscribers.tail.bar import Bar

Color = Literal["auto", "always", "never"]


class TailOutput:
    """Standard output. Raises `ClientError` 500 where it is closed."""

    def __init__(self, color: Color = "auto") -> None:
        if sys.stdout is None:  # as a shell's `>&-` leaves it
            raise ClientError(500, "cannot write the lines: standard output is closed")
        self.file: BinaryIO = sys.stdout.buffer
        self.terminal = sys.stdout.isatty()
        self.bar = _bar() if self.terminal else None
        self.coloured = color == "always" or (color == "auto" and self.terminal and _may_colour())

    def note(self, text: str) -> None:
        """Something for the reader that is not of the log: a line on standard error."""
        self._end_bar()
        said = one_line(mask_credentials(text), 1000)
        try:
            click.echo(click.style(f"[raytap] {said}", dim=_may_colour() or None), err=True)
        except OSError:  # the lines go on
            _make_quiet(sys.stderr)

    @property
    def joined(self) -> Callable[[Stream], None] | None:
        """Tells of a job that joins; None where nobody looks on."""
        looked_on = sys.stderr is not None and sys.stderr.isatty()
        return (lambda stream: self.note(f"+ {stream}")) if looked_on else None

    def is_left(self) -> bool:
        """Whether its reader has gone: a write would tell, but the next line may be far off."""
        try:
            watched = select.poll()
            watched.register(self.file.fileno(), 0)
            return any(what & select.POLLERR for _, what in watched.poll(0))
        except OSError:  # a test's stream has no file behind it
            return False

    @contextmanager
    def written(self) -> Iterator[None]:
        """What is done with it: ends quietly where its reader goes. Raises `ClientError` 500 where
        it takes no more."""
        try:
            try:
                yield
            finally:
                self._end_bar()
        except OSError as error:
            _make_quiet(sys.stdout)
            if not isinstance(error, BrokenPipeError):
                said = f"cannot write the lines: {error.strerror or error}"
                raise ClientError(500, said) from None

    def _end_bar(self) -> None:
        if self.bar is not None and (ended := self.bar.ended()):
            self.file.write(ended.encode())
            self.file.flush()


def _make_quiet(stream: TextIO) -> None:
    """What it still holds is written nowhere, so that the flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _bar() -> Bar | None:
    from subscribers.tail.bar import Bar

    if os.environ.get("TERM") == "dumb":  # its cursor cannot go back
        return None
    return Bar(lambda: shutil.get_terminal_size().columns)


def _may_colour() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
