"""The whole log file, raw, through the dashboard: for when the agent is out of reach."""

from __future__ import annotations

from collections.abc import Generator
from urllib.parse import urlencode

from broker.sources.agent_range import after_tail
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient, check_status, pieces
from broker.sources.source import LogReplaced


class StateFile:
    """`GET /api/v0/logs/file?…&lines=-1`, a `Source`: no offset, so a read costs the file."""

    name = "state-file"

    def __init__(self, client: HttpClient, endpoints: Endpoints, job: str) -> None:
        # `lines` has a silent default of 1000; `node_id` must be there but is ignored; the
        # deadline inside the head is 30 s unless `timeout` says otherwise.
        query = urlencode({"submission_id": job, "node_id": "x", "lines": -1, "timeout": 300})
        self._path = f"/api/v0/logs/file?{query}"
        self.size: int | None = None
        self._client = client
        self._endpoints = endpoints

    def read(self, offset: int, tail: bytes) -> Generator[bytes]:
        start = offset - len(tail)
        # A whole-file read says nothing about how fast the endpoint answers, so it is no sample.
        with self._endpoints.use(sample=False) as base:
            url = base + self._path
            with self._client.open(url) as response:
                if response.status != 200:
                    check_status(response, url, response.read(10_000))
                counted = 0

                def rest() -> Generator[bytes]:
                    nonlocal counted
                    for piece in pieces(response):
                        skip = max(0, start - counted)
                        counted += len(piece)
                        if skip < len(piece):
                            yield piece[skip:]

                yield from after_tail(rest(), tail)
                self.size = counted
                if counted < offset:
                    raise LogReplaced(f"the file has {counted} bytes, {offset} were read")
