"""Readers that hold a stream of numbered lines to its promise, and note every breach."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final, Self

import zmq

from broker.frame import Frame, decode
from broker.topic import CHANNEL_PREFIX
from subscribers import Subscription
from tests.support.numbered import generation_of
from tests.support.wait import wait_until

Epoch = tuple[str, str]  # job, epoch
_MOST_BREACHES: Final = 20


class Witness:
    """What came of each epoch, checked line by line; a thread of its own reads.

    `exact`: each line once and in order, and what lacks is in a `gap` frame (a `Subscription`).
    Else: lines may be repeated, and a line beyond the expected one is a loss (a plain subscriber).
    `keep`: the lines may be any, and are kept in `texts`; else they must be `numbered` ones.
    """

    def __init__(self, name: str, *, exact: bool, keep: bool = False) -> None:
        self.name = name
        self.texts: dict[Epoch, list[str]] = {}
        self._keep = keep
        self.next: dict[Epoch, int] = {}
        self.generations: dict[Epoch, int] = {}
        self.breaches: list[str] = []
        self.gaps: list[Frame] = []
        self.ends: list[Frame] = []
        self.resets: list[Frame] = []
        self.statuses: list[Frame] = []
        self.lines = 0  # that were new
        self.repeats = 0
        self.heard: float = 0.0  # when a new line came last, on time.monotonic()
        self._exact = exact
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def reached(self, job: str, generation: int = 0) -> int:
        """The line after the last one of that file."""
        for (owner, epoch), found in list(self.generations.items()):
            if owner == job and found == generation:
                return self.next[owner, epoch]
        return 0

    def epochs(self, job: str) -> list[str]:
        """The epochs with lines, in the order they came."""
        return [epoch for owner, epoch in list(self.next) if owner == job]

    def until(self, job: str, line: int, generation: int = 0, timeout: float = 30.0) -> None:
        """Wait until the lines before `line` have come."""
        wait_until(
            lambda: self.breaches or self.reached(job, generation) >= line,
            timeout,
            f"{self.name}: line {line} of {job} g{generation}; at {self.next}",
        )
        self.check()

    def until_end(self, job: str, timeout: float = 30.0, run: int = 0) -> Frame:
        """The job's `end` (of that run at least)."""

        def end() -> Frame | None:
            return next((e for e in reversed(self.ends) if e.job == job and e.run >= run), None)

        wait_until(lambda: self.breaches or end(), timeout, f"{self.name}: the end of {job}")
        self.check()
        found = end()
        assert found is not None
        return found

    def check(self) -> None:
        """Raise `AssertionError` for what was seen that must not be."""
        assert not self.breaches, f"{self.name}: {self.breaches}"

    def stop(self) -> None:
        """Read no more. Idempotent."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _frames(self) -> Iterable[Frame]:
        raise NotImplementedError

    def _guarded(self) -> None:
        try:
            for frame in self._frames():
                self._take(frame)
        except Exception as error:  # a test must hear of it
            self._breach(f"its reader failed: {error!r}")

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case "log":
                self._log(frame)
            case "gap":
                self._gap(frame)
            case "end":
                if self._exact and any(
                    (e.job, e.epoch, e.run, e.first)
                    == (frame.job, frame.epoch, frame.run, frame.first)
                    for e in self.ends
                ):
                    self._breach(f"end of {frame.job} at {frame.first} twice")
                self.ends.append(frame)
            case "reset":
                self.resets.append(frame)
            case "status":
                self.statuses.append(frame)

    def _log(self, frame: Frame) -> None:
        key = frame.job, frame.epoch
        expected = self.next.get(key, 0)
        first = frame.first
        if first > expected:
            self._breach(f"lines [{expected}, {first}) of {key} lack")
        elif self._exact and first < expected and not (frame.amends and first == expected - 1):
            self._breach(f"lines [{first}, {min(expected, frame.next)}) of {key} again")
        self.repeats += max(0, min(expected, frame.next) - first)
        if self._keep:
            self.texts.setdefault(key, [])[first : frame.next] = frame.lines
            self.generations.setdefault(key, 0)
        for number, text in enumerate(() if self._keep else frame.lines, first):
            if frame.partial and number == frame.next - 1:
                break  # it will come again, amended
            generation = generation_of(text, frame.job, number)
            if generation is None or self.generations.setdefault(key, generation) != generation:
                self._breach(f"line {number} of {key} is {text[:80]!r}")
                break
        new = frame.next - max(first, expected)
        if new > 0:
            self.lines += new
            self.heard = time.monotonic()
            self.next[key] = frame.next

    def _gap(self, frame: Frame) -> None:
        self.gaps.append(frame)
        if self._exact:
            key = frame.job, frame.epoch
            self._breach(
                f"gap [{frame.first}, {frame.next}) of {key}: {frame.reason} {frame.message}"
            )
            self.next[key] = max(self.next.get(key, 0), frame.next)

    def _breach(self, text: str) -> None:
        if len(self.breaches) < _MOST_BREACHES:
            self.breaches.append(text)


class SubscriptionWitness(Witness):
    """Over a `Subscription`, which it closes; `pause` makes it a reader that reads nothing."""

    def __init__(self, name: str, subscription: Subscription, *, keep: bool = False) -> None:
        super().__init__(name, exact=True, keep=keep)
        self.subscription = subscription
        self._reading = threading.Event()
        self._reading.set()

    def pause(self) -> None:
        """Take nothing out of it from now on."""
        self._reading.clear()

    def resume(self) -> None:
        """Read on."""
        self._reading.set()

    def stop(self) -> None:
        self._reading.set()
        self.subscription.close()
        super().stop()

    def _frames(self) -> Iterable[Frame]:
        for frame in self.subscription:
            self._reading.wait()
            yield frame


class ZeromqWitness(Witness):
    """A plain SUB socket, which reconnects by itself."""

    def __init__(self, endpoint: str, topic: bytes = b"", *, keep: bool = False) -> None:
        super().__init__("plain ZeroMQ", exact=False, keep=keep)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.subscribe(topic)
        self._socket.connect(endpoint)

    def stop(self) -> None:
        super().stop()
        self._socket.close(0)
        self._context.term()

    def _frames(self) -> Iterable[Frame]:
        while not self._stopping.is_set():
            if self._socket.poll(50):
                topic, payload = self._socket.recv_multipart()
                frame = decode(payload)
                if topic != f"{frame.cluster}/{frame.job}/".encode():
                    self._breach(f"{frame} came under {topic!r}")
                yield frame


class RedisWitness(Witness):
    """A plain redis-py pub/sub, made again whenever it is lost.

    What passes while it is away is lost to it: with `lossy`, holes are counted and not breaches.
    """

    def __init__(self, url: str, *, lossy: bool = False) -> None:
        super().__init__("plain Redis", exact=False)
        self._url = url
        self._lossy = lossy
        self.holes = 0
        self.subscribed = threading.Event()

    def _log(self, frame: Frame) -> None:
        key = frame.job, frame.epoch
        if self._lossy and frame.first > self.next.get(key, 0):
            self.holes += 1
            self.next[key] = frame.first
        super()._log(frame)

    def _frames(self) -> Iterable[Frame]:
        import redis

        while not self._stopping.is_set():
            with contextlib.suppress(redis.RedisError, OSError):
                yield from self._session(redis.Redis.from_url(self._url, socket_timeout=1.0))
            self._stopping.wait(0.05)

    def _session(self, client: Any) -> Iterable[Frame]:
        with contextlib.closing(client), contextlib.closing(client.pubsub()) as pubsub:
            pubsub.psubscribe(CHANNEL_PREFIX + "*")
            while not self._stopping.is_set():
                message = pubsub.get_message(timeout=0.05)
                if message is None:
                    continue
                if message["type"] == "psubscribe":
                    self.subscribed.set()
                elif message["type"] == "pmessage":
                    yield decode(message["data"])


def complete(witness: Witness, job: str, lines: int, generation: int, run: int) -> None:
    """It has so many lines of that file and the `end` of that run, or gets them within a minute."""
    witness.until(job, lines, generation, timeout=60.0)
    end = witness.until_end(job, timeout=60.0, run=run)
    assert (end.first, end.complete) == (lines, True), f"{witness.name}: {end}, {lines} lines"


def agree(witnesses: Iterable[Witness], job: str, lines: int, generation: int = 0) -> None:
    """All of them got all of it, under one epoch and no other."""
    epochs = set()
    for witness in witnesses:
        witness.until(job, lines, generation)
        assert witness.reached(job, generation) == lines, witness.name
        epochs |= {
            epoch
            for (owner, epoch), found in witness.generations.items()
            if (owner, found) == (job, generation)
        }
    assert len(epochs) == 1, epochs
