"""Can the agents be reached, and which source follows from that?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from broker.addresses import agent_address
from broker.checks import Check
from broker.config.config import ClusterConfig
from broker.errors import ClientError
from broker.sources.http_client import HttpClient
from broker.sources.ray_api import RayJob
from broker.validate import RESOURCE_ID

MAX_AGENTS: Final = 16

_OPEN: Final = (
    "let this machine reach the agents' port, or give agent_host (what a port-forward listens at)"
)
_SLOW: Final = {
    "auto": "auto will read small logs from the state file and larger ones by websocket, about "
    "a second behind",
    "http": "every log will be polled whole from the state file: slow for large ones",
}


def check_agents(
    name: str, cluster: ClusterConfig, client: HttpClient, jobs: Sequence[RayJob]
) -> Iterator[Check]:
    """Each agent is asked for one byte of its newest job's log."""
    newest: dict[str, str] = {}
    for job in sorted(jobs, key=lambda job: job.run, reverse=True):
        if job.driver_agent_http_address and RESOURCE_ID.fullmatch(job.submission_id or ""):
            address = agent_address(job.driver_agent_http_address, cluster.agent_host)
            newest.setdefault(address, job.submission_id or "")
    source = f"source {name}"
    if not newest:
        message = "no job has told an agent's address yet, so the way to its log is not known"
        yield Check("ok", source, message, "run this again when a job has started")
        return
    asked = list(newest.items())[:MAX_AGENTS]
    with ThreadPoolExecutor(8, thread_name_prefix="doctor") as pool:
        found = list(pool.map(lambda agent: _agent(name, client, *agent), asked))
    yield from found
    good = sum(check.level == "ok" for check in found)
    if good == len(found):
        yield Check("ok", source, "byte ranges from the agents, the fastest way")
    else:
        which = "no agent answers" if not good else f"{good} of {len(found)} agents answer"
        message = f"{which} byte ranges; where none does, {_SLOW[cluster.protocol]}"
        yield Check("warn", source, message, _OPEN)


def _agent(name: str, client: HttpClient, address: str, job: str) -> Check:
    what = f"agent {name}"
    url = f"{address}/logs/job-driver-{job}.log"
    try:
        with client.open(url, {"Range": "bytes=0-0"}) as response:
            status = response.status
    except ClientError as error:
        return Check("warn", what, f"{address}: {error.message}", _OPEN)
    if status in (401, 403):
        return Check(
            "warn",
            what,
            f"{address} answers {status}",
            "see the token of this cluster: the agent asks for the same",
        )
    if status == 200:
        advice = "something between here and the agent takes Range out; go around it"
        return Check("warn", what, f"{address} does not answer byte ranges", advice)
    if status in (206, 416):  # 416: the log is empty
        return Check("ok", what, f"{address} answers")
    advice = "its newest log is gone, or agent_host leads to something that is no agent of Ray"
    return Check("warn", what, f"{address} answers {status} for the log of {job}", advice)
