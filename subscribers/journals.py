"""One question put to every broker's journal, until its lines are there or nobody has them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from broker.errors import ClientError
from broker.frame import Frame
from subscribers.replay import JournalClient
from subscribers.sequencer import Question

Deliver = Callable[[Frame, int], None]
"""Takes a frame of the answer and its bytes; raises to end the answer."""


class Answer:
    """How far the journals' answer to a question reached, kept when it is asked again."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.at = question.first  # every line before it was delivered, as text or as a gap
        self.answered = False  # by at least one journal, in this round
        self.busy = False  # at least one asked to be asked later
        self.refused = False  # by every journal, for want of a token that may read this

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be asked."""
        end = self.question.next
        return self.answered if end is None else self.at >= end

    def read(self, clients: Sequence[JournalClient], deliver: Deliver) -> str:
        """Ask one journal after the other. What lacks in one (its `gap` frames, or lines that it
        passes over) is asked of the others before it is delivered as a gap. Returns what went
        wrong, if anything did."""
        problem = "no broker's journal is known: give its HTTP address"
        self.answered = self.busy = self.refused = False
        statuses = set()
        for client in clients:
            others = [other for other in clients if other is not client]
            try:
                self._read_one(client, others, deliver)
            except ClientError as error:
                problem = error.message
                self.answered |= error.status == 404  # it knows that it has nothing
                self.busy |= error.status == 429
                statuses.add(error.status)
                self.refused = statuses <= {401, 403} and not self.answered
                continue
            self.answered = True
            self.refused = False
            if self.complete:
                return ""
            problem = f"{client.base} has no lines from {self.at} on"
        return problem

    def _read_one(
        self, client: JournalClient, others: Sequence[JournalClient], deliver: Deliver
    ) -> None:
        asked = self.question
        with closing(_frames(client, asked, self.at, asked.next)) as frames:
            for frame, size in frames:
                ours = frame.kind in ("log", "gap")
                if ours and asked.next is not None and frame.first >= asked.next:
                    return
                if frame.kind == "log" and frame.first > self.at:
                    self._bridge(_gap(frame, self.at), others, deliver)
                if frame.kind == "gap":
                    self._bridge(frame, others, deliver)
                else:
                    deliver(frame, size)
                if ours:
                    self.at = max(self.at, frame.next)

    def _bridge(self, gap: Frame, others: Sequence[JournalClient], deliver: Deliver) -> None:
        """Lines that one journal lacks: from the others, and the gap for what is left."""
        at = max(gap.first, self.at)
        for other in others:
            try:
                with closing(_frames(other, self.question, at, gap.next)) as frames:
                    for frame, size in frames:
                        if frame.kind == "log" and frame.epoch == gap.epoch and frame.first <= at:
                            deliver(frame, size)
                            at = max(at, frame.next)
            except ClientError:
                continue
        if at < gap.next:
            deliver(gap, 0)


def _frames(
    client: JournalClient, asked: Question, first: int, end: int | None
) -> Generator[tuple[Frame, int], None, None]:
    """One line more than the question needs: what is said about its last position comes too."""
    limit = None if end is None else max(1, end - first + 1)
    with closing(client.replay(asked.stream, first, asked.epoch, limit)) as frames:
        for frame, size in frames:
            if (frame.cluster, frame.job) != asked.stream:
                continue
            if frame.epoch in (asked.epoch, "") or not asked.epoch:
                yield frame, size


def _gap(frame: Frame, first: int) -> Frame:
    return Frame(
        kind="gap",
        cluster=frame.cluster,
        job=frame.job,
        epoch=frame.epoch,
        broker=frame.broker,
        first=first,
        next=frame.first,
        reason="evicted",
        message="the journal passed over these lines",
    )
