"""One question put to every broker's journal, until its lines are there or nobody has them."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Sequence
from contextlib import closing

from broker.errors import ClientError
from broker.frame import Frame, replace
from subscribers.replay import JournalClient
from subscribers.sequencer import Question

Deliver = Callable[[Frame, int], None]
"""Takes a frame of the answer and its bytes; raises to end the answer."""


class Answer:
    """How far the journals' answer to a question reached, kept when it is asked again."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.at = question.first  # every line before it was delivered, whole or as a gap
        self.heard: set[str] = set()  # the journals that answered in this round
        self.away: set[str] = set()  # those that did not
        self.busy: set[str] = set()  # of these, those that want to be asked later
        self.refused = False  # by every journal, for want of a token that may read this
        self.epochs: set[tuple[str, ...]] = set()  # of the log, as each journal has them
        self._has_open = False  # line `at` was delivered, without its end

    @property
    def answered(self) -> bool:
        """Whether a journal answered in this round."""
        return bool(self.heard)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be asked."""
        end, whole = self.question.next, self.question.whole
        if end is None:
            return self.answered and not (self.away and self.question.epoch)
        return self.at >= end or (self._has_open and self.at == end - 1 and not whole)

    def read(
        self, clients: Sequence[JournalClient], deliver: Deliver, waited_for: Container[str] = ()
    ) -> str:
        """Ask one journal after the other. What lacks in one (its `gap` frames, lines that it
        passes over, the end of a line) is asked of the others before it is delivered as a gap,
        and not delivered while one that is `waited_for` is away. Returns what went wrong, if
        anything did."""
        problem = "no broker's journal is known: give its HTTP address"
        self.heard, self.away, self.busy, self.refused = set(), set(), set(), False
        statuses = set()
        for client in clients:
            others = [other for other in clients if other is not client]
            try:
                self._read_one(client, others, deliver, waited_for)
            except _Lacking:
                self.heard.add(client.base)
                return f"{', '.join(self.away)}: away, and has what others lack from {self.at} on"
            except ClientError as error:
                problem = error.message
                self._failed(client, error)
                statuses.add(error.status)
                self.refused = statuses <= {401, 403}
                continue
            statuses.add(200)
            self.heard.add(client.base)
            self.epochs.add(client.known_epochs)
            self.refused = False
            end = self.question.next
            if not self.question.epoch or (end is not None and self.at >= end):
                return ""
            problem = f"{client.base} has no lines from {self.at} on"
        return problem

    def _failed(self, client: JournalClient, error: ClientError) -> None:
        if error.status == 404:  # it knows that it has nothing
            self.heard.add(client.base)
        elif error.status not in {401, 403}:
            self.away.add(client.base)
        if error.status == 429:
            self.busy.add(client.base)

    def _read_one(
        self,
        client: JournalClient,
        others: Sequence[JournalClient],
        deliver: Deliver,
        waited_for: Container[str],
    ) -> None:
        asked = self.question
        with closing(_frames(client, asked, self.at, asked.next)) as frames:
            for frame, size in frames:
                ours = frame.kind in ("log", "gap")
                if ours and asked.next is not None and frame.first >= asked.next:
                    return
                if frame.kind == "log" and frame.first > self.at:
                    self._bridge(_gap(frame, self.at), others, deliver, waited_for)
                if frame.kind == "gap":
                    end = frame.next if asked.next is None else min(frame.next, asked.next)
                    self._bridge(replace(frame, next=end), others, deliver, waited_for)
                else:
                    deliver(frame, size)
                    self._reach(frame)

    def _bridge(
        self,
        gap: Frame,
        others: Sequence[JournalClient],
        deliver: Deliver,
        waited_for: Container[str],
    ) -> None:
        """Lines that one journal lacks: from the others, and the gap for what is left. What one of
        them lacks too is asked of those after it."""
        asked = self.question._replace(epoch=gap.epoch)  # another's newest may be another one
        for index, other in enumerate(others):
            if self.at >= gap.next:
                return
            if other.base in self.away:
                continue
            rest = others[index + 1 :]
            try:
                with closing(_frames(other, asked, self.at, gap.next)) as frames:
                    for frame, size in frames:
                        if frame.kind not in ("log", "gap") or frame.epoch != gap.epoch:
                            continue
                        if frame.first >= gap.next:
                            break
                        has_lines = frame.kind == "log"
                        lacks = frame.first if has_lines else min(frame.next, gap.next)
                        if lacks > self.at:
                            self._bridge(replace(gap, next=lacks), rest, deliver, waited_for)
                        if has_lines:
                            deliver(frame, size)
                            self._reach(frame)
            except ClientError as error:
                self._failed(other, error)
                continue
            self.heard.add(other.base)
        if self.at < gap.next:
            if any(base in waited_for for base in self.away):
                raise _Lacking
            deliver(replace(gap, first=min(gap.first, self.at)), 0)
            self.at, self._has_open = gap.next, False

    def _reach(self, frame: Frame) -> None:
        """The lines of a frame were delivered. One without its end may be whole in another
        journal."""
        at = frame.next - frame.partial
        if frame.kind == "log" and at >= self.at:
            self.at, self._has_open = at, frame.partial


class _Lacking(Exception):
    """Lines that a journal may have which is away."""


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
