"""What the file or the disk can do to the journal, and what it says then."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import JournalError
from broker.journal.faults import named
from broker.journal.schema import STEPS, prepare
from broker.journal.sqlite import SqliteJournal
from tests.journal.conftest import UNBOUNDED
from tests.support.journal_records import EPOCH, STREAM, log_records, noise_records

NOBODY = 65534
FULL_DISK = """
import resource, sys
from broker.errors import JournalError
from broker.journal.sqlite import SqliteJournal
from tests.support.journal_records import log_records, STREAM, EPOCH
journal = SqliteJournal(sys.argv[1], 1 << 40, 1 << 40, 1e9)
journal.append(log_records(3))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, resource.RLIM_INFINITY))
try:
    while True:
        journal.append(log_records(50, size=1000))
except JournalError as error:
    print(error.message)
kept = journal.last_sequence()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(log_records(1))
assert journal.last_sequence() == kept + 1
assert journal.usage().frames == kept + 1
journal.close()
"""


def open_journal(path: Path, max_bytes: int = UNBOUNDED) -> SqliteJournal:
    return SqliteJournal(path, max_bytes, UNBOUNDED, 1e9)


def read_page(path: Path) -> None:
    journal = open_journal(path)
    try:
        journal.page(STREAM, EPOCH, 0)
    finally:
        journal.close()


@pytest.fixture
def made(path: Path) -> Path:
    """A journal's file with twenty frames of a few pages each, closed."""
    journal = open_journal(path)
    journal.append(log_records(20, size=2000))
    journal.close()
    return path


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that may be read and not written by who runs the test."""
    folder = Path(tempfile.mkdtemp(prefix="journal-"))
    try:
        journal = open_journal(folder / "journal.db")
        journal.append(log_records(1))
        journal.close()
        (folder / "journal.db").chmod(0o444)
        (folder / "journal.db.lock").unlink()
        folder.chmod(0o555)
        if os.geteuid() == 0:
            os.seteuid(NOBODY)
        yield folder
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)
        for name in folder.iterdir():
            name.unlink()
        folder.rmdir()


def test_everything_is_there_after_it_was_opened_again(path: Path) -> None:
    first = open_journal(path)
    first.append(log_records(20))
    first.published(15)
    first.close()
    again = open_journal(path)
    assert again.last_sequence() == 20
    assert [stored.sequence for _, stored in again.unpublished()] == [16, 17, 18, 19, 20]
    assert again.usage() == first.usage()
    assert again.checkpoints()[STREAM].line == 200
    again.close()


def test_a_watermark_is_committed_with_the_next_append_and_without_frames_too(path: Path) -> None:
    journal = open_journal(path)
    journal.append(log_records(3))
    journal.published(2)
    journal.append([])
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT watermark FROM journal").fetchone() == (2,)
    other.close()
    journal.close()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    journal = open_journal(path.parent / "deep" / "journal.db")
    journal.append(log_records(1))
    files = list((path.parent / "deep").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    journal.close()


def test_a_second_process_is_refused_with_the_first_ones_id(path: Path) -> None:
    journal = open_journal(path)
    with pytest.raises(JournalError, match=f"process {os.getpid()} is using it"):
        open_journal(path)
    journal.close()
    open_journal(path).close()


def test_a_file_of_something_else_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"a diary, not a database\n" * 400)
    with pytest.raises(JournalError, match="this file is no journal; it is left as it is"):
        open_journal(path)
    assert path.read_bytes() == b"a diary, not a database\n" * 400


def test_a_database_of_something_else_is_left_as_it_is(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match="a database of something else"):
        open_journal(path)
    assert path.read_bytes() == before


def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(made: Path) -> None:
    newer = sqlite3.connect(made)
    newer.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    newer.close()
    before = made.read_bytes()
    with pytest.raises(JournalError, match=f"version {len(STEPS) + 1}, of a newer raytap"):
        open_journal(made)
    assert made.read_bytes() == before


def test_a_file_of_an_older_version_is_brought_up_step_by_step(made: Path) -> None:
    connection = sqlite3.connect(made, isolation_level=None)
    newer = (*STEPS, "ALTER TABLE streams ADD COLUMN note TEXT", "CREATE TABLE notes (id INTEGER)")
    prepare(connection, made, newer)
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    assert connection.execute("SELECT cluster, note FROM streams").fetchall() == [("ray", None)]
    connection.close()


def test_a_step_that_fails_leaves_the_older_version(made: Path) -> None:
    connection = sqlite3.connect(made, isolation_level=None)
    broken = "CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1)"
    with pytest.raises(JournalError, match="nowhere"), named(made):
        prepare(connection, made, (*STEPS, broken))
    connection.close()
    journal = open_journal(made)
    assert journal.last_sequence() == 20
    journal.close()


def test_a_damaged_page_is_named_and_the_file_is_kept(made: Path) -> None:
    size = made.stat().st_size
    with made.open("r+b") as file:
        for at in range(8192, size, 4096):
            file.seek(at + 64)
            file.write(b"\xa5" * 2048)
    with pytest.raises(JournalError, match=r"damaged"):
        read_page(made)
    assert made.stat().st_size == size


def test_a_frame_the_disk_changed_is_not_handed_on(path: Path) -> None:
    journal = open_journal(path)
    journal.append(log_records(1, size=2000))
    journal.close()
    other = sqlite3.connect(path)
    (blob,) = other.execute("SELECT payload FROM frames").fetchone()
    changed = (
        blob[: len(blob) // 2] + bytes([blob[len(blob) // 2] ^ 1]) + blob[len(blob) // 2 + 1 :]
    )
    with other:
        other.execute("UPDATE frames SET payload = ?", (changed,))
    other.close()
    journal = open_journal(path)
    with pytest.raises(JournalError, match="a stored frame is damaged"):
        journal.page(STREAM, EPOCH, 0)
    journal.close()


def test_a_full_database_takes_nothing_of_the_batch_and_goes_on_when_there_is_room(
    path: Path,
) -> None:
    journal = open_journal(path)
    journal.append(log_records(3))
    journal._writer.execute("PRAGMA max_page_count = 40")
    with pytest.raises(JournalError, match="the disk is full"):
        journal.append(log_records(100, size=2000))
    assert journal.last_sequence() == 3
    assert journal.usage().frames == 3
    assert len(journal.page(STREAM, EPOCH, 0)) == 3
    journal._writer.execute("PRAGMA max_page_count = 100000")
    journal.append(log_records(100, size=2000))
    assert journal.last_sequence() == 103
    assert journal.usage().frames == 103
    journal.close()


def test_a_disk_that_takes_no_more_is_an_error_and_no_more_than_that(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"journal {path}: the d" in done.stdout  # the disk is full, or failed to write
    journal = open_journal(path)
    assert journal.last_sequence() == journal.usage().frames > 3
    journal.close()


def test_a_file_that_cannot_be_written_is_named(unprivileged: Path) -> None:
    with pytest.raises(JournalError, match=r"journal\.db: Permission denied"):
        open_journal(unprivileged / "journal.db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match=r"journal\.db: "):
        open_journal(tmp_path / "file" / "journal.db")


def test_another_program_that_holds_the_file_is_an_error_soon(path: Path) -> None:
    journal = open_journal(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="another program holds it"):
        journal.append(log_records(1))
    other.execute("ROLLBACK")
    other.close()
    journal.append(log_records(1))
    assert journal.last_sequence() == 1
    journal.close()


def test_space_that_was_let_go_is_given_back_to_the_disk(path: Path) -> None:
    journal = open_journal(path)
    journal.append(noise_records(1000, 30_000))
    assert journal.forget(STREAM) == 1000
    full = sqlite3.connect(path)
    (before,) = full.execute("PRAGMA page_count").fetchone()
    for _ in range(30):
        journal.evict(0)
    (after,) = full.execute("PRAGMA page_count").fetchone()
    full.close()
    journal.close()
    assert before > 5000
    assert after < 1200


def test_frames_forgotten_before_a_crash_are_removed_after_it(path: Path) -> None:
    journal = open_journal(path)
    journal.append(log_records(600))
    journal.forget(STREAM)
    journal.close()
    again = open_journal(path)
    assert again.usage().frames == 0
    removed = 0
    while count := again.evict(0):
        removed += count
    assert removed == 600
    again.close()
