"""Which source a job is read from: by protocol, by what can be reached, by the log's size."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from broker.config.config import ClusterConfig, LimitsConfig, Protocol
from broker.errors import ClientError
from broker.ingest.agents import RETRY_DOWN, Agents
from broker.ingest.choice import SMALL_READ, Choice, replace_host
from broker.ingest.context import Context
from broker.metrics import Metrics
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient
from broker.text.pipeline import Pipeline
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn

AGENT = "http://10.0.0.5:52365"


@contextmanager
def choosing(
    protocol: Protocol = "auto", agent_host: str = "", url: str = "http://127.0.0.1:1"
) -> Iterator[tuple[Choice, Agents]]:
    config = ClusterConfig(endpoints=[url], protocol=protocol, agent_host=agent_host)
    client, agents = HttpClient(config, None), Agents(100)
    context = Context(
        cluster="default",
        broker="b1",
        config=config,
        limits=LimitsConfig(),
        client=client,
        endpoints=Endpoints(config.endpoints),
        agents=agents,
        websockets=threading.BoundedSemaphore(1),
        pipeline=lambda: Pipeline(None),
        put=lambda _: None,
        metrics=Metrics("test"),
        stopping=threading.Event(),
    )
    try:
        yield Choice(context, "job-1"), agents
    finally:
        client.close()


def lose(agents: Agents, base: str = AGENT) -> None:
    for _ in range(2):
        agents.unreachable(base, 0.0)


@pytest.mark.parametrize("protocol", ["auto", "http"])
def test_the_agent_is_the_first_choice(protocol: Protocol) -> None:
    with choosing(protocol) as (choice, _):
        assert choice.polled().name == "state-file"  # there is no agent yet
        choice.remember(AGENT)
        assert (choice.polled().name, choice.agent_base()) == ("agent", AGENT)
        assert not choice.tail_wanted()


def test_by_websocket_no_agent_is_asked() -> None:
    with choosing("websocket") as (choice, agents):
        choice.remember(AGENT)
        lose(agents)
        assert (choice.polled().name, choice.agent_base()) == ("state-file", "")
        assert choice.silent_agent(1e9) == ""
        assert choice.tail_wanted()


def test_without_its_agent_a_small_log_is_polled_and_a_large_one_tailed() -> None:
    with choosing() as (choice, agents):
        choice.remember(AGENT)
        lose(agents)
        assert choice.polled().name == "state-file"
        assert not choice.tail_wanted()
        choice.state_file_took(SMALL_READ / 2)
        assert not choice.tail_wanted()
        choice.state_file_took(SMALL_READ * 2)
        assert choice.tail_wanted()
        agents.answered(AGENT, 1.0)
        assert not choice.tail_wanted()


def test_by_http_alone_a_large_log_is_polled_too() -> None:
    with choosing("http") as (choice, agents):
        choice.remember(AGENT)
        lose(agents)
        choice.state_file_took(10.0)
        assert not choice.tail_wanted()


@pytest.mark.parametrize("protocol", ["auto", "websocket"])
def test_a_log_that_ray_cannot_tail_is_not_tailed_again(protocol: Protocol) -> None:
    with choosing(protocol) as (choice, _):
        choice.state_file_took(10.0)
        choice.poisoned = True
        assert not choice.tail_wanted()


def test_an_agent_without_the_file_is_left_until_the_job_has_another() -> None:
    with choosing() as (choice, _):
        choice.remember(AGENT)
        choice.elsewhere = True
        assert (choice.polled().name, choice.agent_base()) == ("state-file", "")
        choice.remember(AGENT)
        assert choice.elsewhere
        choice.remember("http://10.0.0.6:52365")
        assert choice.agent_base() == "http://10.0.0.6:52365"


def test_the_address_is_kept_when_the_job_record_is_gone() -> None:
    with choosing() as (choice, _):
        choice.remember(AGENT)
        choice.remember(None)
        assert choice.has_agent
        assert choice.agent_base() == AGENT


def test_an_agent_out_of_reach_is_to_be_probed_once_in_a_while() -> None:
    with choosing() as (choice, agents):
        choice.remember(AGENT)
        assert choice.silent_agent(1e9) == ""
        lose(agents)
        assert choice.silent_agent(RETRY_DOWN - 1) == ""
        assert choice.silent_agent(RETRY_DOWN) == AGENT
        assert choice.silent_agent(RETRY_DOWN) == ""


def test_a_probe_takes_any_answer_for_one_and_none_for_an_error(standin: RayStandIn) -> None:
    with choosing(url=standin.url) as (choice, _):
        choice.probe()  # there is no agent to ask
        choice.remember(standin.agent_url)
        choice.probe()  # a 404
        standin.add_job("job-1", log=b"x\n")
        choice.probe()
        choice.remember(f"http://127.0.0.1:{free_port()}")
        with pytest.raises(ClientError, match="cannot be reached"):
            choice.probe()


def test_the_size_is_the_largest_that_was_seen(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=b"12345\n")
    with choosing(url=standin.url) as (choice, _):
        assert choice.size is None
        choice.remember(standin.agent_url)
        assert b"".join(choice.polled().read(0, b"")) == b"12345\n"
        assert choice.size == 6
        standin.append("job-1", b"6\n")
        assert b"".join(choice.state_file.read(0, b"")) == b"12345\n6\n"
        assert choice.size == 8


@pytest.mark.parametrize(
    ("address", "host", "expected"),
    [
        ("http://10.0.0.5:52365", "", "http://10.0.0.5:52365"),
        ("http://10.0.0.5:52365/", "", "http://10.0.0.5:52365"),
        ("http://10.0.0.5:52365", "127.0.0.1", "http://127.0.0.1:52365"),
        ("http://10.0.0.5:52365", "gate:8080", "http://gate:8080"),
        ("http://10.0.0.5", "gate", "http://gate"),
        ("http://[fd00::5]:52365", "gate", "http://gate:52365"),
        ("http://10.0.0.5:52365", "[::1]", "http://[::1]:52365"),
    ],
)
def test_agent_host_replaces_the_host_and_the_port_where_it_has_one(
    address: str, host: str, expected: str
) -> None:
    assert replace_host(address, host) == expected


def test_agent_host_is_where_a_job_s_agent_is_asked() -> None:
    with choosing(agent_host="gate:8080") as (choice, _):
        choice.remember(AGENT)
        assert choice.agent_base() == "http://gate:8080"
