"""Two brokers, files that grow, end and are replaced, losses, repeats, journals that lack lines or
are away: each line once, in order and with its last text, or named."""

from __future__ import annotations

from collections import deque
from typing import cast

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.frame import Frame, encode
from broker.jobview import JobList
from subscribers.events import Answered, Event, Received, Replayed, Surveyed
from subscribers.journals import Answer
from subscribers.merge import Merge
from subscribers.repair import Repairer
from subscribers.replay import JournalClient
from subscribers.selection import Selection
from subscribers.sequencer import Question
from subscribers.stats import Budget, Stats
from tests.support.journal_records import STREAM
from tests.support.publishing import Files, Publishing

BUDGET = 3_000


class Asked:
    """A repairer that only remembers."""

    def __init__(self, bases: list[str]) -> None:
        self.bases = bases
        self.answers: list[Answer] = []

    def ask(self, question: Question) -> None:
        self.answers.append(Answer(question))


class Reader:
    """Who takes what a subscription delivers, and knows what must not be."""

    def __init__(self) -> None:
        self.next: dict[str, int] = {}
        self.texts: dict[tuple[str, int], str] = {}
        self.open: set[tuple[str, int]] = set()
        self.gone: set[tuple[str, int]] = set()
        self.said: set[tuple[str, str, int]] = set()

    def take(self, frame: Frame) -> None:
        at = self.next.setdefault(frame.epoch, 0)
        if frame.kind not in ("log", "gap"):
            said = frame.kind, frame.epoch, frame.first
            assert said not in self.said
            self.said.add(said)
            return
        assert frame.first == at - frame.amends
        assert frame.first < frame.next
        if frame.amends:
            assert (frame.epoch, frame.first) in self.open
        self.next[frame.epoch] = frame.next
        spanned = [(frame.epoch, line) for line in range(frame.first, frame.next)]
        if frame.kind == "gap":
            self.gone.update(spanned)
            return
        self.texts.update(zip(spanned, frame.lines, strict=True))
        self.open.difference_update(spanned)
        if frame.partial:
            self.open.add(spanned[-1])


class Delivery(RuleBasedStateMachine):
    """What is on the wire arrives or is lost, in the order of each broker; `inbox` is handled in
    its order."""

    def __init__(self) -> None:
        super().__init__()
        self.files = Files()
        self.brokers = [Publishing("a", self.files), Publishing("b", self.files)]
        self.budget = Budget(BUDGET)
        self.asked = Asked([broker.base for broker in self.brokers])
        self.merge = Merge(
            Selection("*"), "begin", self.budget, Stats(), cast("Repairer", self.asked), 15.0, {},
            learn_brokers=False,
        )  # fmt: skip
        self.inbox: deque[Event] = deque()
        self.reader = Reader()
        self.lacked: set[tuple[str, int]] = set()  # in every journal that was up, when asked

    brokers_of = st.integers(0, 1)

    @rule(count=st.integers(0, 8), is_open=st.booleans())
    def the_job_prints(self, count: int, is_open: bool) -> None:
        self.files.write(count, is_open=is_open)

    @rule()
    def the_job_is_over(self) -> None:
        self.files.over = True

    @precondition(lambda self: len(self.files.epochs) < 4)
    @rule()
    def the_file_is_replaced(self) -> None:
        self.files.replaced()

    @rule(
        which=brokers_of, printed=st.integers(0, 6), count=st.integers(1, 6),
        journaled=st.sampled_from([True, True, False]),
        as_gap=st.sampled_from([False, False, True]),
    )  # fmt: skip
    def a_broker_publishes(
        self, which: int, printed: int, count: int, journaled: bool, as_gap: bool
    ) -> None:
        self.files.write(printed, is_open=False)
        self.brokers[which].read(count, journaled=journaled, as_gap=as_gap)

    @rule(
        which=brokers_of, printed=st.integers(0, 3), is_open=st.booleans(),
        journaled=st.sampled_from([True, True, False]),
    )  # fmt: skip
    def a_broker_reads_to_the_end(
        self, which: int, printed: int, is_open: bool, journaled: bool
    ) -> None:
        self.files.write(printed, is_open=is_open)
        self.files.over = True
        self.brokers[which].read(100, journaled=journaled, as_gap=False)
        self.brokers[which].finish(journaled=journaled)

    @rule(which=brokers_of)
    def a_broker_says_where_it_is(self, which: int) -> None:
        self.brokers[which].wire.append(self.brokers[which].heartbeat())

    @rule(which=brokers_of, repeats=st.integers(1, 8))
    def a_broker_is_killed_and_repeats(self, which: int, repeats: int) -> None:
        self.brokers[which].restart(repeats)

    @rule(which=brokers_of)
    def a_journal_goes_away_or_comes_back(self, which: int) -> None:
        self.brokers[which].up ^= True

    @rule(which=brokers_of, count=st.integers(1, 4), lost=st.booleans())
    def frames_arrive_or_are_lost(self, which: int, count: int, lost: bool) -> None:
        wire = self.brokers[which].wire
        for _ in range(min(count, len(wire))):
            frame = wire.popleft()
            if not lost:
                self.inbox.append(Received(STREAM.topic, encode(frame)))

    @rule()
    def the_brokers_are_surveyed(self) -> None:
        up = [broker for broker in self.brokers if broker.up]
        away = {broker.base: "away" for broker in self.brokers if not broker.up}
        lists = {broker.base: JobList(broker.base, [], [broker.view()]) for broker in up}
        self.inbox.append(Surveyed(lists, away))

    @rule(count=st.integers(1, 6))
    def the_reader_reads(self, count: int) -> None:
        for _ in range(min(count, len(self.inbox))):
            for frame in self.merge.handle(self.inbox.popleft(), 0.0):
                self.reader.take(frame)

    @precondition(lambda self: self.asked.answers)
    @rule(patient=st.booleans(), stalled=st.sampled_from([None, None, 0, 2]))
    def the_journals_answer(self, patient: bool, stalled: int | None) -> None:
        answer = self.asked.answers.pop(0)
        question = answer.question
        waited_for = self.asked.bases if patient else ()
        frames: list[Frame] = []
        clients = cast("list[JournalClient]", self.brokers)
        problem = answer.read(clients, lambda frame, _: frames.append(frame), waited_for)
        if stalled is not None:
            del frames[stalled:]
        elif patient and not (answer.complete or not answer.away):
            self.asked.answers.append(answer)
        up = [broker for broker in self.brokers if broker.up]
        end = question.next or 1_000
        self.lacked.update(
            (f"{file:012x}", line)
            for file in range(len(self.files.epochs))
            for line in range(question.first, min(end, len(self.files.epochs[file])))
            if not any((f"{file:012x}", line) in broker.kept for broker in up)
        )
        self.inbox += [Replayed(question, frame, 50) for frame in frames]
        if stalled is not None:
            self.inbox.append(Answered(question, "", paused=True))
        elif answer not in self.asked.answers:
            self.inbox.append(
                Answered(
                    question, problem, unanswered=not answer.answered,
                    again=question.next is None and bool(answer.away), epochs=answer.epochs,
                )
            )  # fmt: skip

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.budget.free >= 0

    def teardown(self) -> None:
        for broker in self.brokers:
            broker.up = True
            broker.wire.clear()
        told: object = None
        while told != (told := self.told()):
            for which in (0, 1):
                self.a_broker_says_where_it_is(which)
                self.frames_arrive_or_are_lost(which, 1, False)
            self.the_brokers_are_surveyed()
            for _ in range(100):
                self.the_reader_reads(100)
                if self.asked.answers:
                    self.the_journals_answer(False, None)
            assert not self.asked.answers, "it never comes to rest"
        self.nothing_is_missing()

    def told(self) -> object:
        """What the reader knows."""
        return dict(self.reader.texts), dict(self.reader.next), set(self.reader.said)

    def nothing_is_missing(self) -> None:
        reader = self.reader
        assert self.budget.free == BUDGET
        assert reader.gone - set(reader.texts) <= self.lacked
        for broker in self.brokers:
            view = broker.view()
            assert view.next <= reader.next.get(view.epoch, 0)
            if view.state == "ended":
                assert any(
                    (kind, epoch) == ("end", view.epoch) and line >= view.next
                    for kind, epoch, line in reader.said
                )
            heard = [epoch for epoch, _ in broker.kept if epoch in reader.next]
            for (epoch, line), text in broker.kept.items():
                # What a broker had before the first file that was heard of is not asked for.
                if epoch < min(heard, default="f") or (epoch, line) in reader.gone:
                    continue
                known = reader.texts[epoch, line]
                left_open = (epoch, line) in reader.open and (epoch, line + 1) in reader.gone
                assert known.startswith(text) or left_open, (epoch, line)


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
