"""The journal's backends, each made anew for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.journal.memory import MemoryJournal
from broker.journal.sqlite import SqliteJournal

AnyJournal = SqliteJournal | MemoryJournal
MakeJournal = Callable[..., AnyJournal]

UNBOUNDED = 1 << 40


@pytest.fixture(params=["sqlite", "memory"])
def make_journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeJournal]:
    """Makes journals of each backend in turn; they are closed behind the test."""
    made: list[AnyJournal] = []

    def make(
        max_bytes: int = UNBOUNDED, max_job_bytes: int = UNBOUNDED, max_age_s: float = 1e9
    ) -> AnyJournal:
        bounds = (max_bytes, max_job_bytes, max_age_s)
        path = tmp_path / f"{len(made)}.db"
        made.append(
            SqliteJournal(path, *bounds) if request.param == "sqlite" else MemoryJournal(*bounds)
        )
        return made[-1]

    yield make
    for journal in made:
        journal.close()


@pytest.fixture
def journal(make_journal: MakeJournal) -> AnyJournal:
    """A journal without bounds."""
    return make_journal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite journal may be made."""
    return tmp_path / "journal.db"
