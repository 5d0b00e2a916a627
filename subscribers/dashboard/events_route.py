"""`GET /v1/events`: the list of jobs and the alerts as server-sent events, when they change."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from broker.access.grant import Grant
from broker.events import get_logger
from broker.web.permission import grant_of
from broker.web.query import query_values
from subscribers.dashboard.alerts_link import AlertsLink
from subscribers.dashboard.client import Client
from subscribers.dashboard.event import PING, event
from subscribers.dashboard.hub import PING_S, Hub
from subscribers.dashboard.job_rows import JobRows
from subscribers.dashboard.requester import address_of, session_of
from subscribers.dashboard.sse import EventStream

events: Final = get_logger("dashboard")

_EVERY_S: Final = 1.0
_encode: Final = msgspec.json.Encoder().encode

Bodies = tuple[bytes, bytes]  # the jobs, the alerts


class EventsClient(Client):
    """Gets the newest of each; what it was too slow for is replaced, never queued."""

    def __init__(self, grant: Grant, address: str, session: str) -> None:
        super().__init__("events", grant, address, session)
        self.newest: Bodies = (b"", b"")


class EventsRoute:
    """The ASGI application of the route. Bodies are made once for all with the same permission."""

    def __init__(self, hub: Hub, rows: JobRows, alerts: AlertsLink) -> None:
        self._hub = hub
        self._rows = rows
        self._alerts = alerts
        self._ticking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the event loop's thread."""
        self._ticking = asyncio.get_running_loop().create_task(self._tick())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query_values(scope["query_string"], ())
        client = EventsClient(grant_of(scope), address_of(scope), session_of(scope))
        async with EventStream(self._hub, client, scope, receive, send) as out:
            client.newest = await asyncio.to_thread(self._bodies, client.grant)
            await out.begin()
            sent: Bodies = (b"", b"")
            while not client.closed:
                jobs, alerts = client.newest
                pieces = event("jobs", jobs) if jobs != sent[0] else b""
                pieces += event("alerts", alerts) if alerts != sent[1] else b""
                sent = jobs, alerts
                if pieces:
                    await out.write(pieces)
                elif time.monotonic() - client.written >= PING_S:
                    await out.write(PING)
                else:
                    await client.wait()
            await out.end()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            made: dict[Grant, Bodies] = {}
            for client in [one for one in self._hub.clients if isinstance(one, EventsClient)]:
                key = msgspec.structs.replace(client.grant, name="", expires=None, origin="")
                if key not in made:
                    try:
                        made[key] = await asyncio.to_thread(self._bodies, key)
                    except Exception as error:  # the others go on, and so does the next second
                        events.exception("events_failed", error)
                        continue
                if client.newest != made[key]:
                    client.newest = made[key]
                    client.wake()

    def _bodies(self, grant: Grant) -> Bodies:
        view: object = self._alerts.last(grant)
        if self._alerts.problem:
            view = {**msgspec.to_builtins(view), "problem": self._alerts.problem}
        return _encode(self._rows.body(grant)), _encode(view)
