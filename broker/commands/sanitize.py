"""`raytap sanitize`: what the pipeline makes of a log, without a daemon."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import Final, cast

import click
import msgspec

from broker.commands.options import configuration
from broker.config.config import Config
from broker.frame import Frame
from broker.text.lines import Chunk, LineAssembler
from broker.text.pipeline import Pipeline
from broker.text.redact import make_redactor
from broker.web.render import as_text

READ_BYTES: Final = 1 << 18


@dataclass(slots=True)
class Summary:
    """What was done to a log."""

    lines: int = 0
    bytes: int = 0  # read
    redacted: Counter[str] = field(default_factory=Counter)  # by rule
    truncated: int = 0  # lines

    def __str__(self) -> str:
        found = ", ".join(f"{rule} {count:,}" for rule, count in self.redacted.most_common())
        return (
            f"{self.lines:,} lines, {self.bytes:,} bytes; "
            f"redacted: {self.redacted.total():,}{f' ({found})' if found else ''}; "
            f"truncated lines: {self.truncated:,}"
        )


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--config", metavar="FILE", help="Its [sanitize] and limits.max_message_size count.")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object.")
def command(file: str, config: str | None, as_json: bool) -> None:
    """Print what subscribers would get of a log FILE (-: standard input).

    Escapes, control bytes and secrets are out, lines over limits.max_message_size are cut. What
    was redacted, by which rule, follows on standard error.
    """
    settings = configuration({"config": config}).config
    summary = Summary()
    out = sys.stdout.buffer
    with click.open_file(file, "rb") as opened:
        log = cast("BufferedIOBase", opened)
        for text in as_text(_frames(log, settings, summary)):
            out.write(text)
            out.flush()  # the log may be a pipe that somebody watches
    shown = msgspec.json.encode(summary).decode() if as_json else f"raytap: {summary}"
    click.echo(shown, err=True)


def _pipeline(config: Config) -> Pipeline:
    settings = config.sanitize
    redactor = make_redactor(settings.disable, settings.rules) if settings.redact else None
    return Pipeline(redactor, config.limits.max_message_size)


def _frames(log: BufferedIOBase, settings: Config, summary: Summary) -> Iterator[Frame]:
    """The log's lines as frames, each made when it is asked for."""
    pipeline = _pipeline(settings)
    assembler = LineAssembler(max_line=settings.limits.max_message_size)
    key_lines = 0
    for chunk, partial in _chunks(log, assembler, summary):
        batch = pipeline.process(chunk, key_lines)
        key_lines = batch.key_lines
        summary.lines += chunk.lines
        summary.redacted.update(batch.rules)
        summary.truncated += batch.truncated
        yield Frame(
            kind="log",
            cluster="",
            job="",
            first=chunk.first,
            next=chunk.first + chunk.lines,
            lines=batch.lines,
            cr=batch.cr,
            partial=partial,
        )


def _chunks(
    log: BufferedIOBase, assembler: LineAssembler, summary: Summary
) -> Iterator[tuple[Chunk, bool]]:
    """Chunks, and whether it is the last line without an end."""
    while data := log.read1(READ_BYTES):
        summary.bytes += len(data)
        for chunk in assembler.feed(data):
            yield chunk, False
    for chunk in assembler.end():
        yield chunk, False
    if last := assembler.partial():
        yield last, True
