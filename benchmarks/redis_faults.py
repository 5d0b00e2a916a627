"""What a Redis in trouble costs everyone else: the rate of a plain ZeroMQ subscriber.

A daemon reads a finished log as fast as it can and publishes it on ZeroMQ and on Redis, which is
well, or hangs (SIGSTOP), or was killed, or has a subscriber that reads nothing, from the moment
that the log is there. The time is until the ZeroMQ subscriber has unpacked the last line. The
limits are lifted, and its high-water marks too. CPU and memory are the subscriber's.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgpack
import zmq

from benchmarks.daemon import LIFTED
from benchmarks.measure import Row, Run, Stopwatch, alternate, arguments, report
from tests.support.killable_daemon import KillableDaemon
from tests.support.ray_standin import RayStandIn
from tests.support.redis_binaries import valkey_binary
from tests.support.redis_process import RedisProcess

LINES = 4_000_000
LINE = b"[step %9d] loss=0.12345 lr=3.0e-04 tokens/s=183042 grad_norm=0.87 eta=02:13:07\n"


def healthy() -> Run:
    """Nothing is wrong."""
    return _measured(lambda server: None)


def paused() -> Run:
    """Redis hangs."""
    return _measured(RedisProcess.pause)


def killed() -> Run:
    """Redis is gone."""
    return _measured(RedisProcess.kill)


def silent_subscriber() -> Run:
    """One of Redis's subscribers reads nothing, until Redis cuts it off."""
    with ExitStack() as stack:

        def subscribe(server: RedisProcess) -> None:
            address = ("127.0.0.1", server.port)
            silent = stack.enter_context(socket.create_connection(address))
            silent.sendall(b"PSUBSCRIBE raytap/*\r\n")

        return _measured(subscribe)


def _measured(break_it: Callable[[RedisProcess], None]) -> Run:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="raytap-")))
        standin = stack.enter_context(RayStandIn())
        server = stack.enter_context(RedisProcess(valkey_binary()))
        daemon = stack.enter_context(
            KillableDaemon(home / "daemon", standin.url, redis=server.url, sections=LIFTED)
        )
        context = stack.enter_context(zmq.Context())
        subscriber = stack.enter_context(context.socket(zmq.SUB))
        subscriber.set_hwm(0)
        subscriber.connect(daemon.zeromq)
        subscriber.subscribe(b"default/job-1/")
        standin.add_job("job-1", log=LINE % 0)
        while not subscriber.poll(100):
            pass
        break_it(server)
        standin.replace("job-1", b"".join(LINE % number for number in range(LINES)))
        with Stopwatch() as watch:
            _receive(subscriber)
        server.resume()
        return watch.run


def _receive(subscriber: zmq.Socket[bytes]) -> None:
    """Up to the last line; raises where one is missing."""
    expected = 0
    while expected < LINES:
        frame = msgpack.unpackb(subscriber.recv_multipart()[1])
        if frame["kind"] != "log":
            continue
        if frame["first"] != expected:
            raise AssertionError(f"line {frame['first']} came for {expected}")
        expected = frame["next"]


def main() -> None:
    """Print the medians."""
    args = arguments(__doc__)
    contenders = (healthy, paused, killed, silent_subscriber)
    results = alternate({work.__name__: (work,) for work in contenders}, args.rounds)
    row = Row("ZeroMQ", LINES, "lines", results, healthy.__name__, at_least=0.9)
    report([row], args.json)


if __name__ == "__main__":
    main()
