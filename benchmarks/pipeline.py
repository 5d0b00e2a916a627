"""Row 4: the pipeline alone, beside only decode, split and pack.

    python -m benchmarks.pipeline [--rounds 5] [--megabytes 20] [--json]

The same log, in reads of 1 MiB, to msgpack bytes in chunks of 64 KiB. "All steps", as the daemon
puts them together: assemble, screen (where Hyperscan is installed), escapes and controls, the
shipped rules, private keys, truncation, decode, split, pack. "15 rules": the same with the last 15
of the shipped ones, which are the dearest. "RE2 alone": without the screen. Beside them bytes that
are only cut at line ends, decoded, split and packed. Two logs: one that looks like a training
job's (half of its lines from workers in colour, a tqdm bar, some Unicode, a secret now and then),
and a hostile one. Every line is counted and every planted secret looked for before a time is
believed. Below: what each step costs on its own. Each run is in a process of its own.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgpack

from benchmarks.measure import Run, Stopwatch, alternate, parse, parser, ratios, speed
from benchmarks.result import Claim, Result, Work, print_result
from broker.text import ansi, private_key
from broker.text.lines import LineAssembler, over_long
from broker.text.pipeline import Pipeline
from broker.text.redact import DEFAULT_RULES, Redactor
from broker.text.screen import make_screen

READ: Final = 1 << 20
CHUNK: Final = 1 << 16
SECRET: Final = b"hunter2-0f9e8d7c"
FEWER: Final = 15
MEGABYTE: Final = 1_000_000


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


def piped(log: bytes, pipeline: Pipeline) -> Iterator[list[str]]:
    """All steps."""
    assembler, key_lines = LineAssembler(), 0
    for at in range(0, len(log), READ):
        for chunk in assembler.feed(log[at : at + READ]):
            batch = pipeline.process(chunk, key_lines)
            key_lines = batch.key_lines
            yield batch.lines


def make_pipeline(rules: int, screened: bool) -> Pipeline:
    """As the daemon makes it, with the last so many of the shipped rules."""
    redactor = Redactor(DEFAULT_RULES[-rules:])
    return Pipeline(redactor, screen=make_screen(redactor.rules) if screened else None)


def check(log: bytes, pipeline: Pipeline) -> None:
    """Every line is there and no planted secret is."""
    lines = [line for batch in piped(log, pipeline) for line in batch]
    expected = line_count(log)
    assert len(lines) == expected, f"{len(lines)} lines of {expected}"
    text = "\n".join(lines)
    assert SECRET.decode() not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    if SECRET in log:
        assert text.count("password=[REDACTED]") == log.count(SECRET)


def line_count(log: bytes) -> int:
    """By its three kinds of ends."""
    return len(re.findall(rb"\r\n|\n|\r", log))


def pack(batches: Iterator[list[str]]) -> Run:
    """All of it, to msgpack bytes."""
    with Stopwatch() as watch:
        for lines in batches:
            msgpack.packb({"lines": lines})
    return watch.run


def all_steps(kind: str, size: int, rules: int, screened: bool) -> Run:
    """One run of the pipeline."""
    log, pipeline = LOGS[kind](size), make_pipeline(rules, screened)
    check(log, pipeline)
    return pack(piped(log, pipeline))


def no_steps(kind: str, size: int) -> Run:
    """One run of what cannot be left out."""
    log = LOGS[kind](size)
    assert sum(map(len, bare(log))) == log.count(b"\n")
    return pack(bare(log))


def steps(log: bytes, rules: int) -> dict[str, dict[str, list[float]]]:
    """What each step costs on its own, over the whole log."""
    redactor = Redactor(DEFAULT_RULES[-rules:])
    screen = make_screen(redactor.rules)
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

    reads = [log[at : at + READ] for at in range(0, len(log), READ)]
    calls: dict[str, tuple[Callable[[Any], object], Sequence[object]]] = {
        "assemble (ends, UTF-8, CRC, count)": (LineAssembler().feed, reads),
        "escapes and controls": (ansi.strip, raw),
        "redact (RE2)": (redactor.redact, clean),
        "private keys": (private_key.redact, clean),
        "over-long lines": (lambda data: over_long(data, 10_240), text),
        "decode and split": (lambda data: data.decode().split("\n"), text),
        "pack": (lambda batch: msgpack.packb({"lines": batch}), lines),
    }
    if screen is not None:
        calls["screen (Hyperscan)"] = screen.suspects, clean
    return {name: {"CPU s": [_cpu(*call) for _ in range(3)]} for name, call in calls.items()}


def _cpu(step: Callable[[Any], object], chunks: Sequence[object]) -> float:
    started = time.process_time()
    for chunk in chunks:
        step(chunk)
    return time.process_time() - started


LOGS: Final = {"real-looking": training_log, "hostile": hostile_log}


def main() -> None:
    """Both logs, all contenders."""
    made = parser(__doc__)
    made.add_argument("--megabytes", type=int, default=20)
    options = parse(made)
    size = MEGABYTE if options.quick else options.megabytes * MEGABYTE
    every = len(DEFAULT_RULES)
    claims, works = [], []
    for kind, make in LOGS.items():
        runs = alternate(
            {
                "all steps": (all_steps, kind, size, every, True),
                f"{FEWER} rules": (all_steps, kind, size, FEWER, True),
                "RE2 alone": (all_steps, kind, size, every, False),
                "bare": (no_steps, kind, size),
            },
            options.rounds,
        )
        cpu = {name: [run.cpu_seconds for run in taken] for name, taken in runs.items()}
        for name, what in (
            ("all steps", f"all steps, the {every} shipped rules"),
            (f"{FEWER} rules", f"all steps, {FEWER} rules"),
            ("RE2 alone", f"all steps, the {every} shipped rules, without Hyperscan"),
        ):
            target = 0.35 if kind == "real-looking" and name != "RE2 alone" else None
            claims.append(
                Claim(
                    "4", f"pipeline, {kind} log: {what}", "split, decode, pack", "×",
                    ratios(cpu["bare"], cpu[name]), at_least=target,
                )
            )  # fmt: skip
        log = make(size)
        figures = speed(runs, len(log) / 1e6, "MB")
        for name, taken in runs.items():
            figures[name]["lines/s"] = [line_count(log) / run.seconds for run in taken]
        title = f"A {kind} log ({len(log) / 1e6:.0f} MB, {line_count(log):,} lines)"
        works += [Work(title, figures), Work(f"Its steps alone, {kind}", steps(log, every))]
    print_result(Result(claims, works), options.json)


if __name__ == "__main__":
    main()
