"""The first choice: byte ranges of the log file from the agent of the node it lies on."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Final

from broker.errors import ClientError
from broker.sources.http_client import HttpClient, check_status, pieces
from broker.sources.source import LogMissing, LogReplaced

RANGE: Final = 32 << 20  # bytes a request: it costs a round trip, and other jobs get their turn
_CONTENT_RANGE: Final = re.compile(r"bytes (?:\d+-\d+|\*)/(\d+)")


class AgentRange:
    """`GET {agent}/logs/job-driver-{id}.log` with `Range`. Implements `Source`."""

    name = "agent"

    def __init__(self, client: HttpClient, agent: str, job: str) -> None:
        self.url = f"{agent}/logs/job-driver-{job}.log"
        self.size: int | None = None
        self._client = client

    def probe(self) -> None:
        """One byte: any answer of the agent will do. Raises `ClientError` 408 or 503."""
        with self._client.open(self.url, {"Range": "bytes=0-0"}) as response:
            response.drain_conn()

    def read(self, offset: int, tail: bytes) -> Generator[bytes]:
        start = offset - len(tail)
        wanted = {"Range": f"bytes={start}-{offset + RANGE - 1}"}
        with self._client.open(self.url, wanted) as response:
            if response.status == 404:
                raise LogMissing("the agent has no log file of this job")
            if response.status == 416:
                response.read()  # a cut may have left half a number in the headers: it shows here
                self.size = _total(response.headers.get("Content-Range", ""))
                if self.size < offset or tail:
                    raise LogReplaced(f"the file has {self.size} bytes, {offset} were read")
                return
            if response.status not in (200, 206):
                check_status(response, self.url, response.read(10_000))
            if response.status != 206:
                raise ClientError(500, "the agent does not answer byte ranges")
            self.size = _total(response.headers.get("Content-Range", ""))
            yield from after_tail(pieces(response), tail)


def after_tail(data: Iterator[bytes], tail: bytes) -> Generator[bytes]:
    """What follows `tail`; raises `LogReplaced` where the data does not begin with it."""
    head = b""
    for piece in data:
        if len(head) < len(tail):
            head += piece
            if len(head) < len(tail):
                continue
            if head[: len(tail)] != tail:
                raise LogReplaced("the bytes before the position are not those that were read")
            if len(head) > len(tail):
                yield head[len(tail) :]
        else:
            yield piece
    if len(head) < len(tail):
        raise LogReplaced("the file is shorter than what was read")


def _total(content_range: str) -> int:
    found = _CONTENT_RANGE.match(content_range)
    if not found:
        raise ClientError(500, f"the agent's Content-Range is not one: {content_range[:80]!r}")
    return int(found[1])
