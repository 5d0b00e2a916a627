"""`GET …/stream`: live frames as server-sent events, from where the client was."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from broker.errors import ClientError
from broker.validate import validate_resource_id
from broker.web.permission import grant_of
from broker.web.query import query_values, stream_of
from subscribers.dashboard.cluster_id import parse_cluster_id
from subscribers.dashboard.positions import Positions
from subscribers.dashboard.pouring import ClusterPouring, Pouring, Streaming
from subscribers.dashboard.resume import wanted
from subscribers.dashboard.sse import EventStream


class JobStreamRoute:
    """The ASGI application of `/v1/jobs/{cluster}/{job}/stream`."""

    def __init__(self, streaming: Streaming) -> None:
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = self._streaming
        stream = stream_of(scope["path_params"])
        grant_of(scope).check(stream)
        asked = query_values(scope["query_string"], ("from",))
        start = wanted(_last_event_id(scope), asked.get("from"))
        client = parts.client(stream, scope)
        positions = Positions()
        async with EventStream(parts.hub, client, scope, receive, send) as out:
            beginning = await parts.origins.of_job(stream, start, positions)
            await Pouring(parts, client, positions, beginning, out).run()


class ClusterStreamRoute:
    """The ASGI application of `/v1/clusters/{cluster}/stream`."""

    def __init__(self, streaming: Streaming) -> None:
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = self._streaming
        cluster = validate_resource_id(scope["path_params"]["cluster"], "cluster")
        if not grant_of(scope).allows_cluster(cluster):
            raise ClientError(403, f"this token may not read cluster {cluster}")
        query_values(scope["query_string"], ())
        last_id = _last_event_id(scope)
        start = parse_cluster_id(last_id) if last_id else None
        client = parts.client(cluster, scope)
        positions = Positions(start.line) if start else Positions()
        async with EventStream(parts.hub, client, scope, receive, send) as out:
            beginning = await parts.cluster_origins.of(client, cluster, start, positions)
            await ClusterPouring(parts, client, positions, beginning, out).run()


def _last_event_id(scope: Scope) -> str:
    return Headers(scope=scope).get("last-event-id", "").strip()
