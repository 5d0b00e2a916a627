"""What a journal lets go of, and in which order. Pure; both backends use it."""

from __future__ import annotations

from itertools import takewhile
from typing import Final, NamedTuple, Protocol

from broker.journal.ledger import Epoch, Ledger, Log, Victim

STEP_FRAMES: Final = 256  # in one call of `evict`: about 10 ms on a disk
TURN_FRAMES: Final = 64  # from one stream before it is asked again which holds most
MARKS_OUTLIVE: Final = 4  # marks and the checkpoint of a finished job stay for 4 × max_age_s


class Bounds(NamedTuple):
    """What a journal may hold. Bytes are stored (compressed) bytes."""

    max_bytes: int
    max_job_bytes: int
    max_age_s: float


class Shelf(Protocol):
    """What eviction needs of a backend; every change is counted in `ledger` as well."""

    ledger: Ledger

    def oldest(self, limit: int) -> list[Victim]:
        """The oldest frames of all, by sequence."""

    def oldest_of(self, epoch: Epoch, limit: int) -> list[Victim]:
        """An epoch's first frames, by `(first, sequence)`."""

    def let_go(self, victims: list[Victim]) -> None:
        """Remove these frames."""

    def drop_epoch(self, epoch: Epoch) -> None:
        """Remove an epoch without frames, its marks, and its stream if that was the last one."""


def evict(shelf: Shelf, bounds: Bounds, now_ns: int, budget: int = STEP_FRAMES) -> int:
    """Let go of at most `budget` frames that are over the bounds; how many."""
    _drop_expired(shelf, bounds, now_ns)
    left = budget
    cutoff = now_ns - int(bounds.max_age_s * 1e9)
    aged = list(takewhile(lambda victim: victim.ts < cutoff, shelf.oldest(left)))
    if aged:
        shelf.let_go(aged)
        left -= len(aged)
    while left > 0:
        log, excess = choose(shelf.ledger, bounds)
        if log is None:
            break
        epoch = next(epoch for epoch in log.epochs.values() if epoch.frames)
        victims = _until(shelf.oldest_of(epoch, min(left, TURN_FRAMES)), excess)
        shelf.let_go(victims)
        left -= len(victims)
    return budget - left


def choose(ledger: Ledger, bounds: Bounds) -> tuple[Log | None, int]:
    """The stream that gives next, and how many bytes at most; None where all is in bounds."""
    for log in ledger.logs.values():
        if log.stored > bounds.max_job_bytes:
            return log, log.stored - bounds.max_job_bytes
    excess = ledger.stored - bounds.max_bytes
    if excess <= 0:
        return None, 0
    finished = [log for log in ledger.logs.values() if log.ended and log.frames]
    if finished:
        return min(finished, key=lambda log: log.last), excess
    return max(ledger.logs.values(), key=lambda log: log.stored), excess


def _until(victims: list[Victim], excess: int) -> list[Victim]:
    for count, victim in enumerate(victims, 1):
        excess -= victim.size
        if excess <= 0:
            return victims[:count]
    return victims


def _drop_expired(shelf: Shelf, bounds: Bounds, now_ns: int) -> None:
    """A live stream keeps its newest epoch, with its marks and checkpoint, whatever its age."""
    cutoff = now_ns - int(bounds.max_age_s * 1e9 * MARKS_OUTLIVE)
    expired = [
        epoch
        for log in shelf.ledger.logs.values()
        for epoch in log.epochs.values()
        if not epoch.frames
        and epoch.ts < cutoff
        and (log.ended or epoch is not next(reversed(log.epochs.values())))
    ]
    for epoch in expired:
        shelf.drop_epoch(epoch)
