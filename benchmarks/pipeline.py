"""The pipeline alone, beside only decode, split and pack.

    python -m benchmarks.pipeline [--rounds 5] [--megabytes 20] [--json]

The same log, in reads of 1 MiB, to msgpack bytes in chunks of 64 KiB: with all steps (assemble,
escapes and controls, default rules, private keys, truncation), and with none of them. Two logs:
one that looks like a training job's (half of its lines from workers in colour, a tqdm bar, some
Unicode, a secret now and then), and a hostile one. Medians of alternating rounds, CPU time of this
process. Every line is counted and every planted secret looked for before a time is printed. Below
the ratio: what each step costs on its own.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator

import msgpack

from broker import ansi, private_key
from broker.lines import LineAssembler, over_long
from broker.pipeline import Pipeline
from broker.redact import Redactor

READ = 1 << 20
CHUNK = 1 << 16
SECRET = b"hunter2-0f9e8d7c"


def training_log(size: int) -> bytes:
    """What a Ray Train job prints; one line in 1,000 holds a secret."""
    rng = random.Random(1)
    lines: list[bytes] = []
    total = number = 0
    while total < size:
        number += 1
        worker = b"\x1b[36m(RayTrainWorker pid=%d, ip=10.0.3.%d)\x1b[0m " % (
            rng.randrange(1_000, 60_000),
            rng.randrange(8),
        )
        if number % 1_000 == 0:
            line = worker + b"connecting with password=%s retries=3" % SECRET
        elif number % 50 == 0:
            bar = "█" * (number // 50 % 10) + " " * (10 - number // 50 % 10)
            line = f"Training: 42%|{bar}| {number}/90000 [00:12<00:41, 8.7it/s]\r".encode()[:-1]
        elif number % 100 == 1:
            line = worker + "✓ checkpoint — saved".encode()
        elif number % 2:
            line = worker + b"epoch %d step %d loss=%.5f grad_norm=%.4f tokens/s=%d" % (
                number // 9_000,
                number,
                rng.random(),
                rng.random(),
                rng.randrange(20_000),
            )
        elif number % 6 == 0:
            line = (
                b'  File "/opt/venv/lib/python3.11/site-packages/torch/nn/module.py", line %d'
                % (rng.randrange(2_000))
            )
        elif number % 6 == 2:
            line = (
                b"2026-01-05 10:11:%02d,%03d\tINFO worker.py:1917 -- Connecting to existing Ray "
                b"cluster at address: 10.0.0.1:6379..." % (number % 60, number % 1_000)
            )
        else:
            line = b"{'loss': %.4f, 'grad_norm': %.4f, 'num_tokens': %d, 'epoch': %.2f}" % (
                rng.random(),
                rng.random(),
                rng.randrange(9_999),
                number / 9_000,
            )
        # A refreshing bar ends its lines in a lone \r.
        end = b"\r" if number % 2_000 in range(40) else b"\n"
        lines.append(line + end)
        total += len(lines[-1])
    if lines[-1].endswith(b"\r"):
        lines.append(b"end\n")
    return b"".join(lines)


def hostile_log(size: int) -> bytes:
    """Escapes without an end, controls, bad UTF-8, half secrets, long lines, keys left open."""
    rng = random.Random(2)
    pieces = [
        b"\x1b]" * 30,
        b"\x1b[" + b"1;" * 200,
        b"\x1bP" + b"q" * 50,
        b"\xff\xfe\xc3",
        "\x9b31m\x85\u2028🙂".encode(),
        b"\x00\x07\x08" * 20,
        b"password=",
        b"://u:" * 5,
        b"bearer " * 5,
        b"eyJaaaaaaaaaa." * 3,
        b"-----BEGIN PRIVATE KEY-----",
        b"x" * 3_000,
        b"\r" * 5,
        b"api_key=a&" * 10,
        b'secret="\\',
    ]
    log = bytearray()
    while len(log) < size:
        log += b"".join(rng.choices(pieces, k=rng.randrange(1, 12)))
        log += rng.choice([b"\n", b"\n", b"\r\n", b"\r."])
        if rng.random() < 0.001:
            log += b"y" * 100_000
    return bytes(log) + b"\n"


def bare(log: bytes) -> Iterator[list[str]]:
    """Only decode and split; nothing is carried over but where the last line ended."""
    at = 0
    while at < len(log):
        end = log.rfind(b"\n", at, at + CHUNK) + 1 or log.index(b"\n", at) + 1
        lines = log[at:end].decode("utf-8", "replace").split("\n")
        lines.pop()
        yield lines
        at = end


def piped(log: bytes, redactor: Redactor) -> Iterator[list[str]]:
    """All steps."""
    assembler, pipeline, key_lines = LineAssembler(), Pipeline(redactor), 0
    for at in range(0, len(log), READ):
        for chunk in assembler.feed(log[at : at + READ]):
            batch = pipeline.process(chunk, key_lines)
            key_lines = batch.key_lines
            yield batch.lines


def pack(batches: Iterator[list[str]]) -> int:
    """CPU nanoseconds for all of it, packed."""
    started = time.process_time_ns()
    for lines in batches:
        msgpack.packb({"lines": lines})
    return time.process_time_ns() - started


def check(log: bytes, redactor: Redactor) -> int:
    """Every line is there and no planted secret is; the number of lines."""
    lines = [line for batch in piped(log, redactor) for line in batch]
    expected = len(re.findall(rb"\r\n|\n|\r", log))
    assert len(lines) == expected, f"{len(lines)} lines of {expected}"
    assert sum(map(len, bare(log))) == log.count(b"\n")
    text = "\n".join(lines)
    assert SECRET.decode() not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    if SECRET in log:
        assert text.count("password=[REDACTED]") == log.count(SECRET)
    return expected


def steps(log: bytes, redactor: Redactor) -> dict[str, float]:
    """Milliseconds of CPU for each step on its own, over the whole log."""
    chunks = [
        chunk
        for assembler in [LineAssembler()]
        for at in range(0, len(log), READ)
        for chunk in assembler.feed(log[at : at + READ])
    ]
    raw = [chunk.data for chunk in chunks]
    clean = [ansi.strip(data) for data in raw]
    text = [redactor.redact(data)[0] for data in clean]
    lines = [data.decode().split("\n") for data in text]

    def assemble() -> None:
        assembler = LineAssembler()
        for at in range(0, len(log), READ):
            assembler.feed(log[at : at + READ])

    calls: dict[str, Callable[[], object]] = {
        "assemble (ends, UTF-8, CRC, count)": assemble,
        "escapes and controls": lambda: [ansi.strip(data) for data in raw],
        "redact": lambda: [redactor.redact(data) for data in clean],
        "private keys": lambda: [private_key.redact(data) for data in clean],
        "over-long lines": lambda: [over_long(data, 10_240) for data in text],
        "decode and split": lambda: [data.decode().split("\n") for data in text],
        "pack": lambda: [msgpack.packb({"lines": batch}) for batch in lines],
    }
    costs: dict[str, float] = {}
    for name, call in calls.items():
        times: list[int] = []
        for _ in range(3):
            started = time.process_time_ns()
            call()
            times.append(time.process_time_ns() - started)
        costs[name] = statistics.median(times) / 1e6
    return costs


def measure(log: bytes, rounds: int) -> dict[str, object]:
    """One log's row: medians of alternating rounds."""
    redactor = Redactor()
    lines = check(log, redactor)
    with_all: list[int] = []
    without: list[int] = []
    for _ in range(rounds):
        with_all.append(pack(piped(log, redactor)))
        without.append(pack(bare(log)))
    ours, theirs = statistics.median(with_all), statistics.median(without)
    return {
        "megabytes": len(log) / 1e6,
        "lines": lines,
        "pipeline_mb_s": len(log) / ours * 1e3,
        "bare_mb_s": len(log) / theirs * 1e3,
        "lines_s": lines / ours * 1e9,
        "ratio": theirs / ours,
        "steps_ms": steps(log, redactor),
    }


def main() -> None:
    """Measure both logs and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    size = arguments.megabytes * 1_000_000
    rows = {
        "training": measure(training_log(size), arguments.rounds),
        "hostile": measure(hostile_log(size), arguments.rounds),
    }
    if arguments.json:
        print(json.dumps(rows))
        return
    for name, row in rows.items():
        print(
            f"{name:10} {row['megabytes']:.0f} MB, {row['lines']:,} lines: pipeline "
            f"{row['pipeline_mb_s']:.0f} MB/s ({row['lines_s']:,.0f} lines/s), bare "
            f"{row['bare_mb_s']:.0f} MB/s, ratio {row['ratio']:.2f}"
        )
        costs = row["steps_ms"]
        assert isinstance(costs, dict)
        for step, milliseconds in costs.items():
            print(f"    {step:36} {milliseconds:8.1f} ms")


if __name__ == "__main__":
    main()
