"""`raytap purge`: what the journal holds of a job, removed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
import msgspec

from broker.commands.journals import find_daemon, idle_journal, journal_options, named_stream
from broker.errors import ClientError
from broker.text.plain_text import one_line
from broker.topic import Stream
from broker.web.connection_problem import connection_problem

if TYPE_CHECKING:
    from broker.journal.sqlite import SqliteJournal


class _Said(msgspec.Struct):
    message: str


class _Answer(msgspec.Struct):
    """What the daemon says: how many frames, or why not."""

    frames: int = 0
    error: _Said | None = None


@click.command()
@click.argument("job")
@journal_options
def command(
    job: str,
    broker: str | None,
    token: str | None,
    state_dir: str | None,
    config: str | None,
) -> None:
    """Remove what the journal holds of [CLUSTER/]JOB: its lines, and how far it was read.

    A running daemon on this machine does it, unless it still reads that job (for a minute after
    the job's end, too); where it asks for tokens, the token's actions must hold admin, and it may
    be on another machine. Where none answers, it is done in the state directory. Ray keeps its own
    copy: with follow = "all", a daemon that starts later reads it again.

    Exit status: 0, 1 the job is still being read, or the daemon refuses, 2 wrong usage, 3 neither
    a daemon nor a journal is there, 4 unknown job.
    """
    daemon = find_daemon(broker, state_dir, token)
    if daemon is not None and not daemon.problem:
        stream = named_stream(job, daemon.streams)
        frames = _ask(daemon.base, token, stream)
    else:
        with idle_journal(state_dir, config, daemon.problem if daemon else "") as journal:
            stream = named_stream(job, journal.checkpoints())
            frames = _forget(journal, stream)
    click.echo(f"raytap: {stream}: {frames:,} frames removed", err=True)


def _ask(base: str, token: str | None, stream: Stream) -> int:
    import urllib3

    url = f"{base}/v1/jobs/{stream.cluster}/{stream.job}/log"
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = urllib3.request("DELETE", url, headers=headers, retries=False, timeout=30.0)
    except urllib3.exceptions.HTTPError as error:
        raise connection_problem(error, base) from None
    try:
        answer = msgspec.json.decode(response.data, type=_Answer)
    except msgspec.MsgspecError:
        raise ClientError(500, f"{base}: HTTP {response.status} with an unknown body") from None
    if response.status != 200 or answer.error is not None:
        said = answer.error.message if answer.error else f"HTTP {response.status}"
        raise ClientError(response.status, f"{base}: {one_line(said)}")
    return answer.frames


def _forget(journal: SqliteJournal, stream: Stream) -> int:
    if stream not in journal.checkpoints() and not journal.spans(stream):
        raise ClientError(404, f"nothing is known of job {stream}")
    frames = journal.forget(stream)
    while journal.evict(time.time_ns()):
        pass
    return frames
