"""All rows of the table of ratios, one after the other, each by its own script in its own process.

    python -m benchmarks.table                                      runs all, prints the table
    python -m benchmarks.table --results bench.json                 runs what is not in the file yet
    python -m benchmarks.table --results bench.json 4 8             runs these again
    python -m benchmarks.table --results bench.json --write docs/benchmarks.md docs/performance.md
                                                                    and puts it into the documents

What a row found is kept in the file as soon as it is known, so an interrupted run goes on where it
was. `--json` prints all of it. A script that fails leaves its row out and makes the exit status 1,
as does a document that asks for a figure which its row does not have. A row that falls short of its
target does not: the table says so.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.markdown import Measured, filled, unknown
from benchmarks.result import Result, columns, verdicts

ROWS: Final = {
    "1": ["benchmarks.finished_log"],
    "2": ["benchmarks.finished_log", "--viewers", "10"],
    "3": ["benchmarks.live_lag"],
    "4": ["benchmarks.pipeline"],
    "5": ["benchmarks.zeromq_fanout"],
    "6": ["benchmarks.redis_publish"],
    "7": ["benchmarks.memory"],
    "8": ["benchmarks.many_jobs"],
    "8, the agent": ["benchmarks.agent_polling"],
    "9": ["benchmarks.journal"],
    "10": ["benchmarks.startup"],
    "fan-out": ["benchmarks.dashboard_fanout"],
    "alerts": ["benchmarks.alert_rules"],
    "recognition": ["benchmarks.recognition"],
}


def run(name: str, options: list[str]) -> Measured | None:
    """Run one row's script; None where it failed, with its last words on standard error."""
    command = ["python", "-m", *ROWS[name]]
    load, start = os.getloadavg()[0], time.monotonic()
    print(f"row {name}: {' '.join(command)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, *command[1:], "--json", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stderr[-2_000:], file=sys.stderr)
        return None
    result = msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)
    return Measured(command, load, time.monotonic() - start, result)


def read(path: Path | None) -> dict[str, Measured]:
    """What is known from before."""
    if path is None or not path.exists():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Measured])


def main() -> int:
    """Run what is asked for; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="run these, again if need be")
    parser.add_argument("--results", type=Path, help="where what was found is kept")
    parser.add_argument("--write", type=Path, nargs="+", default=[], help="documents to fill in")
    parser.add_argument("--rounds", type=int, help="of each script; its own number otherwise")
    parser.add_argument("--quick", action="store_true", help="next to nothing of each, as a test")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    passed = ["--quick"] * options.quick
    passed += ["--rounds", str(options.rounds)] * (options.rounds is not None)
    known = read(options.results)
    failed = []
    for name in options.rows or [name for name in ROWS if name not in known]:
        measured = run(name, passed)
        if measured is None:
            failed.append(f"row {name} failed")
            continue
        known[name] = measured
        if options.results:
            options.results.write_bytes(msgspec.json.encode(known))
    ordered = {name: known[name] for name in ROWS if name in known}
    for document in options.write:
        text = document.read_text()
        document.write_text(filled(text, ordered))
        failed += [f"{document}: no figure {name!r}" for name in unknown(text, ordered)]
    if options.json:
        print(msgspec.json.encode(ordered).decode())
    else:
        claims = [claim for measured in ordered.values() for claim in measured.result.claims]
        print(columns(verdicts(claims)))
    for problem in failed:
        print(problem, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
