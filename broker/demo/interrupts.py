"""Ctrl-C, SIGTERM and SIGHUP as one exception, once, so that everything started is ended."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal asked to end; `number` is which."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """While entered, the first signal raises `Interrupted` in the main thread.

    Later ones do nothing, nor do any after `hold`: what is being ended must not be left half
    way, and takes a few seconds only. To be entered on the main thread.
    """

    def __init__(self) -> None:
        self._held = False
        self._before: dict[int, signal._HANDLER] = {}

    def hold(self) -> None:
        """Let no further signal interrupt."""
        self._held = True

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if number == signal.SIGHUP and before == signal.SIG_IGN:
                continue  # under nohup
            self._before[number] = before
            signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if not self._held:
            self._held = True
            raise Interrupted(number)
