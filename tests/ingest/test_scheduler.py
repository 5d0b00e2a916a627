"""Deadlines and reader threads, on a clock of the test's: nothing here waits for time to pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from broker.errors import Stopping
from broker.ingest.scheduler import RETRY_BROKEN, Scheduler, Task
from tests.support.wait import wait_until

TIMEOUT = 5.0  # seconds for what happens at once


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Job:
    """A task that does what `script` says at each step, and tells when it was called."""

    def __init__(self, script: Callable[[float], float | None]) -> None:
        self._script = script
        self._called = threading.Semaphore(0)
        self.calls: list[float] = []
        self.closed = 0
        self.within = 0
        self.most_within = 0

    def step(self, now: float) -> float | None:
        self.within += 1
        self.most_within = max(self.most_within, self.within)
        try:
            self.calls.append(now)
            return self._script(now)
        finally:
            self.within -= 1
            self._called.release()

    def close(self) -> None:
        self.closed += 1

    def until_called(self) -> None:
        assert self._called.acquire(timeout=TIMEOUT), "it was not called"


class Running:
    """A scheduler that was started, and which of its tasks are done."""

    def __init__(self, threads: int) -> None:
        self.clock = Clock()
        self.done: list[Task] = []
        self.retired = threading.Semaphore(0)
        self.scheduler = Scheduler("test", threads, self._retired, self.clock)

    def _retired(self, task: Task) -> None:
        self.done.append(task)
        self.retired.release()

    def until_done(self) -> None:
        assert self.retired.acquire(timeout=TIMEOUT), "no task was done"

    def run_all_that_is_due(self) -> None:
        """A job added now is called after all that was due before it."""
        last = Job(lambda now: None)
        self.scheduler.add(last)
        last.until_called()
        self.until_done()


@contextmanager
def running(threads: int = 1) -> Iterator[Running]:
    made = Running(threads)
    made.scheduler.start()
    try:
        yield made
    finally:
        made.scheduler.stop(TIMEOUT)


def later(now: float) -> float:
    return now + 10.0


def test_a_new_task_is_called_at_once_and_then_at_its_deadlines() -> None:
    with running() as it:
        job = Job(later)
        it.scheduler.add(job)
        job.until_called()
        it.clock.now += 9.9
        it.run_all_that_is_due()
        assert len(job.calls) == 1
        it.clock.now += 0.1
        it.run_all_that_is_due()
        job.until_called()
        assert job.calls == [100.0, 110.0]


def test_what_is_due_first_is_called_first() -> None:
    with running() as it:
        order: list[str] = []

        def job(name: str, pause: float) -> Job:
            def script(now: float) -> float:
                order.append(name)
                return 100.0 + pause if len(order) <= 3 else 1e6

            return Job(script)

        jobs = [job("late", 30.0), job("early", 10.0), job("middle", 20.0)]
        for task in jobs:
            it.scheduler.add(task)
            task.until_called()
        it.clock.now += 100.0
        it.run_all_that_is_due()
        assert order[3:] == ["early", "middle", "late"]


def test_a_wake_calls_it_before_its_deadline_and_only_once() -> None:
    with running() as it:
        job = Job(later)
        it.scheduler.add(job)
        job.until_called()
        it.scheduler.wake(job)
        it.scheduler.wake(job)
        job.until_called()
        it.run_all_that_is_due()
        assert job.calls == [100.0, 100.0]
        it.clock.now += 10.0
        it.run_all_that_is_due()
        assert len(job.calls) == 3


def test_a_wake_while_it_runs_calls_it_once_more() -> None:
    with running(threads=2) as it:
        going, go = threading.Event(), threading.Event()

        def script(now: float) -> float:
            going.set()
            assert go.wait(TIMEOUT)
            return now + 10.0

        job = Job(script)
        it.scheduler.add(job)
        assert going.wait(TIMEOUT)
        it.scheduler.wake(job)
        it.scheduler.wake(job)
        go.set()
        job.until_called()
        job.until_called()
        it.run_all_that_is_due()
        assert (job.calls, job.most_within) == ([100.0, 100.0], 1)


def test_a_wake_while_it_says_it_is_done_keeps_it() -> None:
    with running() as it:
        going, go = threading.Event(), threading.Event()
        answers = iter([None, 1e6])

        def script(now: float) -> float | None:
            going.set()
            assert go.wait(TIMEOUT)
            return next(answers)

        job = Job(script)
        it.scheduler.add(job)
        assert going.wait(TIMEOUT)
        it.scheduler.wake(job)
        go.set()
        job.until_called()
        job.until_called()
        assert (it.done, job.closed) == ([], 0)


def test_a_task_that_is_done_is_closed_and_never_called_again() -> None:
    with running() as it:
        job = Job(lambda now: None)
        it.scheduler.add(job)
        it.until_done()
        it.scheduler.wake(job)
        it.clock.now += 1_000.0
        it.run_all_that_is_due()
        assert (len(job.calls), job.closed, it.done[0]) == (1, 1, job)
    assert job.closed == 1


def test_a_task_that_is_done_can_be_added_again() -> None:
    with running() as it:
        job = Job(lambda now: None)
        for calls in (1, 2):
            it.scheduler.add(job)
            it.until_done()
            assert len(job.calls) == calls


def test_adding_it_twice_wakes_it() -> None:
    with running() as it:
        job = Job(later)
        it.scheduler.add(job)
        job.until_called()
        it.scheduler.add(job)
        job.until_called()
        it.clock.now += 10.0
        it.run_all_that_is_due()
        assert len(job.calls) == 3


def test_one_that_raises_stops_no_other_and_is_tried_again_later() -> None:
    with running() as it:
        broken = Job(lambda now: 1 / 0)
        well = Job(later)
        it.scheduler.add(broken)
        it.scheduler.add(well)
        broken.until_called()
        well.until_called()
        it.clock.now += RETRY_BROKEN - 0.1
        it.run_all_that_is_due()
        assert (len(broken.calls), len(well.calls)) == (1, 2)
        it.clock.now += 0.1
        it.run_all_that_is_due()
        assert len(broken.calls) == 2


def test_an_end_that_raises_costs_no_reader_thread() -> None:
    clock = Clock()
    met = threading.Event()

    def done(task: Task) -> None:
        met.set()
        raise RuntimeError("a bug of ours")

    scheduler = Scheduler("test", 1, done, clock)
    scheduler.start()
    try:
        scheduler.add(Job(lambda now: None))
        assert met.wait(TIMEOUT)
        after = Job(later)
        scheduler.add(after)
        after.until_called()
    finally:
        scheduler.stop(TIMEOUT)


def test_several_threads_call_several_tasks_at_once_and_each_task_once_at_a_time() -> None:
    with running(threads=3) as it:
        together = threading.Barrier(3)

        def script(now: float) -> float:
            together.wait(TIMEOUT)
            return now + 10.0

        jobs = [Job(script) for _ in range(3)]
        for job in jobs:
            it.scheduler.add(job)
        for job in jobs:
            job.until_called()
        assert [job.most_within for job in jobs] == [1, 1, 1]


def test_stop_waits_for_what_runs_and_closes_every_task_once() -> None:
    with ExitStack() as stack:
        it = stack.enter_context(running())
        going, go = threading.Event(), threading.Event()

        def script(now: float) -> float:
            going.set()
            assert go.wait(TIMEOUT)
            return now + 10.0

        runs, waits = Job(script), Job(later)
        it.scheduler.add(runs)
        assert going.wait(TIMEOUT)
        it.scheduler.add(waits)
        stopping = threading.Thread(target=it.scheduler.stop, args=(TIMEOUT,))
        stopping.start()
        wait_until(lambda: it.scheduler._stopping)
        assert runs.closed == 0
        go.set()
        stopping.join(TIMEOUT)
        assert not stopping.is_alive()
        assert (runs.closed, waits.closed, waits.calls) == (1, 1, [])
        it.scheduler.stop(TIMEOUT)
        assert (runs.closed, waits.closed) == (1, 1)
    assert not [t for t in threading.enumerate() if t.name.startswith("raytap-reader-test")]


def test_a_task_that_is_told_the_daemon_stops_is_closed_by_the_stop() -> None:
    with running() as it:
        stopping = threading.Event()

        def script(now: float) -> float:
            stopping.wait(TIMEOUT)
            raise Stopping

        job = Job(script)
        it.scheduler.add(job)
        threading.Timer(0.0, stopping.set).start()
        job.until_called()
        it.scheduler.stop(TIMEOUT)
        assert job.closed == 1


def test_one_that_cannot_be_closed_keeps_no_other_from_being_closed() -> None:
    class Stuck(Job):
        def close(self) -> None:
            super().close()
            raise OSError("it is gone already")

    with running() as it:
        jobs = [Stuck(later), Job(later), Stuck(later), Job(later)]
        for job in jobs:
            it.scheduler.add(job)
            job.until_called()
        it.scheduler.stop(TIMEOUT)
        assert [job.closed for job in jobs] == [1, 1, 1, 1]


@pytest.mark.parametrize("started", [True, False])
def test_stop_may_come_twice_or_before_start(started: bool) -> None:
    scheduler = Scheduler("test", 2, lambda task: None)
    if started:
        scheduler.start()
    scheduler.stop(TIMEOUT)
    scheduler.stop(TIMEOUT)
