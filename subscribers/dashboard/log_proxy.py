"""`GET /v1/jobs/{cluster}/{job}/log`: a broker's replay, passed on as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from broker.errors import ClientError
from broker.events import get_logger
from broker.web.connection_problem import connection_problem
from broker.web.permission import grant_of
from broker.web.query import epoch_id, line_number, media_type, query_values, stream_of
from subscribers.dashboard.workers import Workers

if TYPE_CHECKING:
    import urllib3

events: Final = get_logger("dashboard")

MAX_DOWNLOADS: Final = 3  # of the 8 replays that a broker sends at a time
_PIECE: Final = 256 << 10
_CONNECT_S: Final = 3.0
_READ_S: Final = 30.0
_PASSED: Final = (
    *("Content-Type", "Content-Encoding", "Vary"),
    *("Raytap-Epoch", "Raytap-First", "Raytap-Next", "Raytap-Complete", "Raytap-Epochs"),
)


class LogProxy:
    """The ASGI application of the route; over `MAX_DOWNLOADS` at a time, 503."""

    def __init__(self, bases: Sequence[str], token: str | None) -> None:
        self.active = 0  # the event loop's thread only
        self._bases = list(bases)
        self._token = token
        self._pool: urllib3.PoolManager | None = None
        self._workers = Workers(MAX_DOWNLOADS, "raytap-download")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = stream_of(scope["path_params"])
        grant_of(scope).check(stream)
        asked = query_values(scope["query_string"], ("from", "limit", "epoch"))
        line_number("from", asked.get("from", "0"))
        line_number("limit", asked.get("limit", "1"), least=1)
        epoch_id(asked.get("epoch", "0"))
        headers = Headers(scope=scope)
        accept = media_type(",".join(headers.getlist("accept")))
        encoding = ",".join(headers.getlist("accept-encoding")) or "identity"
        if self.active >= MAX_DOWNLOADS:
            raise ClientError(503, f"{MAX_DOWNLOADS} logs are being sent; ask again")
        self.active += 1
        try:
            path = f"/v1/jobs/{stream.cluster}/{stream.job}/log"
            method = scope["method"]
            answer = await self._workers.run(
                lambda: self._open(method, path, asked, accept, encoding)
            )
            await self._pass_on(answer, scope, receive, send)
        finally:
            self.active -= 1

    def _open(
        self, method: str, path: str, fields: dict[str, str], accept: str, encoding: str
    ) -> urllib3.BaseHTTPResponse:
        """The first broker's answer that is one."""
        import urllib3

        if self._pool is None:
            timeout = urllib3.Timeout(connect=_CONNECT_S, read=_READ_S)
            self._pool = urllib3.PoolManager(retries=False, timeout=timeout)
        headers = {"Accept": accept, "Accept-Encoding": encoding}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        problem = ClientError(503, "no broker's journal is known")
        for base in self._bases:
            try:
                answer = self._pool.request(
                    method, base + path, fields=fields, headers=headers, preload_content=False
                )
            except urllib3.exceptions.HTTPError as error:
                problem = connection_problem(error, base)
                continue
            if answer.status == 200:
                return answer
            problem = _error_of(base, answer)
        raise problem

    async def _pass_on(self, answer: Any, scope: Scope, receive: Receive, send: Send) -> None:
        def read() -> bytes:
            return bytes(answer.read1(_PIECE, decode_content=False))

        gone = asyncio.create_task(_disconnect(receive))
        headers = [
            (name.lower().encode(), answer.headers[name].encode("latin-1"))
            for name in _PASSED
            if name in answer.headers
        ]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while scope["method"] != "HEAD":
                piece = await self._workers.run(read)
                if not piece:
                    break
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b""})
        except (OSError, _http_error()) as error:
            # Too late for a status: the body stays unfinished, which every HTTP client notices.
            events.warning("log_broken", error=type(error).__name__)
        finally:
            gone.cancel()
            answer.close()


def _error_of(base: str, answer: Any) -> ClientError:
    import msgspec

    body = answer.read(4096, decode_content=False)
    answer.close()
    status = answer.status if answer.status in (400, 404, 406, 503) else 503
    try:
        said = str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        said = f"{base} answered {answer.status}"
    return ClientError(status, said)


def _http_error() -> type[Exception]:
    import urllib3

    return urllib3.exceptions.HTTPError


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
