"""Where the lines of `raytap tail` go: what a shell can do with it, as processes of their own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from broker.frame import Frame, replace
from subscribers.tail.bar import Bar
from subscribers.tail.printer import TextPrinter
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import STREAM, log_frame, point_frame, text

PROGRAM = f'{sys.executable} -c "from broker.cli import main; main()" tail'


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        broker.publish(log_frame(0, 20), live=False)
        yield broker


def shell(broker: FakeBroker, rest: str) -> subprocess.CompletedProcess[str]:
    """`raytap tail JOB` in a shell, with something behind it."""
    places = f"--broker {broker.http} --zeromq {broker.endpoint} {STREAM.job}"
    return subprocess.run(
        ["bash", "-c", f"{PROGRAM} {places} {rest}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        timeout=30,
        check=False,
    )


def test_a_closed_standard_output_is_said_in_a_line(broker: FakeBroker) -> None:
    done = shell(broker, ">&-")
    assert done.returncode == 1
    assert done.stderr == "raytap: cannot write the lines: standard output is closed\n"


def test_a_reader_that_has_enough_ends_it_though_no_line_comes(broker: FakeBroker) -> None:
    done = shell(broker, "| head -1")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{text(0)}\n", "")


@pytest.mark.parametrize("errors", ["2>/dev/full", "2>&-"])
def test_notes_that_cannot_be_written_end_nothing(broker: FakeBroker, errors: str) -> None:
    broker.publish(point_frame("end", 20), live=False)
    done = shell(broker, f"--tail 1 {errors}")
    assert done.stdout == f"{text(19)}\n"
    assert done.returncode in (0, 120)  # what Python says where its own flush at exit failed


def refreshed(*lines: str, first: int, cr: list[int]) -> Frame:
    return replace(log_frame(first, first + len(lines)), lines=list(lines), cr=cr)


def drawn(*frames: Frame, columns: int = 80, prefixed: bool = False) -> str:
    """What a terminal of so many columns is given."""
    out = io.BytesIO()
    bar = Bar(lambda: columns)
    printer = TextPrinter(out, print, prefixed=prefixed, terminal=True, coloured=False, bar=bar)
    for frame in frames:
        printer.show(frame)
    return out.getvalue().decode() + bar.ended()


def test_a_progress_bar_is_one_line_of_a_terminal_that_moves() -> None:
    assert drawn(
        refreshed("start", "", "10%", "20%", first=0, cr=[1, 2, 3]),
        refreshed("30%", first=4, cr=[0]),
        refreshed("40%", "100%", "done", first=5, cr=[0]),
    ) == "start\n20%\r\x1b[K30%\r\x1b[K100%\ndone\n"  # fmt: skip


def test_a_bar_that_nothing_follows_stays_on_its_line() -> None:
    assert drawn(refreshed("10%", "20%", first=0, cr=[0, 1])) == "20%\r\n"


@pytest.mark.parametrize(
    ("prefixed", "shown"), [(False, "0123456"), (True, f"{STREAM.job} | 0123456")]
)
def test_a_bar_is_no_wider_than_the_terminal(prefixed: bool, shown: str) -> None:
    frame = refreshed("0123456789", first=0, cr=[0])
    columns = len(shown) + 1
    assert drawn(frame, columns=columns, prefixed=prefixed) == f"{shown}\r\n"
    wide = refreshed("進捗" * 9, first=0, cr=[0])
    assert drawn(wide, columns=8) == "進捗進\r\n"
