"""What a subscription counts, and the memory its sequencers share. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Stats:
    """Totals since the subscription was opened. Read them at any time, from any thread."""

    delivered: int = 0  # frames
    repeats: int = 0  # frames that held nothing new
    gaps: int = 0  # gap frames delivered
    missing: int = 0  # lines in them
    replays: int = 0  # questions asked to a journal
    dropped: int = 0  # live frames let go because the reader was behind; the journal has them
    bad_frames: int = 0
    reconnects: int = 0


@dataclass(slots=True)
class Budget:
    """Bytes that frames may take while they wait for what comes before them."""

    free: int

    def take(self, size: int) -> bool:
        """Reserve `size` bytes, where they are there."""
        if self.free < size:
            return False
        self.free -= size
        return True

    def give(self, size: int) -> None:
        """Hand `size` bytes back."""
        self.free += size
