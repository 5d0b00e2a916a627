"""Is Ray there, does it take the token, and by which way will its logs be read?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from broker.checks import Check
from broker.checks.agents import check_agents
from broker.config.config import ClusterConfig
from broker.config.settings import read_token
from broker.errors import ClientError, ConfigError
from broker.sources.http_client import HttpClient
from broker.sources.ray_api import RayJob, no_dashboard
from broker.text.plain_text import one_line
from broker.topic import Stream, matches
from broker.validate import RESOURCE_ID

CONNECT_TIMEOUT: Final = 3.0  # seconds: somebody is waiting for the answer
READ_TIMEOUT: Final = 10.0
MAX_BODY: Final = 64 << 20

_START: Final = (
    "start Ray, forward its port here (kubectl port-forward … 8265), or name its dashboard "
    "with --ray URL"
)
_OTHER_SERVER: Final = "name the dashboard's own address with --ray URL"
_NO_TOKEN: Final = "Ray asks for a token: set token_file or token_env in [cluster.{name}]"
_WRONG_TOKEN: Final = "Ray does not take this token: see that token_file or token_env is its own"


class _Version(msgspec.Struct):
    ray_version: str = "(unknown version)"


class Answer(NamedTuple):
    """An HTTP answer's status and body."""

    status: int
    body: bytes


def check_cluster(name: str, cluster: ClusterConfig, environ: Mapping[str, str]) -> Iterator[Check]:
    """All checks of one cluster; what depends on a failed one is left out."""
    try:
        token = read_token(cluster, environ, name=name)
    except ConfigError as error:
        yield Check("fail", f"token {name}", error.message, "correct it; then run this again")
        return
    quick = msgspec.structs.replace(
        cluster,
        connect_timeout=min(cluster.connect_timeout, CONNECT_TIMEOUT),
        read_timeout=min(cluster.read_timeout, READ_TIMEOUT),
    )
    client = HttpClient(quick, token)
    try:
        answering = []
        for endpoint in cluster.endpoints:
            found = _version(name, client, endpoint)
            yield found
            if found.level == "ok":
                answering.append(endpoint)
        if answering:
            yield from _jobs(name, cluster, client, answering[0])
    finally:
        client.close()


def _version(name: str, client: HttpClient, endpoint: str) -> Check:
    what = f"ray {name}"
    try:
        answer = _get(client, f"{endpoint}/api/version")
    except ClientError as error:
        return Check("fail", what, f"{endpoint}: {error.message}", _START, unreachable=True)
    refused = _refused(name, what, endpoint, client, answer)
    if refused is not None:
        return refused
    try:
        version = msgspec.json.decode(answer.body, type=_Version).ray_version
    except msgspec.DecodeError:
        version = ""
    if answer.status != 200 or not version:
        as_ray = ", but not as Ray does" if answer.status == 200 else ""
        why = f"it answered {answer.status} to /api/version{as_ray}"
        return Check("fail", what, no_dashboard(endpoint, why), _OTHER_SERVER)
    return Check("ok", what, f"Ray {one_line(version, 40)} at {endpoint}")


def _refused(
    name: str, what: str, endpoint: str, client: HttpClient, answer: Answer
) -> Check | None:
    if answer.status not in (401, 403):
        return None
    sent = "Authorization" in client.headers
    said = "the token was refused" if sent else "no token was sent"
    advice = _WRONG_TOKEN if sent else _NO_TOKEN.format(name=name)
    return Check("fail", what, f"{endpoint} answers {answer.status}: {said}", advice)


def _jobs(name: str, cluster: ClusterConfig, client: HttpClient, endpoint: str) -> Iterator[Check]:
    what = f"jobs {name}"
    try:
        answer = _get(client, f"{endpoint}/api/jobs/")
    except ClientError as error:
        message = f"the list of jobs: {error.message}"
        yield Check("fail", what, message, "see whether the dashboard is overloaded", True)
        return
    refused = _refused(name, what, endpoint, client, answer)
    if refused is not None:
        yield refused
        return
    if answer.status == 404:
        message = no_dashboard(endpoint, "it answered 404 to /api/jobs/")
        yield Check("fail", what, message, _OTHER_SERVER)
        return
    try:
        jobs = msgspec.json.decode(answer.body, type=list[RayJob])
    except msgspec.DecodeError as error:
        message = (
            f"the list of jobs (status {answer.status}) cannot be read: {one_line(str(error))}"
        )
        yield Check("fail", what, message, "see the dashboard's own log (dashboard.log)")
        return
    yield _counted(what, name, cluster, jobs)
    if cluster.protocol == "websocket":
        yield Check("ok", f"source {name}", 'the websocket, as protocol = "websocket" says')
    else:
        yield from check_agents(name, cluster, client, jobs)


def _counted(what: str, name: str, cluster: ClusterConfig, jobs: Sequence[RayJob]) -> Check:
    ids = [job.submission_id for job in jobs if job.submission_id]
    valid = [job for job in ids if RESOURCE_ID.fullmatch(job)]
    wanted = [
        job for job in valid if any(matches(glob, Stream(name, job)) for glob in cluster.jobs)
    ]
    states = Counter(job.status for job in jobs if job.submission_id)
    shown = ", ".join(f"{count} {one_line(status, 20)}" for status, count in sorted(states.items()))
    message = f"{len(ids)} submitted{f' ({shown})' if shown else ''}, {len(wanted)} match"
    if len(valid) < len(ids):
        message += f"; {len(ids) - len(valid)} have an id that is not [A-Za-z0-9_-] and are skipped"
        return Check("warn", what, message, "submit with ids of letters, digits, - and _")
    if ids and not wanted:
        patterns = ", ".join(cluster.jobs)
        return Check("warn", what, message, f"no job is like {patterns}: see --job")
    return Check("ok", what, message)


def _get(client: HttpClient, url: str) -> Answer:
    with client.open(url) as response:
        return Answer(response.status, response.read(MAX_BODY))
