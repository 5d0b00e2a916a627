"""Questions to a broker's journal over HTTP: which streams there are, and their lines from N on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgpack
import msgspec

from broker.errors import ClientError
from broker.frame import Frame, decode
from broker.jobview import JobList
from broker.text.plain_text import one_line
from broker.topic import Stream
from broker.web.connection_problem import connection_problem

if TYPE_CHECKING:
    import urllib3

_CONNECT_S: Final = 3.0
_READ_S: Final = 10.0
_CHUNK: Final = 256 * 1024
_MAX_ERROR: Final = 4096
_MAX_FRAME: Final = 16 << 20


class _Said(msgspec.Struct):
    message: str


class _ErrorBody(msgspec.Struct):
    error: _Said


class JournalClient:
    """One broker's journal, asked on one thread; `abort` may come from any.

    Every error is a `ClientError`: 401 the token is missing or not known, 403 it may not read the
    stream, 404 the journal does not know the stream, 408 no answer in time, 429 asked too often,
    503 unreachable, refused, busy or cut. None holds the token. `token_from` names what gives a
    token, for who lacks one.
    """

    def __init__(
        self,
        base: str,
        token: str | None = None,
        token_from: str = "--token, RAYTAP_TOKEN or token=",
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ClientError(400, f"{base!r} is no broker address; http://HOST:PORT is one")
        self.base = base.rstrip("/")
        self._token_from = token_from
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool: urllib3.PoolManager | None = None
        self._response: urllib3.BaseHTTPResponse | None = None
        self.known_epochs: tuple[
            str, ...
        ] = ()  # all that the last log asked for has, the oldest first

    def jobs(self) -> JobList:
        """The streams that the broker follows. 404 where something else answers at the address."""
        try:
            response = self._get("/v1/jobs", {}, "application/json")
        except ClientError as error:
            if error.status != 404:
                raise
            said = f"{self.base} is no raytap (it answered 404 to /v1/jobs)"
            raise ClientError(404, said) from None
        try:
            body = b"".join(self._chunks(response))
            return msgspec.json.decode(body, type=JobList)
        except msgspec.MsgspecError as error:
            raise ClientError(503, f"{self.base}/v1/jobs: unexpected answer: {error}") from None

    def replay(
        self, stream: Stream, first: int, epoch: str = "", limit: int | None = None
    ) -> Generator[tuple[Frame, int], None, None]:
        """Frames from line `first` on, each with its size in bytes; what the journal let go comes
        as `gap` frames. Closing the iterator ends the answer."""
        fields: dict[str, str] = {"from": str(first)}
        if epoch:
            fields["epoch"] = epoch
        if limit is not None:
            fields["limit"] = str(limit)
        path = f"/v1/jobs/{stream.cluster}/{stream.job}/log"
        response = self._get(path, fields, "application/msgpack")
        self.known_epochs = tuple(
            filter(None, response.headers.get("Raytap-Epochs", "").split(","))
        )
        for payload in split(self._chunks(response)):
            yield decode(payload), len(payload)

    def abort(self) -> None:
        """End an answer that is being read, on another thread: it gets an error at once."""
        if (response := self._response) is not None:
            try:
                response.shutdown()
            except (ValueError, RuntimeError, OSError):
                return  # it ended by itself meanwhile

    def close(self) -> None:
        """Let go of the connections."""
        if self._pool is not None:
            self._pool.clear()

    def _get(self, path: str, fields: dict[str, str], accept: str) -> urllib3.BaseHTTPResponse:
        import urllib3

        if self._pool is None:
            self._pool = urllib3.PoolManager(
                retries=False, timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S)
            )
        headers = {"Accept": accept, "Accept-Encoding": "identity", **self._headers}
        try:
            response = self._pool.request(
                "GET", self.base + path, fields=fields, headers=headers, preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise connection_problem(error, self.base) from None
        if response.status == 200:
            return response
        body = response.read(_MAX_ERROR, decode_content=False)
        response.close()
        try:
            said = msgspec.json.decode(body, type=_ErrorBody).error.message
        except msgspec.MsgspecError:
            said = body.decode("utf-8", "replace").strip()
        if response.status == 401:
            said = self._why_401(said)
        status = response.status if response.status in {400, 401, 403, 404, 429} else 503
        raise ClientError(status, f"{self.base}: HTTP {response.status}: {one_line(said)}")

    def _why_401(self, said: str) -> str:
        if self._headers:
            return f"the token is not taken: {said}"
        return f"no token was given ({self._token_from}): {said}"

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        import urllib3

        self._response = response
        try:
            while chunk := response.read1(_CHUNK):
                yield chunk
            response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise connection_problem(error, self.base) from None
        finally:
            self._response = None
            response.close()


def split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The single frames' bytes out of concatenated ones, however they are cut into chunks.
    Raises `ClientError` 503 where the last one is cut short."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        if len(rest) > _MAX_FRAME:
            raise ClientError(503, f"a replayed frame of more than {_MAX_FRAME} bytes")
        unpacker = msgpack.Unpacker(max_buffer_size=_MAX_FRAME + _CHUNK)
        unpacker.feed(rest)
        begin = 0
        try:
            while begin < len(rest):
                unpacker.skip()
                yield rest[begin : (begin := unpacker.tell())]
        except msgpack.OutOfData:
            pass
        except (ValueError, msgpack.UnpackException) as error:
            raise ClientError(503, f"a replay that is not msgpack: {error}") from None
        rest = rest[begin:]
    if rest:
        raise ClientError(503, "the replay was cut short inside a frame")
