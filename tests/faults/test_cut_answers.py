"""An answer that is cut, at whichever byte, is never taken for a log that lost its lines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.config.config import ClusterConfig
from broker.errors import ClientError
from broker.sources.agent_range import AgentRange
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient
from broker.sources.source import Source
from broker.sources.state_file import StateFile
from tests.support.fault_proxy import FaultProxy
from tests.support.ray_standin import RayStandIn

LOG = b"".join(b"line %d\n" % number for number in range(50))
READ = 200  # bytes of it that were read before
WHOLE = 1_000  # bytes of an answer, at most


@pytest.fixture
def client() -> Iterator[HttpClient]:
    client = HttpClient(ClusterConfig(), None)
    yield client
    client.close()


def cut_everywhere(proxy: FaultProxy, source: Source, client: HttpClient) -> int:
    """Read on with an answer cut after each number of bytes; how many answers were cut."""
    statuses = []
    for count in range(1, WHOLE):
        client.close()  # each read on a connection of its own
        proxy.cut_after = [count, count]  # what was cut at once is asked for again
        taken = b""
        try:
            for data in source.read(READ, LOG[READ - 64 : READ]):
                taken += data
        except ClientError as error:
            statuses.append(error.status)
        else:
            assert taken == LOG[READ:], count
        assert LOG[READ:].startswith(taken), count
    assert set(statuses) == {503}
    return len(statuses)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.HTTPWarning")
def test_a_range_from_the_agent(standin: RayStandIn, client: HttpClient) -> None:
    standin.add_job("job-1", log=LOG)
    with FaultProxy("127.0.0.1", standin.agent.port) as proxy:
        assert cut_everywhere(proxy, AgentRange(client, proxy.url, "job-1"), client) > 300


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.HTTPWarning")
def test_a_whole_file_from_the_dashboard(standin: RayStandIn, client: HttpClient) -> None:
    standin.add_job("job-1", log=LOG)
    with FaultProxy("127.0.0.1", standin.dashboard.port) as proxy:
        source = StateFile(client, Endpoints([proxy.url]), "job-1")
        assert cut_everywhere(proxy, source, client) > 300
