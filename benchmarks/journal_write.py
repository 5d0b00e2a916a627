"""The journal alone: how fast a log is written to it and read back.

Writes frames of 64 KiB in commits of 4 MB, then replays all of it twice: as stored bytes (what the
HTTP API sends) and as decoded frames. Checks the count and the text of the lines before it prints.

    python -m benchmarks.journal_write [--rounds 1] [--megabytes 200] [--dir FOLDER] [--json]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.measure import parse, parser
from benchmarks.result import Result, Work, print_result
from broker.checkpoint import Checkpoint, Mark
from broker.frame import Frame, encode
from broker.journal import Record
from broker.journal.replay import replay
from broker.journal.sqlite import SqliteJournal
from broker.topic import Stream

STREAM = Stream("bench", "job")
EPOCH = "0123456789ab"
FRAME_BYTES = 64 << 10
COMMIT_BYTES = 4 << 20


def make_frames(size: int) -> tuple[list[Frame], int]:
    """Frames that look like training output, and how many bytes of log they are."""
    frames: list[Frame] = []
    first = total = 0
    while total < size:
        lines: list[str] = []
        room = FRAME_BYTES
        while room > 0:
            number = first + len(lines)
            lines.append(
                f"(train pid={20000 + number % 37}) step {number} loss={1 / (1 + number):.9f} "
                f"lr={number * 2654435761 % 100003 / 1e8:.8f} tokens/s={number * 40503 % 9973}"
                f" hash={number * 11400714819323198485 % 2**64:016x}"
            )
            room -= len(lines[-1]) + 1
        following = first + len(lines)
        frames.append(
            Frame("log", *STREAM, first, following, ts=first, epoch=EPOCH, broker="b", lines=lines)
        )
        total += FRAME_BYTES - room
        first = following
    return frames, total


def write(journal: SqliteJournal, frames: list[Frame]) -> tuple[float, float]:
    """Seconds of appending alone, and of the slowest commit."""
    records = [
        Record(
            STREAM, "log", EPOCH, frame.first, frame.next, frame.ts, encode(frame),
            Checkpoint(EPOCH, frame.next), Mark(EPOCH, frame.next, 0, 0, 0),
        )
        for frame in frames
    ]  # fmt: skip
    group = COMMIT_BYTES // FRAME_BYTES
    slowest = 0.0
    start = time.perf_counter()
    for index in range(0, len(records), group):
        began = time.perf_counter()
        journal.append(records[index : index + group])
        slowest = max(slowest, time.perf_counter() - began)
    return time.perf_counter() - start, slowest


def measure(size: int, folder: Path) -> dict[str, float]:
    """One round; the numbers it prints."""
    frames, total = make_frames(size)
    lines = frames[-1].next
    path = folder / "journal.db"
    journal = SqliteJournal(path, 1 << 40, 1 << 40, 1e12)
    cpu = time.process_time()
    written, slowest = write(journal, frames)
    cpu = time.process_time() - cpu
    wal = path.with_name(path.name + "-wal").stat().st_size
    start = time.perf_counter()
    payloads = list(replay(journal, STREAM).payloads)
    as_bytes = time.perf_counter() - start
    start = time.perf_counter()
    count = sum(len(frame.lines) for frame in replay(journal, STREAM).frames)
    as_frames = time.perf_counter() - start
    if payloads != [encode(frame) for frame in frames] or count != lines:
        raise SystemExit("what was read is not what was written")
    stored = journal.usage().stored_bytes
    start = time.perf_counter()
    evicted = journal.forget(STREAM)
    while journal.evict(0):
        pass
    forgotten = time.perf_counter() - start
    journal.close()
    return {
        "log_mb": total / 1e6,
        "lines": lines,
        "stored_mb": stored / 1e6,
        "write_mb_s": total / 1e6 / written,
        "write_cpu_s": cpu,
        "slowest_commit_ms": slowest * 1e3,
        "wal_mb": wal / 1e6,
        "replay_bytes_mlines_s": lines / 1e6 / as_bytes,
        "replay_bytes_mb_s": total / 1e6 / as_bytes,
        "replay_frames_mlines_s": lines / 1e6 / as_frames,
        "removed_frames_s": evicted / forgotten,
    }


def main() -> None:
    """Parse the arguments, run the rounds, print them."""
    made = parser(__doc__, rounds=1)
    made.add_argument("--megabytes", type=int, default=200)
    made.add_argument("--dir", type=Path, help="where the journal is written")
    options = parse(made)
    size = (1 if options.quick else options.megabytes) * 10**6
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            rounds.append(measure(size, Path(folder)))
    figures = {name: {"measured": [each[name] for each in rounds]} for name in rounds[0]}
    print_result(Result([], [Work("The journal alone", figures)]), options.json)


if __name__ == "__main__":
    main()
