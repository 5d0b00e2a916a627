"""`GET /v1/jobs/{cluster}/{job}/log`: a replay, streamed in bounded memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from broker.errors import ClientError
from broker.events import get_logger
from broker.http.status import Status
from broker.journal.replay import Replay
from broker.metrics import Metrics
from broker.topic import Stream
from broker.web import query, render
from broker.web.permission import grant_of

events: Final = get_logger("http")

MAX_REPLAYS: Final = 8
_MOST_EPOCHS: Final = 100  # the newest: a header has its bounds


class Question(NamedTuple):
    """What one request asks for, checked."""

    stream: Stream
    epoch: str | None
    start: int
    limit: int | None
    media_type: str
    gzip: bool

    @classmethod
    def of(cls, scope: Scope) -> Question:
        """Raises `ClientError` 400 or 406."""
        headers = Headers(scope=scope)
        asked = query.query_values(scope["query_string"], ("from", "limit", "epoch"))
        return cls(
            query.stream_of(scope["path_params"]),
            query.epoch_id(asked["epoch"]) if "epoch" in asked else None,
            query.line_number("from", asked.get("from", "0")),
            query.line_number("limit", asked["limit"], least=1) if "limit" in asked else None,
            query.media_type(",".join(headers.getlist("accept"))),
            query.accepts_gzip(",".join(headers.getlist("accept-encoding"))),
        )


class LogRoute:
    """The ASGI application of the route. `MAX_REPLAYS` are sent at a time; over that, 503."""

    def __init__(self, status: Status, metrics: Metrics) -> None:
        self._status = status
        self._metrics = metrics
        self._active = 0  # the event loop's thread only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = "failed"
        try:
            question = Question.of(scope)
            grant_of(scope).check(question.stream)
            if self._active >= MAX_REPLAYS:
                raise ClientError(503, f"{MAX_REPLAYS} replays are being sent; ask again")
            self._active += 1
            try:
                with self._metrics.replays_active.track_inprogress():
                    outcome = await self._answer(question, scope, receive, send)
            finally:
                self._active -= 1
        except ClientError as error:
            outcome = "busy" if error.status == 503 else "refused"
            raise
        finally:
            self._metrics.replays.labels(outcome).inc()

    async def _answer(self, question: Question, scope: Scope, receive: Receive, send: Send) -> str:
        """Send the replay; the outcome for the metric."""
        stream, epoch, start, limit = question[:4]
        replay = await asyncio.to_thread(self._status.replay, stream, epoch, start, limit)
        body = Body(replay, question.media_type, question.gzip)
        gone = asyncio.create_task(_disconnect(receive))
        try:
            headers = _headers(replay, question)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while scope["method"] != "HEAD" and (piece := await asyncio.to_thread(body.read)):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if gone.done():
                    return "disconnected"
            await send({"type": "http.response.body", "body": b""})
        except ClientError as error:
            # Too late for a status. The body stays unfinished, which every HTTP client notices.
            events.warning("replay_failed", stream=stream, error=error)
            return "failed"
        else:
            return "sent"
        finally:
            gone.cancel()
            await asyncio.to_thread(body.close)


class Body:
    """A replay as bytes. Each call runs on a worker thread; `close` waits for a `read`."""

    def __init__(self, replay: Replay, media_type: str, gzip: bool) -> None:
        self._parts = replay.parts
        self._pieces = render.grouped(_rendered(replay, media_type))
        if gzip:
            self._pieces = render.gzipped(self._pieces)
        self._lock = threading.Lock()

    def read(self) -> bytes:
        """The next piece; empty at the end. Raises what the journal raises."""
        with self._lock:
            return next(self._pieces, b"")

    def close(self) -> None:
        """Let go of what the replay reads from."""
        with self._lock:
            if isinstance(self._parts, Generator):
                self._parts.close()


def _rendered(replay: Replay, media_type: str) -> Iterator[bytes]:
    if media_type == query.MSGPACK:
        return replay.payloads
    if media_type == query.NDJSON:
        return render.as_ndjson(replay.frames)
    return render.as_text(replay.frames)


def _headers(replay: Replay, question: Question) -> list[tuple[bytes, bytes]]:
    charset = "; charset=utf-8" if question.media_type == query.TEXT else ""
    headers = {
        "Content-Type": question.media_type + charset,
        "Vary": "Accept, Accept-Encoding",
        "Raytap-Epoch": replay.epoch,
        "Raytap-First": str(replay.first),
        "Raytap-Next": str(replay.next),
        "Raytap-Complete": "true" if replay.complete else "false",
        "Raytap-Epochs": ",".join(replay.epochs[-_MOST_EPOCHS:]),
    }
    if question.gzip:
        headers["Content-Encoding"] = "gzip"
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
