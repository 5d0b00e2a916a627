"""Evaluating alert rules alone: how many lines a second, by the number of rules.

    python -m benchmarks.alert_rules [--rounds 5] [--quick] [--json]

Frames of a training job as the bus brings them, decoded, in memory; 1 % of the lines match a rule,
each of them another one in turn. `Engine.feed_all` looks at them, on one core: with Hyperscan (the
extra `fast`) and without it. Beside them, for 10 rules: each regex on each line in turn. "Common
words" are rules such as `w7 .*oom123` on lines that are full of their first words: one automaton
of them all would have a state for each set of those. "And tracebacks" has lines' levels and whole
tracebacks recognised for some of the rules.

Before a time counts, each run checks that all alerts fired, and no others. `peak MiB` is that of
the process, with the frames and with what the rules' automata take; with 0 rules, without them.
"""

from __future__ import annotations

import random
from typing import Any, Final

import re2

from benchmarks.measure import Contender, Run, Stopwatch, alternate, arguments, speed
from benchmarks.result import Claim, Result, Work, print_result
from benchmarks.sample_frames import LINES, sample_lines
from broker.frame import Frame
from subscribers.alerts.engine.engine import Engine
from subscribers.alerts.engine.links import Links
from subscribers.alerts.rules.rule import Rule

FRAMES: Final = 1_000
SLOW_FRAMES: Final = 20
RULES: Final = (0, 1, 10, 100, 500)
TARGET: Final = 200_000  # lines a second, on one core
MATCHING: Final = 100  # every so manieth line matches
START: Final = 1_700_000_000
WORDS: Final = (
    *("cuda", "memory", "nccl", "timeout", "worker", "actor", "died", "disk", "space"),
    *("quota", "object", "store", "spill", "nan", "grad", "epoch", "checkpoint", "save"),
    *("load", "connect", "refused", "reset", "socket", "host", "node", "rank"),
)


def mixed_rules(count: int) -> tuple[list[Rule], list[str]]:
    """Rules of five shapes, and a line that each of them, and no other, matches."""
    rng = random.Random(1)
    rules, lines = [], []
    for number in range(count):
        one, two = (f"{rng.choice(WORDS)}{number}x{rng.randrange(10)}" for _ in range(2))
        match, line = [
            (f"{one} {two}", f"now {one} {two} again"),
            (f"(?i){one}.*{two}", f"{one.upper()} and then {two}"),
            (rf"code=\d+ {one} on (?P<host>[\w.-]+)", f"error code=12 {one} on h{number % 50}"),
            (rf"^\S+ (?:ERROR|FATAL) .*{one}", f"12:00:00 FATAL it is {one}"),
            (rf"\b{one}\b: [0-9.]+", f"the {one}: 12.5"),
        ][number % 5]
        rules.append(Rule(name=f"rule-{number}", match=match))
        lines.append(f"(train pid=23607) {line}" if number % 5 != 3 else line)
    return rules, lines


def common_rules(count: int) -> tuple[list[Rule], list[str]]:
    """Rules whose first word is in every line, and what follows it in hardly any."""
    rules, lines = [], []
    for number in range(count):
        first, last = f"w{number % 40}", f"{WORDS[number % len(WORDS)]}{number}x"
        rules.append(Rule(name=f"rule-{number}", match=f"{first} .*{last}"))
        lines.append(f"(train pid=1) {first} and then {last}")
    return rules, lines


def sample(count: int, matching: list[str], common: bool) -> list[Frame]:
    """Frames of 64 KiB whose every hundredth line is one of `matching`, in turn."""
    rng = random.Random(2)
    words = [f"w{number}" for number in range(40)]
    lines = sample_lines(0, count * LINES)
    if common:
        lines = [f"{line} {' '.join(rng.sample(words, 12))}" for line in lines]
    if matching:
        for turn, at in enumerate(range(0, len(lines), MATCHING)):
            lines[at] = matching[turn % len(matching)]
    return [
        Frame(
            kind="log",
            cluster="default",
            job="job-1",
            epoch="0123456789ab",
            first=first,
            next=first + LINES,
            ts=(START + first // LINES) * 10**9,
            lines=lines[first : first + LINES],
        )
        for first in range(0, len(lines), LINES)
    ]


def evaluated(rules: int, kind: str, hyperscan: bool, frames: int) -> Run:
    """One run; every rule has fired by its end, once for each of its labels."""
    common = kind == "common words"
    made, matching = (common_rules if common else mixed_rules)(rules)
    expected = {rule.name for rule in made}
    if kind == "tracebacks":
        made += [
            Rule(name="trace", on="traceback", match="NoSuchError", source="driver"),
            Rule(name="critical", level="critical", threshold=1_000_000),
        ]
    stream = sample(frames, matching, common)
    engine = Engine(made, Links("http://localhost:8271"), hyperscan=hyperscan)
    if made and engine.fast != hyperscan:
        raise SystemExit("Hyperscan is not installed: pip install 'raytap[fast]'")
    with Stopwatch() as watch:
        transitions = engine.feed_all(stream, START)
    fired = {one.alert.rule for one in transitions if one.what == "firing"}
    assert fired == expected, f"{len(fired)} of {rules} rules fired"
    assert len(engine.firing) == rules
    return watch.run


def one_by_one(rules: int) -> Run:
    """Each regex on each line, as a loop over rules and lines would do it."""
    made, matching = mixed_rules(rules)
    stream = sample(SLOW_FRAMES, matching, common=False)
    options = re2.Options()
    options.log_errors = False
    patterns = [re2.compile(rule.match.encode(), options) for rule in made]
    with Stopwatch() as watch:
        found = sum(
            pattern.search(line) is not None
            for frame in stream
            for line in map(str.encode, frame.lines)
            for pattern in patterns
        )
    assert found == SLOW_FRAMES * LINES // MATCHING
    return watch.run._replace(work=SLOW_FRAMES * LINES)


def contenders(rules: int, kind: str, frames: int) -> dict[str, Contender]:
    """With and without Hyperscan, and how one would do it first."""
    made: dict[str, Contender] = {"raytap": (evaluated, rules, kind, False, frames)}
    if rules:
        made["raytap[fast]"] = (evaluated, rules, kind, True, frames)
    if rules == 10:
        made["one by one"] = (one_by_one, rules)
    return made


def _a_core(figures: dict[str, Any], frames: int) -> list[float]:
    """Lines for each second of the core's work, whoever else shared it."""
    return [frames * LINES / seconds for seconds in figures["CPU s"]]


def main() -> None:
    """Measure and print a table, or JSON."""
    args = arguments(__doc__)
    frames = 100 if args.quick else FRAMES
    claims: list[Claim] = []
    works: list[Work] = []
    rows = [*((rules, "") for rules in RULES), (500, "common words"), (500, "tracebacks")]
    for rules, kind in rows:
        name = f"{rules} alert rules" + (f" and {kind}" if kind else "")
        runs = alternate(contenders(rules, kind, frames), args.rounds)
        figures: dict[str, dict[str, Any]] = speed(runs, frames * LINES, "lines")
        works.append(Work(f"{name} ({frames * LINES:,} lines)", figures))
        if rules == max(RULES):
            claims += [
                Claim("alerts", f"{name}: {who}", "–", "lines/s", _a_core(each, frames), TARGET)
                for who, each in figures.items()
            ]
    print_result(Result(claims, works), args.json)


if __name__ == "__main__":
    main()
