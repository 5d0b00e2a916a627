"""`GET /v1/clients`: who holds an event stream open, and who is too slow for it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from broker.web.errors import JsonResponse
from broker.web.permission import grant_of
from broker.web.query import query_values
from subscribers.dashboard.hub import Hub


class ClientRow(msgspec.Struct, frozen=True):
    """An open event stream. `name` is its token's; `since` unix seconds."""

    name: str
    address: str
    what: str
    since: float
    sent_bytes: int
    buffered_bytes: int
    skipped_lines: int
    slow: bool


class ClientsBody(msgspec.Struct, frozen=True):
    """`GET /v1/clients`."""

    clients: list[ClientRow]


class ClientsRoute:
    """The handler; it asks for the action `admin`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def clients(self, request: Request) -> Response:
        query_values(request.scope["query_string"], ())
        grant_of(request).check_action("admin")
        rows = [
            ClientRow(
                client.grant.name,
                client.address,
                client.what,
                client.since,
                client.sent_bytes,
                client.buffered,
                client.skipped,
                client.slow,
            )
            for client in self._hub.clients
        ]
        rows.sort(key=lambda row: row.since)
        return JsonResponse(ClientsBody(rows))
