"""What the benchmarks share: contenders that take turns, a stopwatch, their arguments.

    args = arguments(__doc__)
    results = alternate({"raytap": (raytap, 4), "raw": (raw, 4)}, args.rounds)
    report([Row("4 subscribers", work=200.0, unit="MB", results=results, beside="raw")], args.json)

A contender of `alternate` is a top-level function (and its arguments) that does the work, checks
that it was done, and returns the `Run` of its `Stopwatch`; each of its runs is in a fresh process.
Those of `take_turns` run in this process, because what they measure are processes anyway. Both
go forwards in one round and backwards in the next, so that nobody always comes after the same
one. All times are of the monotonic clock, which every process of a machine shares.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from benchmarks.process import peak_mib
from benchmarks.result import Claim, Result, Work, print_result

T = TypeVar("T")
Contender = tuple[Callable[..., "Run"], *tuple[Any, ...]]


class Run(NamedTuple):
    """One run. `work` is how much was done where a contender did less than the others."""

    seconds: float
    cpu_seconds: float  # of the measured processes alone
    peak_mib: float  # of the measured processes, from their start
    work: float | None = None


class Stopwatch:
    """Measures its block: what is set up before it does not count, but for memory."""

    run: Run

    def __enter__(self) -> Self:
        self._cpu = time.process_time()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._start
        self.run = Run(seconds, time.process_time() - self._cpu, peak_mib())


def take_turns(contenders: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run each contender in turn, `rounds` times over; what each gave, a round each."""
    given: dict[str, list[T]] = {name: [] for name in contenders}
    turns = list(contenders.items())
    for _ in range(rounds):
        for name, work in turns:
            given[name].append(work())
        turns.reverse()
    return given


def alternate(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[Run]]:
    """`take_turns`, with every run in a fresh process."""
    return take_turns({name: partial(_apart, *c) for name, c in contenders.items()}, rounds)


def _apart(work: Callable[..., Run], *values: Any) -> Run:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *values).result()


def ratios(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Round by round, so that a machine that is busy for a while slows both sides of a pair."""
    return [one / other for one, other in zip(mine, theirs, strict=True)]


def speed(runs: Mapping[str, Sequence[Run]], work: float, unit: str) -> dict[str, dict[str, Any]]:
    """Each contender's figures, one value a round, as `result.Work` takes them."""
    return {
        name: {
            f"{unit}/s": [(run.work or work) / run.seconds for run in taken],
            "seconds": [run.seconds for run in taken],
            "CPU s": [run.cpu_seconds for run in taken],
            "peak MiB": [run.peak_mib for run in taken],
        }
        for name, taken in runs.items()
    }


class Row(NamedTuple):
    """The same work by several: how much of what was done, by whom, beside which of them.

    `number` is its row of the table, if it has one; `at_least` what the others' rates are to be
    of the rate of `beside`.
    """

    name: str
    work: float
    unit: str
    results: Mapping[str, Sequence[Run]]
    beside: str
    number: str = "–"
    at_least: float | None = None


def report(rows: Sequence[Row], as_json: bool = False) -> None:
    """Print the rows' medians: tables, or JSON with the machine it ran on."""
    claims, works = [], []
    for row in rows:
        figures = speed(row.results, row.work, row.unit)
        rates = {name: each[f"{row.unit}/s"] for name, each in figures.items()}
        beside = rates.pop(row.beside)
        for name, mine in rates.items():
            what = row.name if len(rates) == 1 else f"{row.name}: {name}"
            values = ratios(mine, beside)
            claims.append(Claim(row.number, what, row.beside, "×", values, row.at_least))
        works.append(Work(f"{row.name} ({row.work:,.0f} {row.unit})", figures))
    print_result(Result(claims, works), as_json)


def parser(description: str | None, rounds: int = 5) -> argparse.ArgumentParser:
    """`--rounds N`, `--quick` and `--json`; a script may add its own."""
    made = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    made.add_argument("--rounds", type=int, default=rounds, help="alternating runs of each")
    made.add_argument("--quick", action="store_true", help="a round of next to nothing, as a test")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return made


def parse(made: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line; `--quick` is one round."""
    options = made.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def arguments(description: str | None, rounds: int = 5) -> argparse.Namespace:
    """The command line of a script that adds no options of its own."""
    return parse(parser(description, rounds))
