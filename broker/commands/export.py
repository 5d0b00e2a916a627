"""`raytap export`: a job's log as a file, from a daemon or from the journal that one left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Final

import click

from broker.commands.journals import find_daemon, idle_journal, journal_options, named_stream
from broker.commands.whole_file import open_output
from broker.exit_status import ExitStatus
from broker.frame import Frame, encode
from broker.text.plain_text import one_line
from broker.topic import Stream
from broker.web.render import as_ndjson, as_text, grouped

MAX_SAID: Final = 10  # gaps told of one by one


@dataclass(slots=True)
class Tally:
    """What came of a log, from its frames in order."""

    lines: int = 0
    missing: int = 0  # lines
    holes: int = 0
    gaps: list[Frame] = field(default_factory=list)  # the first of the holes
    end: Frame | None = None  # None where lines followed it, too

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames, counted."""
        for frame in frames:
            if frame.kind == "log":
                self.lines += frame.next - frame.first
                self.end = None
            elif frame.kind == "gap":
                self.missing += frame.next - frame.first
                self.holes += 1
                if len(self.gaps) < MAX_SAID:
                    self.gaps.append(frame)
            elif frame.kind == "end":
                self.end = frame
            yield frame

    @property
    def whole(self) -> bool:
        """Nothing is missing of what was published; a job that runs on may well print more."""
        return not self.missing and (self.end is None or self.end.complete is not False)


@click.command()
@click.argument("job")
@journal_options
@click.option(
    "-o", "--output", default="-", metavar="FILE", help="Written whole or not at all. [-: stdout]"
)
@click.option("--format", type=click.Choice(["text", "ndjson", "msgpack"]), default="text")
@click.option("--from", "start", type=click.IntRange(min=0), default=0, help="The first line. [0]")
@click.option("--epoch", default="", help="Which file, where the job had several. [the newest]")
@click.option("--allow-gaps", is_flag=True, help="Missing lines are no failure.")
def command(
    job: str,
    broker: str | None,
    token: str | None,
    state_dir: str | None,
    config: str | None,
    output: str,
    format: str,
    start: int,
    epoch: str,
    allow_gaps: bool,
) -> ExitStatus:
    """Write the log of [CLUSTER/]JOB as far as it goes, also after Ray has deleted it.

    A running daemon is asked; what its journal has let go, it reads from Ray again. Where none
    answers, the journal in the state directory is read.

    Exit status: 0, 1 lines are missing (stderr says which), 2 wrong usage, 3 neither a daemon nor
    a journal is there, 4 unknown job.
    """
    tally = Tally()
    with (
        _log(job, broker, token, state_dir, config, start, epoch) as (stream, frames),
        open_output(output) as file,
    ):
        for piece in grouped(_rendered(tally.watch(frames), format)):
            file.write(piece)
    _report(stream, tally)
    return ExitStatus.OK if tally.whole or allow_gaps else ExitStatus.CHECK_FAILED


@contextmanager
def _log(
    name: str,
    broker: str | None,
    token: str | None,
    state_dir: str | None,
    config: str | None,
    start: int,
    epoch: str,
) -> Iterator[tuple[Stream, Iterator[Frame]]]:
    """The stream that is meant, and its frames from line `start` on."""
    daemon = find_daemon(broker, state_dir, token)
    if daemon is not None and not daemon.problem:
        from subscribers.replay import JournalClient

        stream = named_stream(name, daemon.streams)
        with (
            closing(JournalClient(daemon.base, token)) as client,
            closing(client.replay(stream, start, epoch)) as answer,
        ):
            yield stream, (frame for frame, _ in answer)
        return
    from broker.journal.replay import replay

    with idle_journal(state_dir, config, daemon.problem if daemon else "") as journal:
        stream = named_stream(name, journal.checkpoints())
        yield stream, replay(journal, stream, epoch or None, start).frames


def _rendered(frames: Iterable[Frame], format: str) -> Iterator[bytes]:
    if format == "text":
        return as_text(frames)
    return as_ndjson(frames) if format == "ndjson" else map(encode, frames)


def _report(stream: Stream, tally: Tally) -> None:
    for gap in tally.gaps:
        lost = f"lines {gap.first} to {gap.next - 1} are missing: {gap.reason}"
        click.echo(f"raytap: {stream}: {one_line(lost)}", err=True)
    if tally.holes > MAX_SAID:
        click.echo(f"raytap: {stream}: and {tally.holes - MAX_SAID:,} more gaps", err=True)
    if tally.end is None:
        state = "it goes on"
    else:
        whole = "complete" if tally.end.complete else "maybe not to its end"
        state = f"{one_line(tally.end.status)}, {whole}"
    missing = f", {tally.missing:,} missing" if tally.missing else ""
    click.echo(f"raytap: {stream}: {tally.lines:,} lines{missing} ({state})", err=True)
