"""Two brokers, losses, repeats, reorderings and replays: each line once and in order, or named."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.frame import Frame, replace
from broker.topic import Stream
from subscribers.sequencer import Question, Sequencer
from subscribers.stats import Budget, Stats

STREAM = Stream("ray", "job-1")
EPOCH = "a" * 12


def text(line: int) -> str:
    return f"line {line}"


def log(first: int, following: int) -> Frame:
    lines = [text(line) for line in range(first, following)]
    return Frame("log", *STREAM, first, following, epoch=EPOCH, lines=lines)


class Delivery(RuleBasedStateMachine):
    """A source of `written` lines; two brokers that sent up to `sent`; a journal that lost some."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(4_000)
        self.sequencer = Sequencer(STREAM, "begin", self.budget, Stats())
        self.written = 0
        self.sent = {"a": 0, "b": 0}
        self.on_the_wire: list[tuple[str, Frame]] = []
        self.lost: set[int] = set()  # lines that no journal has
        self.position = 0
        self.gone: set[int] = set()  # delivered as gaps
        self.top = 0  # the furthest that any broker ever came

    @rule(count=st.integers(1, 20))
    def the_job_prints(self, count: int) -> None:
        self.written += count

    @rule(broker=st.sampled_from("ab"), count=st.integers(1, 12), as_gap=st.booleans())
    def a_broker_publishes(self, broker: str, count: int, as_gap: bool) -> None:
        first = self.sent[broker]
        following = min(first + count, self.written)
        if first < following:
            self.sent[broker] = following
            self.top = max(self.top, following)
            frame = log(first, following)
            if as_gap:
                frame = replace(frame, kind="gap", lines=[], reason="limit")
            self.on_the_wire.append((broker, frame))

    @rule(broker=st.sampled_from("ab"))
    def a_broker_says_where_it_is(self, broker: str) -> None:
        at = self.sent[broker]
        self.on_the_wire.append((broker, Frame("heartbeat", *STREAM, at, at, epoch=EPOCH)))

    @rule(broker=st.sampled_from("ab"), back=st.integers(1, 30))
    def a_broker_restarts_and_repeats(self, broker: str, back: int) -> None:
        self.sent[broker] = max(0, self.sent[broker] - back)

    @rule(line=st.integers(0, 200), count=st.integers(1, 5))
    def the_journal_loses_lines(self, line: int, count: int) -> None:
        self.lost.update(range(line, line + count))

    @precondition(lambda self: self.on_the_wire)
    @rule(data=st.data(), dropped=st.booleans())
    def a_frame_arrives_or_is_lost(self, data: st.DataObject, dropped: bool) -> None:
        index = data.draw(st.integers(0, len(self.on_the_wire) - 1))
        _, frame = self.on_the_wire.pop(index)
        if not dropped:
            self.take(self.sequencer.feed(frame, 50))

    @rule()
    def a_journal_answers(self) -> None:
        for question in self.sequencer.questions():
            self.answer(question)

    def answer(self, question: Question) -> None:
        assert question.next is not None
        assert question.next <= self.top
        line = question.first
        while line < question.next:
            end = line
            while (
                end < question.next
                and (end in self.lost) == (line in self.lost)
                and end - line < 10
            ):
                end += 1
            if line in self.lost:
                gap = replace(log(line, end), kind="gap", lines=[], reason="evicted")
                self.take(self.sequencer.settle(EPOCH, end, gap))
            else:
                self.take(self.sequencer.feed(log(line, end), 50))
            line = end
        why = Frame("gap", *STREAM, 0, 0, epoch=EPOCH, reason="unreachable")
        self.take(self.sequencer.settle(EPOCH, question.next, why))

    def take(self, frames: list[Frame]) -> None:
        for frame in frames:
            assert frame.first == self.position
            assert frame.first < frame.next <= self.written
            if frame.kind == "log":
                assert frame.lines == [text(n) for n in range(frame.first, frame.next)]
            else:
                assert frame.kind == "gap"
                assert frame.reason in {"limit", "evicted", "unreachable"}
                self.gone.update(range(frame.first, frame.next))
            self.position = frame.next

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.budget.free >= 0

    def teardown(self) -> None:
        heartbeat = Frame("heartbeat", *STREAM, self.top, self.top, epoch=EPOCH)
        self.take(self.sequencer.feed(heartbeat))
        while questions := self.sequencer.questions():
            for question in questions:
                self.answer(question)
        assert self.position == self.top
        assert self.gone <= self.lost
        assert self.budget.free == 4_000


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
