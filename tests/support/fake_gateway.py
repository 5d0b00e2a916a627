"""A gateway that tells the page what a test makes up: its files, and /v1 on a real socket."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from broker.web.server import HttpServer
from tests.support.fake_log import FakeLog, PageFrame

PAGE: Final = Path(__file__).parents[2] / "subscribers" / "dashboard" / "page"
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_COOKIE: Final = "raytap_session"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_NO_ALERTS: Final[dict[str, Any]] = {
    "configured": False, "firing": [], "history": [], "mutes": [], "receivers": [],
}  # fmt: skip
_FIGURES: Final = (
    "lines_per_s", "bytes_per_s", "frames_per_s", "lag_p50_ms", "lag_p95_ms", "lag_p99_ms",
)  # fmt: skip


class _Grant(NamedTuple):
    name: str
    clusters: Sequence[str]
    jobs: Sequence[str]

    def allows(self, where: tuple[str, str]) -> bool:
        names = (where[1], "/".join(where))
        return any(fnmatch.fnmatchcase(where[0], glob) for glob in self.clusters) and any(
            fnmatch.fnmatchcase(name, glob) for glob in self.jobs for name in names
        )


_ANYONE: Final = _Grant("", ["*"], ["*"])


class _Client(NamedTuple):
    what: str  # "events" or "cluster/job"
    queue: asyncio.Queue[str | None]
    loop: asyncio.AbstractEventLoop

    def send(self, event: str | None) -> None:
        self.loop.call_soon_threadsafe(self.queue.put_nowait, event)


def _event(name: str, data: object, event_id: str = "") -> str:
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n"


def _frame_event(frame: PageFrame) -> str:
    return _event("frame", frame, f"{frame['epoch']}:{frame['next']}")


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"status": status, "message": message}}, status)


class FakeGateway:
    """Serves at `url` while it is entered. Every method may be called on the test's thread.

    `asked` holds `METHOD /path?query` of each request; `refuse`, where set, is the status that
    everything under /v1 answers; `index` is the page at each address that is not of a file.
    """

    def __init__(self) -> None:
        self._clients: list[_Client] = []
        self._lock = threading.Lock()
        self._app = self._routes()
        self._server = HttpServer(self._app, "127.0.0.1:0")
        self._is_up = False
        self._empty()

    def _empty(self) -> None:
        self.index = (PAGE / "index.html").read_bytes()
        self.asked: list[str] = []
        self.refuse = 0
        self.degraded: list[str] = []
        self.alerts: dict[str, Any] = dict(_NO_ALERTS)
        self.series: dict[str, list[float | None]] = {}
        self._logs: dict[tuple[str, str], FakeLog] = {}
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._state: dict[str, Any] = {"connected": True, "problem": ""}
        self._tokens: dict[str, _Grant] = {}
        self._sessions: dict[str, _Grant] = {}

    # The server's life ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._server.start()
        self._is_up = True
        self.url = f"http://{self._server.address}"
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def down(self) -> None:
        """The process is gone: every connection ends, no new one comes about. Idempotent."""
        self.cut()
        self._server.stop(0.5)
        self._is_up = False
        self._clients.clear()

    def up(self) -> None:
        """It is there again, at the same address. Idempotent."""
        if not self._is_up:
            self._server = HttpServer(self._app, self._server.address)
            self._server.start()
            self._is_up = True

    def forget(self) -> None:
        """It is up, and as if it were new; what browsers hold of its files stays good."""
        self.cut()
        with self._lock:
            self._clients.clear()
            self._empty()
        self.up()

    def cut(self, what: str = "*") -> None:
        """End the event streams of `events` or `cluster/job`; a glob."""
        with self._lock:
            for client in self._clients:
                if fnmatch.fnmatchcase(client.what, what):
                    client.send(None)

    # What it tells -------------------------------------------------------------------------------

    def require(self, token: str, name: str = "ops", clusters: Sequence[str] = ("*",),
                jobs: Sequence[str] = ("*",)) -> None:  # fmt: skip
        """From now on a token is needed, and this one is good for these jobs."""
        self._tokens[token] = _Grant(name, clusters, jobs)

    def expire(self) -> None:
        """Every session is over, and its event streams with it."""
        self._sessions.clear()
        self.cut()

    def add_job(self, job: str, cluster: str = "default", *, total: int = 0,
                line: Callable[[int], str] = "line {}".format, tell: bool = True,
                **row: object) -> FakeLog:  # fmt: skip
        """A job with `total` generated lines; `row` overrides fields of its row in the list."""
        where = (cluster, job)
        with self._lock:
            log = self._logs[where] = FakeLog(where, total, line)
            self._rows[where] = dict(row)
        if tell:
            self.tell_jobs()
        return log

    def set_row(self, job: str, cluster: str = "default", **row: object) -> None:
        """Change fields of a job's row, and tell the pages."""
        with self._lock:
            self._rows[cluster, job].update(row)
        self.tell_jobs()

    def push(self, job: str, lines: Sequence[str], cluster: str = "default", **extra: Any) -> None:
        """The job prints these lines."""
        with self._lock:
            self._live((cluster, job), self._logs[cluster, job].add(lines, **extra))

    def say(self, job: str, kind: str, cluster: str = "default", **extra: Any) -> None:
        """A frame without lines: `gap` (with `skip`), `end`, `status`, `reset`."""
        with self._lock:
            self._live((cluster, job), self._logs[cluster, job].say(kind, **extra))

    def skipped(self, job: str, lines: Sequence[str], cluster: str = "default") -> None:
        """The job prints these lines, and every client was too slow for them."""
        with self._lock:
            frame = self._logs[cluster, job].add(lines)
            names = ("cluster", "job", "epoch", "first", "next")
            notice = {name: frame[name] for name in names} | {"reason": "slow"}
            self._broadcast(f"{cluster}/{job}", _event("skipped", notice))

    def set_state(self, connected: bool, problem: str = "") -> None:
        """The gateway's link to its broker."""
        with self._lock:
            self._state = {"connected": connected, "problem": problem}
            self._broadcast("*/*", _event("state", self._state))

    def set_alerts(self, **alerts: object) -> None:
        """What the alerts process serves, and tell the pages."""
        with self._lock:
            self.alerts = dict(_NO_ALERTS) | {"configured": True} | alerts
            self._broadcast("events", _event("alerts", self.alerts))

    def tell_jobs(self) -> None:
        """The list goes to the pages, without what a token may not read."""
        with self._lock:
            self._broadcast("events", "jobs")

    def listeners(self, what: str) -> int:
        """How many event streams of `events` or `cluster/job` are open."""
        with self._lock:
            return sum(fnmatch.fnmatchcase(client.what, what) for client in self._clients)

    # Inside --------------------------------------------------------------------------------------

    def _live(self, where: tuple[str, str], frame: PageFrame) -> None:
        self._broadcast("/".join(where), _frame_event(frame))

    def _broadcast(self, what: str, event: str) -> None:
        for client in self._clients:
            if fnmatch.fnmatchcase(client.what, what):
                client.send(event)

    def _row(self, where: tuple[str, str]) -> dict[str, Any]:
        log = self._logs[where]
        return {
            "cluster": where[0], "job": where[1], "state": "streaming", "status": "RUNNING",
            "run": round(time.time() * 1000) - 600_000, "source": "agent", "epoch": log.epoch,
            "next": log.next, "offset": log.next * 80, "size": log.next * 80, "lines": log.next,
            "bytes": log.next * 80, "frames": log.next // 100, "lines_per_s": 0.0,
            "poll_interval_s": 0.1, "reconnects": 0, "dropped": 0, "unsent": 0, "redacted": 0,
            "truncated": 0, "resets": 0, "last_frame_ts": time.time_ns(), "complete": None,
            "reason": "", "last_error": "", "errors": [], "errors_seen": 0, "spark": [0.0] * 30,
            "stats": dict.fromkeys(_FIGURES, 0.0)
            | {"source_lag_bytes": 0, "reconnects": 0, "errors": {}},
            "alerts": 0,
        } | self._rows[where]  # fmt: skip

    def _jobs(self, grant: _Grant) -> dict[str, Any]:
        rows = [self._row(where) for where in list(self._logs) if grant.allows(where)]
        return {"broker": "fake", "degraded": self.degraded, "jobs": rows}

    def _grant(self, request: Request) -> _Grant | None:
        if not self._tokens:
            return _ANYONE
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return self._tokens.get(token)
        return self._sessions.get(request.cookies.get(_COOKIE, ""))

    def _routes(self) -> Callable[[Scope, Receive, Send], Any]:
        async def index(_request: Request) -> Response:
            return Response(self.index, media_type="text/html")

        async def static(request: Request) -> Response:
            file = PAGE / request.path_params["file"]
            if not file.is_file():
                return Response(status_code=404)
            return Response(file.read_bytes(), media_type=_TYPES[file.suffix])

        app = Starlette(
            routes=[
                Route("/", index),
                Route("/jobs/{cluster}/{job}", index),
                Route("/static/{file:path}", static),
                Route("/v1/session", self._session, methods=["GET", "POST", "DELETE"]),
                *(
                    Route(path, self._guarded(answer))
                    for path, answer in {
                        "/v1/jobs": self._answer_jobs,
                        "/v1/jobs/{cluster}/{job}": self._answer_job,
                        "/v1/jobs/{cluster}/{job}/log": self._answer_log,
                        "/v1/jobs/{cluster}/{job}/lines": self._answer_lines,
                        "/v1/jobs/{cluster}/{job}/search": self._answer_search,
                        "/v1/jobs/{cluster}/{job}/stream": self._answer_stream,
                        "/v1/events": self._answer_events,
                        "/v1/stats": self._answer_stats,
                        "/v1/alerts": self._answer_alerts,
                    }.items()
                ),
            ]
        )

        async def outer(scope: Scope, receive: Receive, send: Send) -> None:
            query = scope.get("query_string", b"").decode()
            self.asked.append(f"{scope['method']} {scope['path']}" + (f"?{query}" if query else ""))

            # A page loads dozens of files: its browser has them from the first on.
            kept = scope["path"].startswith("/static/")

            async def secured(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] += [
                        (b"content-security-policy", CSP.encode()),
                        (b"x-content-type-options", b"nosniff"),
                        (b"cache-control", b"max-age=3600, immutable" if kept else b"no-store"),
                    ]
                await send(message)

            await app(scope, receive, secured)

        return outer

    def _guarded(self, answer: Callable[[Request, _Grant], Response]) -> Callable[..., Any]:
        async def guarded(request: Request) -> Response:
            if self.refuse:
                return _error(self.refuse, "the gateway is asked to refuse")
            grant = self._grant(request)
            if grant is None:
                return _error(401, "a token is needed, or this one has expired")
            if "job" in request.path_params:
                where = (request.path_params["cluster"], request.path_params["job"])
                if not grant.allows(where):
                    return _error(403, f"{grant.name} may not read {'/'.join(where)}")
                if where not in self._logs:
                    return _error(404, f"job {'/'.join(where)} is not known here")
            with self._lock:
                return answer(request, grant)

        return guarded

    async def _session(self, request: Request) -> Response:
        if self.refuse:
            return _error(self.refuse, "the gateway is asked to refuse")
        if request.method == "DELETE":
            self._sessions.pop(request.cookies.get(_COOKIE, ""), None)
            return Response(status_code=204)
        grant = self._grant(request)
        if grant is None:
            return _error(401, "a token is needed, or this one has expired")
        if request.method == "POST":
            value = secrets.token_urlsafe()
            self._sessions[value] = grant
            response = Response(status_code=204)
            response.set_cookie(_COOKIE, value, 3600, httponly=True, samesite="strict")
            return response
        return JSONResponse(
            {
                "required": bool(self._tokens), "name": grant.name,
                "clusters": list(grant.clusters), "jobs": list(grant.jobs), "actions": ["read"],
                "expires": time.time() + 3600 if self._tokens else None,
            }
        )  # fmt: skip

    def _log_of(self, request: Request) -> FakeLog:
        return self._logs[request.path_params["cluster"], request.path_params["job"]]

    def _answer_jobs(self, _request: Request, grant: _Grant) -> Response:
        return JSONResponse(self._jobs(grant))

    def _answer_job(self, request: Request, _grant: _Grant) -> Response:
        return JSONResponse(self._row(self._log_of(request).where))

    def _answer_log(self, request: Request, _grant: _Grant) -> Response:
        log = self._log_of(request)
        lines = [line for frame in log.frames(0, log.next) for line in frame.get("lines", ())]
        if "ndjson" in request.headers.get("accept", ""):
            objects = (json.dumps({"line": n, "text": text}) + "\n" for n, text in enumerate(lines))
            return Response("".join(objects), media_type="application/x-ndjson")
        return PlainTextResponse("".join(line + "\n" for line in lines))

    def _answer_lines(self, request: Request, _grant: _Grant) -> Response:
        log, asked = self._log_of(request), request.query_params
        if asked.get("epoch", log.epoch) != log.epoch:
            return _error(404, "that epoch is not known here")
        start, limit = int(asked.get("from", "0")), int(asked.get("limit", "1000"))
        if limit > 5000:
            return _error(400, "limit must be at most 5000")
        first = min(start if start >= 0 else max(0, log.next + start), log.next)
        stop = min(first + limit, log.next)
        return JSONResponse(
            {
                "epoch": log.epoch, "first": first, "next": stop,
                "complete": log.complete and stop == log.next, "frames": log.frames(first, stop),
            }
        )  # fmt: skip

    def _answer_search(self, request: Request, _grant: _Grant) -> Response:
        log, asked = self._log_of(request), request.query_params
        try:
            pattern = re.compile(asked["q"], 0 if asked.get("case") else re.IGNORECASE)
        except re.error as error:
            return _error(400, f"q: {error}")
        start, limit = int(asked.get("from", "0")), int(asked.get("limit", "100"))
        stop = min(start + 100_000, log.next)  # one request's share of a long log
        hits: list[dict[str, object]] = []
        for frame in log.frames(start, stop):
            for line, text in enumerate(frame.get("lines", ()), frame["first"]):
                if pattern.search(text):
                    hits.append({"line": line, "text": text})
                    if len(hits) == limit:
                        return JSONResponse({"hits": hits, "next": line + 1, "epoch": log.epoch})
        after = stop if stop < log.next else None
        return JSONResponse({"hits": hits, "next": after, "epoch": log.epoch})

    def _answer_stream(self, request: Request, _grant: _Grant) -> Response:
        log = self._log_of(request)
        epoch, _, line = request.headers.get("last-event-id", "").partition(":")
        start = int(request.query_params.get("from", str(log.next)))
        if line:
            # An id with a "p": of the line before it the client has a part.
            known = int(line.removesuffix("p")) - line.endswith("p")
            start = known if epoch == log.epoch else 0
        start = start if start >= 0 else max(0, log.next + start)
        before = [_event("state", self._state)]
        if start < log.next or line:
            before += map(_frame_event, log.frames(start, log.next))
        return self._sse("/".join(log.where), before)

    def _answer_events(self, _request: Request, grant: _Grant) -> Response:
        now = [_event("jobs", self._jobs(grant)), _event("alerts", self.alerts)]
        return self._sse("events", now, lambda: _event("jobs", self._jobs(grant)))

    def _answer_stats(self, request: Request, _grant: _Grant) -> Response:
        minutes = int(request.query_params.get("minutes", "15"))
        if minutes > 15:
            return _error(400, "minutes must be at most 15")
        steps = minutes * 30
        series = {
            name: ([None] * steps + self.series.get(name, []))[-steps:]
            for name in (*_FIGURES, "reconnects")
        }
        return JSONResponse({"step_s": 2, "until": round(time.time() * 1000), "series": series})

    def _answer_alerts(self, _request: Request, _grant: _Grant) -> Response:
        return JSONResponse(self.alerts)

    def _sse(self, what: str, before: list[str], jobs: Callable[[], str] | None = None) -> Response:
        """An event stream that begins with `before`; called with the lock held."""
        client = _Client(what, asyncio.Queue(), asyncio.get_running_loop())
        self._clients.append(client)

        async def body() -> AsyncIterator[str]:
            try:
                for event in before:
                    yield event
                while (told := await client.queue.get()) is not None:
                    yield jobs() if jobs and told == "jobs" else told
            finally:
                with self._lock:
                    if client in self._clients:
                        self._clients.remove(client)

        return StreamingResponse(body(), media_type="text/event-stream")
