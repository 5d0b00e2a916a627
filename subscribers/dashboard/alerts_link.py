"""What the alerts process serves, asked for by a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from broker.access.grant import Grant
from broker.errors import ClientError
from broker.text.plain_text import one_line
from broker.topic import Stream
from broker.web.connection_problem import connection_problem

if TYPE_CHECKING:
    import urllib3

_EVERY_S: Final = 1.0
_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 16 << 20


class AlertsView(msgspec.Struct, frozen=True):
    """The body of `GET /v1/alerts`. An alert's fields are passed on as they are."""

    configured: bool = False
    firing: list[dict[str, Any]] = []
    history: list[dict[str, Any]] = []
    mutes: list[dict[str, Any]] = []
    receivers: list[dict[str, Any]] = []
    degraded: list[str] = []
    total: dict[str, int] = {}  # how many there are; told to who may read everything


class AlertsLink:
    """The last answer of the alerts process at `base`; `""`: there is none."""

    def __init__(self, base: str, token: str | None, *, every: float = _EVERY_S) -> None:
        self._base = base
        self._url = f"{base}/v1/alerts" if base else ""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._every = every
        self._view = AlertsView(configured=bool(base))
        self._asked = not base
        self.problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raytap-alerts", daemon=True)

    def start(self) -> None:
        """Begin to ask, where there is one. Once."""
        if self._url:
            self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Ask no more. Idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def view(self, grant: Grant) -> AlertsView:
        """What the grant may see of it. Raises `ClientError` 503 where it does not answer."""
        if self._url and (self.problem or not self._asked):
            raise ClientError(503, f"the alerts: {self.problem or 'not asked yet'}")
        return self.last(grant)

    def last(self, grant: Grant) -> AlertsView:
        """What it last said, as far as the grant may see it. A mute may name any job."""
        view = self._view
        if grant.allows(Stream("", "")):
            return view
        return msgspec.structs.replace(
            view,
            firing=[alert for alert in view.firing if _may_read(grant, alert)],
            history=[alert for alert in view.history if _may_read(grant, alert)],
            mutes=[],
            degraded=[],
            total={},
        )

    def firing(self) -> dict[Stream, int]:
        """How many alerts fire for each job; those that are muted do not count."""
        counts: dict[Stream, int] = {}
        for alert in self._view.firing:
            if alert.get("muted"):
                continue
            stream = _stream(alert)
            counts[stream] = counts.get(stream, 0) + 1
        return counts

    def _run(self) -> None:
        import urllib3

        with urllib3.PoolManager(retries=False, timeout=_TIMEOUT_S) as pool:
            while not self._stopping.is_set():
                began = time.monotonic()
                try:
                    self._view, self.problem = self._ask(pool), ""
                except urllib3.exceptions.HTTPError as error:
                    self.problem = connection_problem(error, self._base).message
                except msgspec.MsgspecError as error:
                    self.problem = one_line(f"{self._url}: unexpected answer: {error}")
                except ClientError as error:
                    self.problem = error.message
                self._asked = True
                self._stopping.wait(max(0.05, began + self._every - time.monotonic()))

    def _ask(self, pool: urllib3.PoolManager) -> AlertsView:
        answer = pool.request("GET", self._url, headers=self._headers, preload_content=False)
        try:
            body = answer.read(_MAX_BYTES, decode_content=True)
        finally:
            answer.release_conn()
        if answer.status != 200:
            raise ClientError(503, f"{self._url} answered {answer.status}")
        return msgspec.json.decode(body, type=AlertsView)


def _stream(alert: dict[str, Any]) -> Stream:
    return Stream(str(alert.get("cluster", "")), str(alert.get("job", "")))


def _may_read(grant: Grant, alert: dict[str, Any]) -> bool:
    """An alert of no job (a broker's health) is for those who may read anything of its cluster."""
    stream = _stream(alert)
    return grant.allows(stream) if stream.job else grant.allows_cluster(stream.cluster)
