"""Readers on other threads, while the writer writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from broker.checkpoint import Checkpoint
from broker.journal.replay import replay
from broker.journal.sqlite import SqliteJournal
from tests.journal.conftest import UNBOUNDED, AnyJournal, MakeJournal
from tests.support.journal_records import EPOCH, STREAM, log_frame, noise_records, record, text

STEP = 500
BATCHES = 60


def append_batch(journal: AnyJournal, line: int) -> None:
    journal.append(
        [
            record(log_frame(first, first + STEP), Checkpoint(EPOCH, first + STEP))
            for first in range(line, line + 5 * STEP, STEP)
        ]
    )


def test_readers_see_whole_commits_and_no_hole_while_it_is_appended_to(
    make_journal: MakeJournal,
) -> None:
    journal = make_journal()
    append_batch(journal, 0)
    total = BATCHES * 5 * STEP

    def read() -> int:
        rounds = seen = 0
        while seen < total:
            found = replay(journal, STREAM, start=seen)
            lines = [line for frame in found.frames for line in frame.lines]
            assert lines == [text(number) for number in range(seen, found.next)]
            assert found.next % (5 * STEP) == 0
            seen = found.next
            rounds += 1
        return rounds

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for batch in range(1, BATCHES):
            append_batch(journal, batch * 5 * STEP)
        assert all(reader.result(60) for reader in readers)


def test_a_replay_that_is_not_read_on_does_not_grow_the_write_ahead_log(path: Path) -> None:
    journal = SqliteJournal(path, UNBOUNDED, UNBOUNDED, 1e9)
    journal.append(noise_records(100, 64 << 10))
    parts = replay(journal, STREAM).parts
    assert next(parts).first == 0
    for line in range(100, 800, 20):
        journal.append(noise_records(20, 64 << 10, line))
    wal = path.with_name(path.name + "-wal")
    assert wal.stat().st_size < 8 << 20  # 46 MB went through it
    assert next(parts).first == 1
    journal.close()


def test_eviction_beside_a_reader_leaves_lines_or_gaps_and_never_a_hole(
    make_journal: MakeJournal,
) -> None:
    journal = make_journal(max_bytes=50_000)
    append_batch(journal, 0)

    def read() -> None:
        while journal.last_sequence() < BATCHES * 5:
            found = replay(journal, STREAM)
            line = found.first
            for frame in found.frames:
                assert frame.first == line
                line = frame.next
            assert line == found.next

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for batch in range(1, BATCHES):
            append_batch(journal, batch * 5 * STEP)
            journal.evict(0)
        for reader in readers:
            reader.result(60)
    assert journal.usage().evicted_frames > 0
