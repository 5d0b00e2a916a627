"""A broker of frames that a test makes up: XPUB with heartbeats, and the real replay over HTTP."""

from __future__ import annotations

import threading
from typing import Self
from urllib.parse import parse_qs, urlsplit

import msgspec
import zmq

from broker.errors import ClientError
from broker.frame import Frame, encode
from broker.jobview import JobList, JobView
from broker.journal.memory import MemoryJournal
from broker.journal.replay import replay
from broker.topic import Stream, subscribed
from tests.support.journal_records import record
from tests.support.little_http import LittleHttp, Reply
from tests.support.ports import free_port

GIB = 1 << 30


class FakeBroker:
    """Runs while it is entered. `crash` and `restart` do so to the ZeroMQ side; `http_down` makes
    the HTTP side answer 503; with a `token`, it answers 401 to any other. Use it from one thread
    at a time."""

    def __init__(self, name: str = "a", *, tell_http: bool = False, token: str = "") -> None:
        self.name = name
        self.token = token
        self.http_down = False
        self.journal = MemoryJournal(GIB, GIB, 3600.0)
        self.views: dict[Stream, JobView] = {}
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        self.joins = 0
        self._server = LittleHttp(self._answer)
        self.http = self._server.url
        self._tell_http = tell_http

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self.crash()
        self._server.__exit__()

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for so far."""
        return [path for path, _ in self._server.asked]

    def restart(self) -> None:
        """Bind, where it was bound before."""
        self._context = zmq.Context()
        bus = self._context.socket(zmq.XPUB)
        bus.setsockopt(zmq.LINGER, 0)
        bus.setsockopt(zmq.XPUB_VERBOSE, 1)
        bus.setsockopt(zmq.SNDHWM, 0)
        bus.bind(self.endpoint)
        work = self._context.socket(zmq.PAIR)
        work.bind("inproc://orders")
        self._orders = self._context.socket(zmq.PAIR)
        self._orders.connect("inproc://orders")
        self._thread = threading.Thread(target=self._run, args=(bus, work))
        self._thread.start()

    def crash(self) -> None:
        """The bus is gone, whatever was on its way included."""
        self._orders.send(b"")
        self._thread.join()
        self._context.destroy(0)  # waits until the address is free, which closing a socket doesn't

    def publish(self, *frames: Frame, live: bool = True, journaled: bool = True) -> None:
        """Journal the frames and put them on the bus; or one of the two, for what gets lost."""
        for frame in frames:
            payload = self.keep(frame, journaled=journaled)
            if live:
                topic = Stream(frame.cluster, frame.job).topic
                self._orders.send_multipart([topic, payload])

    def keep(self, frame: Frame, *, journaled: bool = True) -> bytes:
        """The frame's bytes; the list and the journal know it from now on."""
        frame = msgspec.structs.replace(frame, broker=self.name)
        if journaled:
            self.journal.append([record(frame)])
        stream = Stream(frame.cluster, frame.job)
        ended = frame.kind == "end"
        self.views[stream] = JobView(
            *stream,
            "ended" if ended else "streaming",
            epoch=frame.epoch,
            next=frame.next,
            status=frame.status or "RUNNING",
            run=frame.run,
            complete=frame.complete,
        )
        return encode(frame)

    def heartbeat(self, stream: Stream) -> None:
        """Send one now."""
        self._orders.send_multipart([stream.topic, self._heartbeat(stream)])

    def _heartbeat(self, stream: Stream) -> bytes:
        view = self.views[stream]
        return encode(
            Frame(
                "heartbeat", *stream, view.next, view.next, epoch=view.epoch, broker=self.name,
                state=view.state, status=view.status, run=view.run, complete=view.complete,
                http=self.http if self._tell_http else "",
            )
        )  # fmt: skip

    def _run(self, bus: zmq.Socket[bytes], orders: zmq.Socket[bytes]) -> None:
        poller = zmq.Poller()
        poller.register(bus, zmq.POLLIN)
        poller.register(orders, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if bus in ready and (message := bus.recv())[:1] == b"\x01":
                self.joins += 1
                for stream in list(self.views):
                    if subscribed(message[1:], stream):
                        bus.send_multipart([stream.topic, self._heartbeat(stream)])
            if orders in ready:
                order = orders.recv_multipart()
                if len(order) == 1:
                    break
                bus.send_multipart(order)
        bus.close(0)
        orders.close(0)

    def _answer(self, path: str, headers: dict[str, str]) -> Reply:
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, {"error": {"status": 401, "message": "this token is not known here"}})
        if self.http_down:
            return Reply(503, {"error": {"status": 503, "message": "restarting"}})
        url = urlsplit(path)
        if url.path == "/v1/jobs":
            listed = JobList(self.name, [], list(self.views.values()))
            return Reply(200, msgspec.json.encode(listed))
        _, _, _, cluster, job, _ = url.path.split("/")
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        limit = int(asked["limit"]) if "limit" in asked else None
        try:
            answer = replay(
                self.journal, Stream(cluster, job), asked.get("epoch"), int(asked["from"]), limit
            )
        except ClientError as error:
            body = {"error": {"status": error.status, "message": error.message}}
            return Reply(error.status, body)
        told = {"Raytap-Epochs": ",".join(answer.epochs)}
        return Reply(200, b"".join(answer.payloads), told)
