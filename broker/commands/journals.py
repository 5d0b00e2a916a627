"""Where `export` and `purge` find a journal: at a daemon that answers, or in its directory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

from broker.commands.options import configuration
from broker.commands.token_option import token_option
from broker.errors import ClientError
from broker.processes.state_dir import StateDir, StateDirInUse
from broker.topic import Stream
from broker.validate import validate_resource_id

if TYPE_CHECKING:
    from broker.journal.sqlite import SqliteJournal

BROKER: Final = "http://127.0.0.1:8270"
_UNBOUNDED: Final = sys.maxsize  # nothing is let go of but what the command says

Command = TypeVar("Command", bound=Callable[..., Any])


def journal_options(command: Command) -> Command:
    """Which journal: `broker`, `token`, `state_dir` and `config`."""
    for option in (
        click.option("--config", metavar="FILE", help="Settings, for state_dir."),
        click.option("--state-dir", metavar="DIR", help="Its journal; no daemon may be on it."),
        token_option,
        click.option("--broker", metavar="URL", help=f"The daemon's HTTP API. [{BROKER}]"),
    ):
        command = option(command)
    return command


class Daemon(NamedTuple):
    """What was found at an address."""

    base: str
    streams: list[Stream]  # that it knows
    problem: str  # why it doesn't answer; empty where it does


def find_daemon(
    broker: str | None, state_dir: str | None, token: str | None = None
) -> Daemon | None:
    """The daemon to ask; None where the user named a directory instead.

    Raises `ClientError`: 408, 503 where the user named an address and nobody answers there, 401
    where the token is not one that it knows.
    """
    from subscribers.replay import JournalClient

    if broker and state_dir:
        raise click.UsageError("give --broker or --state-dir, not both")
    if state_dir:
        return None
    with closing(JournalClient(broker or BROKER, token)) as client:
        try:
            views = client.jobs().jobs
        except ClientError as error:
            if error.status not in (408, 503):
                raise
            if broker:
                advice = "is `raytap serve` running there? --state-dir takes its journal instead"
                raise ClientError(error.status, f"{error.message}; {advice}") from None
            return Daemon(client.base, [], error.message)
        return Daemon(client.base, [Stream(view.cluster, view.job) for view in views], "")


@contextmanager
def idle_journal(
    state_dir: str | None, config: str | None, problem: str = ""
) -> Iterator[SqliteJournal]:
    """The journal in the state directory; no daemon can begin with it meanwhile.

    `problem`: why no daemon was asked, for the message. Raises `ClientError` 503 where there is no
    journal or a daemon has it, `ConfigError`, `JournalError`.
    """
    directory = configuration({"config": config, "state_dir": state_dir}).config.state_dir
    before = f"no daemon answers ({problem}), and " if problem else ""
    advice = "--broker names a daemon's address, --state-dir another directory"
    if not Path(directory).expanduser().is_dir():
        raise ClientError(503, f"{before}there is no journal in {directory}; {advice}")
    try:
        state = StateDir(directory)
    except StateDirInUse as error:
        raise ClientError(503, f"{before}{error.message}; {advice}") from None
    with state:
        if not state.journal.exists():
            raise ClientError(503, f"{before}there is no journal in {directory}; {advice}")
        from broker.journal.sqlite import SqliteJournal

        with closing(
            SqliteJournal(state.journal, _UNBOUNDED, _UNBOUNDED, float(_UNBOUNDED))
        ) as journal:
            yield journal


def named_stream(name: str, known: Iterable[Stream]) -> Stream:
    """The stream that `[CLUSTER/]JOB` names; without a cluster the one that has such a job, else
    `default`. Raises `ClientError` 400 for what is no name, or where several clusters have it."""
    cluster, slash, job = name.rpartition("/")
    validate_resource_id(job, "job")
    if slash:
        return Stream(validate_resource_id(cluster, "cluster"), job)
    found = sorted({stream for stream in known if stream.job == job})
    if len(found) > 1:
        raise ClientError(400, f"{job} is a job of several clusters: {', '.join(map(str, found))}")
    return found[0] if found else Stream("default", job)
