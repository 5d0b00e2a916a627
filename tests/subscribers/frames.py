"""Reading a subscription in tests."""

from __future__ import annotations

from collections.abc import Callable

from broker.frame import Frame
from subscribers import Subscription


def until(
    subscription: Subscription, enough: Callable[[Frame], bool], timeout: float = 15.0
) -> list[Frame]:
    """The frames up to the one that is enough."""
    frames = []
    while (frame := subscription.receive(timeout)) is not None:
        frames.append(frame)
        if enough(frame):
            return frames
    raise AssertionError(f"not within {timeout} s; {frames[-3:]=}, {subscription.problem=}")


def reaches(line: int) -> Callable[[Frame], bool]:
    """Whether a frame goes up to a line."""
    return lambda frame: frame.next >= line


def is_end(frame: Frame) -> bool:
    """Whether a frame is an `end`."""
    return frame.kind == "end"


def numbers(frames: list[Frame]) -> list[int]:
    """The line numbers of all `log` frames."""
    return [n for frame in frames if frame.kind == "log" for n in range(frame.first, frame.next)]


def gaps(frames: list[Frame]) -> list[tuple[int, int, str]]:
    """All gaps."""
    return [(frame.first, frame.next, frame.reason) for frame in frames if frame.kind == "gap"]
