"""The rows' results as Markdown, and into documents: no number in them is typed by hand. Pure.

A document has `<!-- table -->` and `<!-- end of table -->`, between which the whole table goes,
or single figures as `<!--= ROW; CONTENDER; FIGURE -->…<!--/-->`, or both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import msgspec

from benchmarks.result import Claim, Result, figures, shown, verdicts

BEGIN: Final = "<!-- table -->"
END: Final = "<!-- end of table -->"
_FIGURE: Final = re.compile(
    r"(<!--= (?P<row>[^;]+); (?P<who>[^;]+); (?P<what>.+?) -->).*?(<!--/-->)", re.S
)
NOT_MEASURED: Final = "(not measured)"


class Measured(msgspec.Struct, frozen=True):
    """A row as it was run."""

    command: list[str]
    load: float  # average of the minute before
    seconds: float  # that it took
    result: Result


Results = Mapping[str, Measured]  # by the table's names of the rows


def table(results: Results) -> str:
    """Where it was measured, the targets, and each row's figures."""
    with_target = [claim for claim in _claims(results) if claim.target]
    parts = [_where(results), _grid(_bold(verdicts(with_target)))]
    for name, measured in results.items():
        parts.append(f"### Row {name}: `{' '.join(measured.command)}`")
        loose = [claim for claim in measured.result.claims if not claim.target]
        parts += [f"{work.title}:\n\n{_grid(figures(work))}" for work in measured.result.works]
        if loose:
            parts.append(_grid([row[:5] for row in verdicts(loose)]))
    return "\n\n".join(parts)


def filled(document: str, results: Results) -> str:
    """The document with the table and the single figures put in."""
    if BEGIN in document:
        head, _, rest = document.partition(BEGIN)
        _, _, tail = rest.partition(END)
        document = f"{head}{BEGIN}\n\n{table(results)}\n\n{END}{tail}"
    return _FIGURE.sub(lambda found: found[1] + _figure(results, found) + found[5], document)


def unknown(document: str, results: Results) -> list[str]:
    """What the document asks for that its row, though it was measured, does not have."""
    return [
        f"{asked['row']}; {asked['who']}; {asked['what']}"
        for asked in _FIGURE.finditer(document)
        if asked["row"] in results and _figure(results, asked) == NOT_MEASURED
    ]


def _figure(results: Results, asked: re.Match[str]) -> str:
    measured = results.get(asked["row"])
    for work in measured.result.works if measured else ():
        values = work.contenders.get(asked["who"], {}).get(asked["what"])
        if values:
            return shown(median(values))
    return NOT_MEASURED


def _claims(results: Results) -> list[Claim]:
    return [claim for measured in results.values() for claim in measured.result.claims]


def _where(results: Results) -> str:
    machines = {str(m.result.machine): m.result.machine for m in results.values()}
    times = sorted(measured.result.measured for measured in results.values())
    loads = [measured.load for measured in results.values()]
    lines = [f"Measured {times[0]} to {times[-1]}, on:", ""]
    for name, machine in machines.items():
        packages = ", ".join(f"{package} {is_}" for package, is_ in machine.packages.items())
        lines.append(f"- {name}; {packages}.")
    lines += [
        "",
        f"Load average of the minute before a row began: {min(loads):.2f} to {max(loads):.2f}. "
        "Medians; beside them the least and the greatest of the rounds.",
    ]
    return "\n".join(lines)


def _bold(cells: list[list[str]]) -> list[list[str]]:
    return [[*row[:-1], f"**{row[-1]}**" if row[-1].isupper() else row[-1]] for row in cells]


def _grid(cells: Sequence[Sequence[str]]) -> str:
    head, *body = cells
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
