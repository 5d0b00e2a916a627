"""Where an ingest worker stands in a log; what it needs to go on after a crash. Pure."""

from __future__ import annotations

import msgspec


class Checkpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A position at a line boundary of one epoch's file."""

    epoch: str = ""
    line: int = 0  # the number of the next line
    offset: int | None = 0  # raw bytes of the file before it; None where a websocket read it
    crc: int = 0  # CRC32 of the complete lines so far: UTF-8 with `replace`, each end as \n
    tail: bytes = b""  # the last raw bytes (at most 64) before `offset`
    key_lines: int = 0  # lines a private key may still go on for; 0: none is open
    source: str = ""
    run: int = 0  # the job's start_time, ms
    ended: bool = False  # `end` was published
    status: str = ""  # the one published last
    complete: bool | None = None  # what that `end` said
    session: str = ""  # of the head whose file it is
    skip_to: int = 0  # the raw offset up to which a backfill only counts
    partial: bool = False  # the last line was published without its end, as line `line`


class Mark(msgspec.Struct, frozen=True):
    """A checkpoint kept for each MiB of log, so that evicted lines can be read from Ray again."""

    epoch: str
    line: int
    offset: int
    crc: int
    key_lines: int
