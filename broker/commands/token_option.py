"""`--token`: what a command shows to the HTTP API it asks."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_WORD: Final = re.compile(r"[\x21-\x7e]+")


class TokenType(click.ParamType[str]):
    """A token, or `@FILE` that holds one. The messages never show it."""

    name = "token"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value).strip()
        if text.startswith("@"):
            try:
                text = Path(text[1:]).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, RuntimeError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "it is no text file"
                self.fail(f"cannot read {text[1:]}: {reason}", param, ctx)
        if not _WORD.fullmatch(text):
            self.fail("a token is one word of ASCII, without Bearer before it", param, ctx)
        return text


def token_option(command: Command) -> Command:
    """Add `--token`; the command takes it as `token: str | None`."""
    return click.option(
        "--token",
        type=TokenType(),
        envvar="RAYTAP_TOKEN",
        metavar="TOKEN|@FILE",
        help="For its HTTP API; also by RAYTAP_TOKEN, which `ps` does not show.",
    )(command)
