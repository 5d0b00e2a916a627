"""What the options of `raytap tail` take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from broker.config.units import parse_duration
from broker.errors import ClientError

if TYPE_CHECKING:
    from subscribers.recognition.levels import Level

Command = TypeVar("Command", bound=Callable[..., Any])


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


class DurationType(click.ParamType[float]):
    """Seconds, or with a unit."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class LevelType(click.ParamType["Level"]):
    """How grave a line is, by name."""

    name = "level"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Level:
        from subscribers.recognition.levels import parse_level

        try:
            return parse_level(str(value))
        except ClientError as error:
            self.fail(error.message, param, ctx)


_WHERE: Final = (
    click.option(
        "--from",
        "start",
        type=StartType(),
        help="Where to begin; -N: N lines before the end. [begin; live where a glob is followed]",
    ),
    click.option(
        "-s",
        "--since",
        type=DurationType(),
        metavar="10m",
        help="Lines that the broker read in the last 10 minutes.",
    ),
    click.option(
        "--tail", type=click.IntRange(min=0), metavar="N", help="The last N lines of each job."
    ),
)
_WHICH: Final = (
    click.option(
        "-i",
        "--include",
        multiple=True,
        metavar="REGEX",
        help="Only lines like this; several: any.",
    ),
    click.option("-e", "--exclude", multiple=True, metavar="REGEX", help="No lines like this."),
    click.option(
        "--level",
        type=LevelType(),
        metavar="LEVEL",
        help="Only lines of debug, info, warning, error, critical up.",
    ),
    click.option(
        "-H", "--highlight", multiple=True, metavar="REGEX", help="Mark it, where colours are."
    ),
    click.option("-t", "--timestamps", is_flag=True, help="When the broker read each line."),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="auto: on a terminal, unless NO_COLOR is set.",
    ),
)


def where_options(command: Command) -> Command:
    """Add `start`, `since` and `tail`."""
    for option in reversed(_WHERE):
        command = option(command)
    return command


def which_options(command: Command) -> Command:
    """Add `include`, `exclude`, `level`, `highlight`, `timestamps` and `color`."""
    for option in reversed(_WHICH):
        command = option(command)
    return command
