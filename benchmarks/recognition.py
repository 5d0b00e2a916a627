"""Recognition of levels, workers and tracebacks: lines a second on one core.

    python -m benchmarks.recognition [--rounds 5] [--json]

Lines as they come to a subscriber, in frames of 550: a training job's (half of them from workers,
one in six a frame of a traceback), a log in which every line has a worker's prefix and a level, and
tracebacks alone. `lines` joins a frame's lines and finds them again with one pattern, which is the
least that a pass over them costs; each of the others also has to tell every line it knows about.
CPU time of a fresh process; what was found is counted before a time is given.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.measure import Run, Stopwatch, alternate, parse, parser, speed
from benchmarks.pipeline import training_log
from benchmarks.result import Claim, Result, Work, print_result
from benchmarks.sample_frames import LINES, sample_lines
from broker.frame import Frame
from broker.text import ansi
from subscribers.recognition.levels import levels
from subscribers.recognition.recogniser import Recogniser
from subscribers.recognition.tracebacks import Tracebacks
from subscribers.recognition.workers import workers

COUNT: Final = 220_000
_ANY_LINE: Final = re.compile(r"[^\n]*+\n")


def training() -> list[str]:
    """A Ray Train job's log, as raytap hands it out."""
    text = ansi.strip(training_log(COUNT * 110)).decode()
    return text.split("\n")[:COUNT]


def prefixed() -> list[str]:
    """Every line from a worker, with a level."""
    return sample_lines(0, COUNT)


def tracebacks() -> list[str]:
    """One traceback after the other, chained, from a worker."""

    def fail(depth: int) -> None:
        if depth:
            fail(depth - 1)
        try:
            int("x")
        except ValueError as error:
            raise RuntimeError("step failed") from error

    try:
        fail(8)
    except RuntimeError:
        block = [f"(train pid=7) {line}" for line in traceback.format_exc().splitlines()]
    return (block * (COUNT // len(block) + 1))[:COUNT]


LOGS: Final[dict[str, Callable[[], list[str]]]] = {
    "training": training,
    "prefixed": prefixed,
    "tracebacks": tracebacks,
}


def _frames(log: str) -> list[Frame]:
    lines = LOGS[log]()
    return [
        Frame("log", "default", "job-1", at, at + len(part), lines=part)
        for at in range(0, len(lines), LINES)
        for part in [lines[at : at + LINES]]
    ]


def _measured(log: str, recognise: Callable[[Frame], int], expected: Sequence[int]) -> Run:
    """CPU time as the run's time: what else the machine does is no matter here."""
    frames = _frames(log)
    with Stopwatch() as watch:
        found = sum(map(recognise, frames))
    low, high = expected
    assert low <= found <= high, f"{found} found in {log}, {low} to {high} expected"
    return watch.run._replace(seconds=watch.run.cpu_seconds)


def find_lines(log: str) -> Run:
    """The least: every line of the joined text again."""
    return _measured(
        log,
        lambda frame: len(_ANY_LINE.findall("\n".join(frame.lines) + "\n")),
        (COUNT, COUNT),
    )


def find_levels(log: str) -> Run:
    """A level each."""
    least = {"training": COUNT // 20, "prefixed": COUNT, "tracebacks": COUNT // 50}[log]
    return _measured(
        log, lambda frame: len(frame.lines) - levels(frame.lines).count(0), (least, COUNT)
    )


def find_workers(log: str) -> Run:
    """The prefix of each line that has one."""
    least = COUNT // 3 if log == "training" else COUNT
    return _measured(log, lambda frame: len(workers(frame.lines)), (least, COUNT))


def find_tracebacks(log: str) -> Run:
    """A role each."""
    low, high = {"training": (1, COUNT // 3), "prefixed": (0, 0), "tracebacks": (COUNT, COUNT)}[log]
    found = Tracebacks()
    return _measured(
        log, lambda frame: len(frame.lines) - found.feed(frame.lines).count("."), (low, high)
    )


def find_all(log: str) -> Run:
    """All of it, as every subscriber does."""
    recogniser = Recogniser()
    return _measured(log, lambda frame: len(recogniser.mark(frame).levels), (COUNT, COUNT))


CONTENDERS: Final[dict[str, Callable[[str], Run]]] = {
    "lines": find_lines,
    "levels": find_levels,
    "workers": find_workers,
    "tracebacks": find_tracebacks,
    "all": find_all,
}


def main() -> None:
    """Each log, each recognition."""
    options = parse(parser(__doc__))
    claims, works = [], []
    for log in LOGS:
        runs = alternate({name: (find, log) for name, find in CONTENDERS.items()}, options.rounds)
        figures = speed(runs, COUNT, "lines")
        works.append(Work(f"{log} ({COUNT:,} lines)", figures))
        for name in ("levels", "all"):
            rates = [rate / 1e6 for rate in figures[name]["lines/s"]]
            least = 1.0 if (log, name) == ("training", "levels") else None
            claims.append(
                Claim("recognition", f"{name}, {log}", "–", "M lines/s", rates, at_least=least)
            )
    print_result(Result(claims, works), options.json)


if __name__ == "__main__":
    main()
