"""What the threads of a subscription tell the one that iterates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from broker.frame import Frame
from broker.jobview import JobList
from subscribers.sequencer import Question


class Received(NamedTuple):
    """A frame's bytes off the wire, and the topic they came under (without `raytap/`)."""

    topic: bytes
    payload: bytes


class Connected(NamedTuple):
    """Subscribed: what is published from now on arrives."""

    where: str


class Disconnected(NamedTuple):
    """The connection is lost or could not be made; the transport goes on trying by itself."""

    problem: str


class Crashed(NamedTuple):
    """A thread failed because of a bug."""

    error: Exception


class Replayed(NamedTuple):
    """A frame of an answer. Its `gap` frames are final: every journal was asked."""

    question: Question
    frame: Frame
    size: int


class Answered(NamedTuple):
    """The end of an answer. `problem` says why lines of the question lack, where they do."""

    question: Question
    problem: str
    paused: bool = False  # the reader was too slow; ask again
    unanswered: bool = False  # the problem is that no journal answered
    again: bool = False  # one may have more, and is away
    epochs: Collection[Sequence[str]] = ()  # of the log, the oldest first, as each journal has them


class Surveyed(NamedTuple):
    """What the brokers follow; `missing` are those that did not answer, and why."""

    lists: dict[str, JobList]
    missing: dict[str, str]


TransportEvent = Received | Connected | Disconnected
Event = TransportEvent | Crashed | Replayed | Answered | Surveyed
