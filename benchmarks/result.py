"""What a benchmark found: claims with their targets, and the figures of all contenders.

    claim = Claim("5", "fan-out to 4 subscribers", "raw pyzmq", "×", ratios, at_least=0.8)
    print_result(Result([claim], [Work("Fan-out", {"raytap": {"seconds": [0.21, 0.2]}})]))

Every number is a list with one value for each round; what is shown is the median.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from statistics import median

import msgspec

from benchmarks.machine import Machine, this_machine


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number that issue 4 or 5 asks for, or (without a bound) one that explains it."""

    row: str  # of the table
    what: str
    beside: str  # what it is compared with; "–" where its value stands for itself
    unit: str
    values: list[float]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def target(self) -> str:
        """As text; empty where there is none."""
        if self.at_least is not None:
            return f"≥ {shown(self.at_least)} {self.unit}"
        return "" if self.at_most is None else f"≤ {shown(self.at_most)} {self.unit}"

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps to the target; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most


class Work(msgspec.Struct, frozen=True):
    """One piece of work: each contender's figures."""

    title: str
    contenders: dict[str, dict[str, list[float]]]


class Result(msgspec.Struct, frozen=True):
    """What a script found in one run of it."""

    claims: list[Claim]
    works: list[Work]
    machine: Machine = msgspec.field(default_factory=this_machine)
    measured: str = msgspec.field(
        default_factory=lambda: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    )


def print_result(result: Result, as_json: bool = False) -> None:
    """Print it: tables of medians, or JSON with every round."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
        return
    for work in result.works:
        print(f"{work.title}\n{columns(figures(work))}\n")
    if result.claims:
        print(columns(verdicts(result.claims)))


def figures(work: Work) -> list[list[str]]:
    """A row for each contender, after the head."""
    names = list(dict.fromkeys(name for each in work.contenders.values() for name in each))
    return [
        ["", *names],
        *(
            [contender, *(shown(median(each[name])) if name in each else "" for name in names)]
            for contender, each in work.contenders.items()
        ),
    ]


def verdicts(claims: Sequence[Claim]) -> list[list[str]]:
    """A row for each claim, after the head. One that falls short is marked."""
    marks = {True: "reached", False: "FALLS SHORT", None: ""}
    return [
        ["row", "work", "beside", "measured", "least–most", "target", ""],
        *(
            [
                claim.row,
                claim.what,
                claim.beside,
                f"{shown(claim.value)} {claim.unit}",
                f"{shown(min(claim.values))}–{shown(max(claim.values))}",
                claim.target or "–",
                marks[claim.reached],
            ]
            for claim in claims
        ),
    ]


def columns(cells: Sequence[Sequence[str]]) -> str:
    """Cells one below the other."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def shown(number: float) -> str:
    """Three digits of it, or all where there are more before the point."""
    if number == 0:
        return "0"
    for digits in range(4):
        if abs(number) >= 10 ** (2 - digits):
            return f"{number:,.{digits}f}"
    return f"{number:.4f}" if abs(number) >= 0.001 else f"{number:.1e}"
