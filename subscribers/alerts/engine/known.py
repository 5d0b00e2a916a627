"""A stream that rules are about, with all that is needed to evaluate them. Pure."""

from __future__ import annotations

from broker.frame import Frame
from broker.topic import Stream
from subscribers.alerts.engine.selection import Chosen
from subscribers.alerts.engine.streams import StreamState
from subscribers.recognition.recogniser import Recogniser


class Known:
    """One stream, its rules and its state."""

    def __init__(self, stream: Stream, chosen: Chosen, state: StreamState) -> None:
        self.stream = stream
        self.name = str(stream)
        self.chosen = chosen
        self.state = state
        self.recogniser = Recogniser() if chosen.recognises else None


def reopen(known: Known) -> None:
    """Bring a recogniser to where the half-open tracebacks were."""
    state = known.state
    if known.recogniser is None or state.next is None:
        return
    lines = [
        f"{block.prefix}{line}" for block in state.blocks.open.values() for line in block.lines
    ]
    if lines:
        known.recogniser.mark(
            Frame(
                kind="log",
                cluster=known.stream.cluster,
                job=known.stream.job,
                epoch=state.epoch,
                first=state.next - len(lines),
                next=state.next,
                lines=lines,
            )
        )
