"""What is known of an agent: its budget of requests, and whether it can be reached."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.ingest.agents import RETRY_DOWN, Agents

A, B = "http://127.0.0.1:1", "http://127.0.0.1:2"


def granted(agents: Agents, printing: bool, now: float, agent: str = A) -> int:
    """How many requests may be sent at one moment."""
    count = 0
    while agents.ask(agent, printing, now) == 0.0:
        count += 1
    return count


def test_a_full_budget_is_a_second_s_requests_and_fills_with_time() -> None:
    agents = Agents(100)
    assert granted(agents, True, 0.0) == 100
    assert granted(agents, True, 0.25) == 25
    assert granted(agents, True, 60.0) == 100


def test_the_last_fifth_of_the_budget_is_for_jobs_that_print() -> None:
    agents = Agents(100)
    assert granted(agents, False, 0.0) == 80
    assert granted(agents, True, 0.0) == 20


def test_over_the_budget_silent_jobs_wait_and_printing_ones_do_not() -> None:
    agents = Agents(100)
    granted(agents, True, 0.0)
    sent = 0
    for tick in range(1, 201):  # 2 s with 80 requests/s of printing jobs, and silent ones beside
        now = tick / 100 + 0.001
        if tick % 5:
            assert agents.ask(A, True, now) == 0.0
        sent += granted(agents, False, now)
    assert sent < 25  # of 40 that were left: the reserve is filled first


def test_the_seconds_to_wait_are_enough_and_not_too_many() -> None:
    agents = Agents(10)
    for printing in (True, False):
        granted(agents, True, 100.0)
        wait = agents.ask(A, printing, 100.0)
        assert agents.ask(A, printing, 100.0 + wait * 0.9) > 0.0
        assert agents.ask(A, printing, 100.0 + wait + 1e-9) == 0.0


@pytest.mark.parametrize("printing", [True, False])
def test_a_budget_of_one_request_a_second_still_serves_everyone(printing: bool) -> None:
    agents = Agents(1)
    assert agents.ask(A, printing, 0.0) == 0.0
    assert agents.ask(A, printing, 0.5) == pytest.approx(0.5)
    assert agents.ask(A, printing, 1.0) == 0.0


def test_each_agent_has_a_budget_of_its_own() -> None:
    agents = Agents(10)
    assert granted(agents, True, 0.0, A) == 10
    assert granted(agents, True, 0.0, B) == 10


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
