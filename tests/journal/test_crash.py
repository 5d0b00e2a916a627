"""A process killed while it appends leaves a whole prefix of what it appended."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from broker.journal.replay import replay
from broker.journal.sqlite import SqliteJournal
from tests.journal.conftest import UNBOUNDED
from tests.support.journal_records import STREAM, text

WRITER = """
import sys
from broker.checkpoint import Checkpoint
from broker.journal.sqlite import SqliteJournal
from tests.support.journal_records import EPOCH, log_frame, record
journal = SqliteJournal(sys.argv[1], 1 << 40, 1 << 40, 1e9)
line = int(sys.argv[2])
while True:
    batch = []
    for _ in range(5):
        batch.append(record(log_frame(line, line + 40), Checkpoint(EPOCH, line + 40)))
        line += 40
    journal.append(batch)
    journal.published(journal.last_sequence() - 5)
    print(line, flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_kill_9_there_is_a_prefix_and_its_checkpoint(path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    line = 0
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(line)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        confirmed = line
        for _ in range(chosen.randrange(1, 60)):
            confirmed = int(writer.stdout.readline())
        writer.kill()
        confirmed = max([confirmed, *map(int, writer.stdout.read().split())])
        writer.stdout.close()
        writer.wait(10)
        journal = SqliteJournal(path, UNBOUNDED, UNBOUNDED, 1e9)
        line = journal.checkpoints()[STREAM].line
        assert line >= confirmed
        assert line % 200 == 0  # whole transactions only
        found = replay(journal, STREAM)
        assert found.next == line
        lines = [one for frame in found.frames for one in frame.lines]
        assert lines == [text(number) for number in range(line)]
        again = [stored.next for _, stored in journal.unpublished()]
        assert again
        assert again[-1] == line
        assert again == list(range(again[0], line + 1, 40))
        journal.close()
