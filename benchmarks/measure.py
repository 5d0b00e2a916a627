"""What the benchmarks share: alternating runs, each in a process of its own, medians, a table.

    args = arguments(__doc__)
    results = alternate({"raytap": (raytap, 4), "raw": (raw, 4)}, args.rounds)
    report([Row("4 subscribers", work=200.0, unit="MB", results=results, beside="raw")], args.json)

A contender is a top-level function (and its arguments) that does the work, checks that it was
done, and returns the `Run` of its `Stopwatch`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from types import TracebackType
from typing import Any, NamedTuple, Self

Contender = tuple[Callable[..., "Run"], *tuple[Any, ...]]


class Run(NamedTuple):
    """One run. `work` is how much was done where a contender did less than the row says."""

    seconds: float
    cpu_seconds: float  # of the measured process alone
    peak_mib: float  # of the measured process, from its start
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


class Row(NamedTuple):
    """One line of the report: how much of what was done, by whom, beside which contender."""

    name: str
    work: float
    unit: str
    results: Mapping[str, Sequence[Run]]
    beside: str


def peak_mib() -> float:
    """This process's largest resident memory, MiB. (`ru_maxrss` would begin at the parent's.)"""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def alternate(contenders: Mapping[str, Contender], rounds: int = 5) -> dict[str, list[Run]]:
    """Run each contender in turn, `rounds` times over; every run in a fresh process.

    Every other round goes backwards, so that nobody always comes after the same one.
    """
    results: dict[str, list[Run]] = {name: [] for name in contenders}
    turns = list(contenders.items())
    for _ in range(rounds):
        for name, (work, *values) in turns:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                results[name].append(process.submit(work, *values).result())
        turns.reverse()
    return results


def arguments(description: str | None, rounds: int = 5) -> argparse.Namespace:
    """`--rounds N` and `--json`."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds, help="alternating runs of each")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def summary(row: Row) -> list[dict[str, object]]:
    """Each contender's medians. `ratio` is the median over the rounds of its rate over that of the
    one it stands beside in the same round, so that a machine that is busy for a while slows both;
    `low` and `high` are the least and the greatest of them."""
    beside = [_rate(row, run) for run in row.results[row.beside]]
    lines = []
    for name, runs in row.results.items():
        rates = [_rate(row, run) for run in runs]
        ratios = [mine / other for mine, other in zip(rates, beside, strict=True)]
        lines.append(
            {
                "row": row.name,
                "contender": name,
                "rate": round(median(rates), 2),
                "unit": f"{row.unit}/s",
                "ratio": round(median(ratios), 3),
                "low": round(min(ratios), 3),
                "high": round(max(ratios), 3),
                "beside": row.beside,
                "seconds": round(median(run.seconds for run in runs), 4),
                "cpu_seconds": round(median(run.cpu_seconds for run in runs), 4),
                "peak_mib": round(median(run.peak_mib for run in runs), 1),
                "rounds": len(runs),
            }
        )
    return lines


def _rate(row: Row, run: Run) -> float:
    return (run.work or row.work) / run.seconds


def report(rows: Sequence[Row], as_json: bool = False) -> None:
    """Print the rows' medians: a table, or JSON with the machine it ran on."""
    lines = [line for row in rows for line in summary(row)]
    if as_json:
        machine = {"python": platform.python_version(), "platform": platform.platform()}
        print(json.dumps({"machine": machine, "rows": lines}))
        return
    columns = [
        "row",
        "contender",
        "rate",
        "unit",
        "ratio",
        "low",
        "high",
        "seconds",
        "cpu_seconds",
        "peak_mib",
    ]
    cells = [columns] + [[str(line[column]) for column in columns] for line in lines]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
