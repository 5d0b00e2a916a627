"""The seam to a transport in: ZeroMQ and Redis behind one `Protocol`, read by one thread."""

from __future__ import annotations

import threading
from typing import Protocol

from subscribers.events import Crashed, Received, TransportEvent
from subscribers.inbox import Inbox
from subscribers.selection import Selection

_POLL_S = 0.2  # how long close() may have to wait for the thread


class Transport(Protocol):
    """A way in. `open` is called first, then all but `open` on one thread."""

    def open(self, selection: Selection) -> None:
        """Prepare. Raises `ClientError` 400 where an address can't be one."""

    def receive(self, timeout: float) -> list[TransportEvent]:
        """What has come, waiting at most `timeout` seconds for it (longer only while it connects).
        Never raises for a server that is away: that is a `Disconnected`."""

    def nudge(self) -> None:
        """Make the brokers send a heartbeat for each stream, where the transport can."""

    def close(self) -> None:
        """Let go of every socket. Idempotent."""


class LiveThread:
    """Reads a transport into the inbox until it is stopped. Never waits for who reads the inbox:
    where it is full, frames are dropped and counted, and the journal has them."""

    def __init__(self, transport: Transport, inbox: Inbox, wanted: Selection) -> None:
        self._transport = transport
        self._inbox = inbox
        self._wanted = wanted
        self._stop = threading.Event()
        self._nudge = threading.Event()
        transport.open(wanted)
        self._thread = threading.Thread(target=self._run, name="raytap-live", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Ask for heartbeats, soon. Any thread."""
        self._nudge.set()

    def stop(self) -> None:
        """Ask the thread to end; it closes the transport. Any thread, at once, idempotent."""
        self._stop.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread's end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if self._nudge.is_set():
                    self._nudge.clear()
                    self._transport.nudge()
                for event in self._transport.receive(_POLL_S):
                    if isinstance(event, Received):
                        self._inbox.put_live(event, len(event.payload))
                    else:
                        self._inbox.put(event)
        except Exception as error:  # whoever iterates is told, else it would wait for ever
            self._inbox.put(Crashed(error))
        finally:
            self._transport.close()
