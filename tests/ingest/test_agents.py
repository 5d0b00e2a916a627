"""What is known of an agent: its budget of requests, and whether it can be reached."""

from __future__ import annotations

import heapq
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from broker.ingest.agents import RETRY_DOWN, Agents

A, B = "http://127.0.0.1:1", "http://127.0.0.1:2"


class Job:
    """Asks as a worker does: takes a place, waits for it, is served, and asks again at once."""

    def __init__(self, agents: Agents, printing: bool, every: float = 0.0) -> None:
        self._agents = agents
        self.printing = printing
        self._every = every
        self.served: list[float] = []

    def next(self, now: float) -> float:
        """When it is served next."""
        at = self._agents.reserve(A, self.printing, now)
        self.served.append(at)
        return at + self._every


def run(jobs: list[Job], seconds: float) -> None:
    """All of them for so long, each step at its time."""
    due = [(0.0, number) for number in range(len(jobs))]
    heapq.heapify(due)
    while due[0][0] < seconds:
        now, number = due[0]
        heapq.heapreplace(due, (max(jobs[number].next(now), now + 1e-4), number))


def rate(jobs: list[Job], since: float, until: float) -> float:
    """How many requests a second they sent."""
    return sum(since <= at < until for job in jobs for at in job.served) / (until - since)


def test_alone_a_job_is_served_at_once_and_half_a_second_s_requests_in_a_burst() -> None:
    agents = Agents(100)
    assert [agents.reserve(A, True, 5.0) for _ in range(50)] == [5.0] * 50
    assert agents.reserve(A, True, 5.0) == pytest.approx(5.01)
    assert [agents.reserve(A, True, 9.0) for _ in range(50)] == [9.0] * 50


def test_over_the_budget_all_jobs_that_print_are_served_alike() -> None:
    agents = Agents(100)
    jobs = [Job(agents, True) for _ in range(40)]
    run(jobs, 10.0)
    assert rate(jobs, 1.0, 10.0) == pytest.approx(100.0, rel=0.05)
    counts = [len(job.served) for job in jobs]
    assert max(counts) - min(counts) <= 2
    waits = [b - a for job in jobs for a, b in pairwise(job.served) if a > 1.0]
    assert max(waits) < 0.5  # 40 jobs, 100 requests/s: every 0.4 s


def test_silent_jobs_get_what_those_that_print_leave() -> None:
    agents = Agents(100)
    printing = [Job(agents, True, every=0.1) for _ in range(5)]  # 50 requests/s
    silent = [Job(agents, False) for _ in range(100)]
    run([*printing, *silent], 10.0)
    assert rate(printing, 2.0, 10.0) == pytest.approx(50.0, rel=0.1)
    assert rate(silent, 2.0, 10.0) == pytest.approx(50.0, rel=0.15)


def test_silent_jobs_never_get_nothing_and_the_budget_holds() -> None:
    agents = Agents(100)
    printing = [Job(agents, True) for _ in range(50)]
    silent = [Job(agents, False) for _ in range(100)]
    run([*printing, *silent], 30.0)
    assert rate(silent, 5.0, 30.0) == pytest.approx(10.0, rel=0.2)
    assert rate([*printing, *silent], 5.0, 30.0) <= 103.0


def test_a_thousand_silent_jobs_do_not_make_one_that_prints_wait() -> None:
    agents = Agents(100)
    for _ in range(1000):
        agents.reserve(A, False, 0.0)
    assert agents.reserve(A, True, 0.0) == 0.0


@pytest.mark.parametrize("printing", [True, False])
def test_a_budget_of_one_request_a_second_still_serves_everyone(printing: bool) -> None:
    agents = Agents(1)
    assert agents.reserve(A, printing, 0.0) == 0.0
    second = agents.reserve(A, printing, 0.5)
    assert 1.0 <= second <= 1.25


def test_each_agent_has_a_budget_of_its_own() -> None:
    agents = Agents(10)
    for _ in range(20):
        agents.reserve(A, True, 0.0)
    assert agents.reserve(A, True, 0.0) > 0.0
    assert agents.reserve(B, True, 0.0) == 0.0


def test_an_agent_is_usable_until_it_fails_twice_in_a_row() -> None:
    agents = Agents(10)
    assert agents.usable(A)
    agents.unreachable(A, 0.0)
    agents.answered(A, 1.0)
    agents.unreachable(A, 2.0)
    assert agents.usable(A)
    agents.unreachable(A, 3.0)
    assert not agents.usable(A)
    assert agents.usable(B)


def test_one_that_is_down_is_probed_after_a_pause_and_is_back_when_it_answers() -> None:
    agents = Agents(10)
    assert not agents.probe_due(A, 0.0)
    agents.unreachable(A, 0.0)
    agents.unreachable(A, 0.0)
    assert not agents.probe_due(A, RETRY_DOWN - 0.1)
    assert agents.probe_due(A, RETRY_DOWN)
    agents.unreachable(A, RETRY_DOWN + 2.0)
    assert not agents.probe_due(A, 2 * RETRY_DOWN)
    assert agents.probe_due(A, 2 * RETRY_DOWN + 2.0)
    assert not agents.usable(A)  # until it has answered
    agents.answered(A, 2 * RETRY_DOWN + 3.0)
    assert agents.usable(A)
    assert not agents.probe_due(A, 1e9)


def test_of_many_jobs_of_one_agent_a_single_one_probes_it() -> None:
    agents = Agents(10)
    agents.unreachable(A, 0.0)
    agents.unreachable(A, 0.0)
    with ThreadPoolExecutor(8) as pool:
        due = list(pool.map(lambda _: agents.probe_due(A, RETRY_DOWN), range(200)))
    assert due.count(True) == 1
