"""What a limit lets through: each piece is published, held back, dropped, or the end. Pure."""

from __future__ import annotations

from enum import Enum

from broker.config.config import LimitsConfig
from broker.ingest.cursor import Piece
from broker.limits import StreamLimits, WindowBudget


class Verdict(Enum):
    """What is to be done with a piece now."""

    PUBLISH = "publish"
    HOLD = "hold"
    DROP = "drop"
    STOP = "stop"


class Valve:
    """One stream's budget and what happens beyond it. `now` in seconds; not thread-safe."""

    def __init__(self, config: LimitsConfig) -> None:
        limits = StreamLimits(
            max_messages=config.max_messages,
            max_lines=config.max_lines,
            max_bytes=config.max_bytes,
            max_message_size=config.max_message_size,
            queue_size=config.queue_size,
            exception_queue_size=config.exception_queue_size,
        )
        self._budget = WindowBudget(limits, config.window)
        self._beyond = {"block": Verdict.HOLD, "drop": Verdict.DROP, "stop": Verdict.STOP}[
            config.on_limit
        ]

    def judge(self, piece: Piece, now: float) -> Verdict:
        """Takes the piece out of the budget where it is published."""
        chunk = piece.chunk
        if self._budget.wait(now, chunk.lines, len(chunk.data)) > 0:
            return self._beyond
        self._budget.spend(now, chunk.lines, len(chunk.data))
        return Verdict.PUBLISH

    def wait(self, piece: Piece, now: float) -> float:
        """Seconds until the piece may pass."""
        return self._budget.wait(now, piece.chunk.lines, len(piece.chunk.data))
