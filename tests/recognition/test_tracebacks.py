from __future__ import annotations

import logging
import random
import subprocess
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.recognition.tracebacks import MAX_WORKERS, PATIENCE, Tracebacks

BEFORE = ["2026-11-21 09:14:03,118 INFO train.py:212 -- epoch 3", "loss=0.1"]
AFTER = ["epoch 4", "    indented text of the program", "loss=0.2", ""]


def roles(lines: Sequence[str]) -> str:
    return Tracebacks().feed(lines)


def assert_one_block(block: Sequence[str]) -> None:
    """Among other lines, the block is one traceback, and nothing else is."""
    found = roles([*BEFORE, *block, *AFTER])
    assert found == ".." + "T" + "t" * (len(block) - 1) + "....", show(block, found[2:-4])


def show(lines: Sequence[str], found: str) -> str:
    return "\n".join(f"{role} {line}" for role, line in zip(found, lines, strict=True))


def stderr_of(script: str, tmp_path: Path) -> list[str]:
    """What Python prints when the script fails."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=False, encoding="utf-8"
    )
    return done.stderr.splitlines()


def formatted(fail: Callable[[], object]) -> list[str]:
    """The traceback of what the call raises."""
    try:
        fail()
    except BaseException:
        return traceback.format_exc().splitlines()
    raise AssertionError("it did not fail")


def chained() -> None:
    try:
        try:
            int("x")
        except ValueError:
            dict[str, int]()["key"]
    except KeyError as error:
        raise RuntimeError("outer") from error


def grouped() -> None:
    try:
        int("x")
    except ValueError as error:
        nested = ExceptionGroup("nested", [OSError(3), ValueError("two\nlines")])
        raise ExceptionGroup("some failed", [error, TypeError("t"), nested]) from None


def recursive() -> None:
    recursive()


def test_an_uncaught_error_is_one_block_from_its_header_to_its_message(tmp_path: Path) -> None:
    script = """
        def add(a, b):
            return a + b + (1 / 0) * 3
        add(1, 2)
    """
    lines = stderr_of(script, tmp_path)
    assert any("~^~" in line for line in lines)
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert_one_block(lines)


def test_a_chain_of_errors_is_one_block() -> None:
    lines = formatted(chained)
    assert sum(line.startswith("Traceback") for line in lines) == 3
    assert_one_block(lines)


def test_an_exception_group_is_one_block() -> None:
    lines = formatted(grouped)
    assert lines[0] == "  + Exception Group Traceback (most recent call last):"
    assert_one_block(lines)


def test_a_group_with_a_cause_is_one_block() -> None:
    def fail() -> None:
        try:
            chained()
        except RuntimeError as error:
            raise ExceptionGroup("g", [error]) from error

    assert_one_block(formatted(fail))


def test_repeated_frames_belong_to_the_block() -> None:
    lines = formatted(recursive)
    assert any("Previous line repeated" in line for line in lines)
    assert_one_block(lines)


def test_a_syntax_error_met_on_import_is_one_block_with_its_caret(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("x = = 1\n")
    lines = stderr_of("import bad", tmp_path)
    assert lines[-1].startswith("SyntaxError")
    assert lines[-2].strip() == "^"
    assert_one_block(lines)


def test_a_syntax_error_of_the_script_itself_has_no_header_but_is_seen(tmp_path: Path) -> None:
    lines = stderr_of("x = = 1", tmp_path)
    assert roles([*BEFORE, *lines, *AFTER]) == ".." + "t" * len(lines) + "...."


def test_errors_without_a_message_and_of_local_classes_end_a_block() -> None:
    class Local(Exception):
        pass

    def fail(error: BaseException) -> Callable[[], None]:
        def call() -> None:
            raise error

        return call

    for error in (Local("x"), Local(), KeyboardInterrupt(), SystemExit(3), AssertionError()):
        assert_one_block(formatted(fail(error)))


def test_an_indented_message_of_many_lines_belongs_to_the_block() -> None:
    def fail() -> None:
        raise RuntimeError("Error(s) in loading state_dict for Net:\n\tMissing key(s): fc.weight")

    assert_one_block(formatted(fail))


def test_a_logged_exception_begins_below_its_log_line() -> None:
    record: list[str] = []

    class Keep(logging.Handler):
        def emit(self, entry: logging.LogRecord) -> None:
            record.extend(self.format(entry).splitlines())

    handler = Keep()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    try:
        chained()
    except RuntimeError as error:
        entry = logging.LogRecord(
            "x", logging.ERROR, "x", 1, "failed", None, (type(error), error, error.__traceback__)
        )
    handler.handle(entry)
    assert roles(record) == ".T" + "t" * (len(record) - 2)


def test_a_logged_stack_ends_with_its_last_frame() -> None:
    stack = ["Stack (most recent call last):", *"".join(traceback.format_stack()).splitlines()]
    assert_one_block(stack)


def test_a_traceback_out_of_a_process_pool_is_seen_to_its_end() -> None:
    with ProcessPoolExecutor(1) as pool:
        lines = formatted(pool.submit(int, "x").result)
    assert lines[:2] == ["concurrent.futures.process._RemoteTraceback: ", '"""']
    found = roles([*lines, *AFTER])
    assert found == "..T" + "t" * (len(lines) - 3) + "....", show(lines, found[:-4])


def test_a_header_at_the_end_of_a_log_line_begins_a_block() -> None:
    lines = formatted(chained)
    lines[0] = "2026-11-21 09:14:03,118 ERROR train.py:3 -- " + lines[0]
    assert_one_block(lines)


def test_what_ray_raises_for_a_remote_task_is_one_block() -> None:
    assert_one_block(
        """\
Traceback (most recent call last):
  File "/app/main.py", line 10, in <module>
    ray.get(f.remote())
  File "/opt/ray/_private/auto_init_hook.py", line 22, in auto_init_wrapper
    return fn(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^
ray.exceptions.RayTaskError(ValueError): ray::f() (pid=1234, ip=10.0.0.1)
  File "/app/main.py", line 6, in f
    raise ValueError("boom")
ValueError: boom

During handling of the above exception, another exception occurred:

ray::Trainer.fit() (pid=99, ip=10.0.0.1, actor_id=3f, repr=<main.Trainer object at 0x7f>)
  File "/app/main.py", line 7, in g
    ray.get(f.remote())
           ^^^^^^^^^^^^
RuntimeError: outer""".splitlines()
    )


def test_a_remote_traceback_on_its_own_is_one_block() -> None:
    assert_one_block(
        [
            "ray::f() (pid=1234, ip=10.0.0.1)",
            '  File "/app/main.py", line 6, in f',
            "ValueError: boom",
        ]
    )


def test_a_dead_actor_s_message_belongs_to_the_block() -> None:
    assert_one_block(
        [
            "Traceback (most recent call last):",
            '  File "/app/main.py", line 6, in f',
            "ray.exceptions.RayActorError: The actor died unexpectedly before finishing this task.",
            "\tclass_name: Trainer",
            "\tpid: 123",
            "The actor is dead because its worker process has died.",
        ]
    )


def test_a_cuda_error_s_advice_belongs_to_the_block() -> None:
    assert_one_block(
        [
            "Traceback (most recent call last):",
            '  File "/app/main.py", line 6, in f',
            "RuntimeError: CUDA error: device-side assert triggered",
            "CUDA kernel errors might be asynchronously reported at some other API call.",
            "For debugging consider passing CUDA_LAUNCH_BLOCKING=1",
            "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.",
            "",
        ]
    )


def test_a_traceback_in_a_box_is_one_block() -> None:
    from rich.console import Console
    from rich.traceback import Traceback

    console = Console(width=80, file=open("/dev/null", "w"), record=True)  # noqa: SIM115
    with console.file:
        try:
            int("x")
        except ValueError as error:
            console.print(Traceback.from_exception(type(error), error, error.__traceback__))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert "Traceback (most recent call last)" in lines[0]
    assert_one_block(lines)


PREFIXES = ["", "(f pid=1) ", "(f pid=2, ip=10.0.0.1) ", "(T pid=3) [rank0]: ", "[rank1]: "]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("fail", [chained, grouped])
def test_prefixes_in_front_of_every_line_change_nothing(
    fail: Callable[[], object], prefix: str
) -> None:
    block = formatted(fail)
    found = roles([prefix + line for line in [*BEFORE, *block, *AFTER]])
    assert found == roles([*BEFORE, *block, *AFTER])


def test_a_block_that_ray_says_is_repeated_is_seen() -> None:
    assert_one_block(
        [
            "(f pid=1) Traceback (most recent call last): [repeated 3x across cluster]",
            '(f pid=1)   File "/app/main.py", line 6, in f [repeated 3x across cluster]',
            "(f pid=1) AssertionError [repeated 3x across cluster]",
        ]
    )


@given(st.randoms(use_true_random=False))
def test_interleaved_workers_each_have_their_own(random: random.Random) -> None:
    streams = {
        prefix: [*BEFORE, *block, *AFTER] for prefix, block in zip(PREFIXES, blocks(), strict=False)
    }
    expected = {prefix: iter(roles(lines)) for prefix, lines in streams.items()}
    order = [prefix for prefix, lines in streams.items() for _ in lines]
    random.shuffle(order)
    left = {prefix: iter(lines) for prefix, lines in streams.items()}
    found = roles([prefix + next(left[prefix]) for prefix in order])
    assert found == "".join(next(expected[prefix]) for prefix in order)


@cache
def blocks() -> list[list[str]]:
    return [formatted(fail) for fail in (chained, grouped, recursive)]


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(0, 3))
def test_roles_are_the_same_however_the_lines_are_cut_into_chunks(
    cuts: list[int], worker: int
) -> None:
    lines = [PREFIXES[worker] + line for block in blocks() for line in [*BEFORE, *block, *AFTER]]
    whole, pieces, tracebacks = roles(lines), "", Tracebacks()
    for cut in [*cuts, len(lines)]:
        pieces += tracebacks.feed(lines[len(pieces) : len(pieces) + cut])
    assert pieces == whole


def test_a_traceback_met_in_its_middle_goes_on_to_its_end() -> None:
    lines = formatted(chained)
    at = next(i for i, line in enumerate(lines) if line.startswith('  File "'))
    assert roles([*lines[at:], *AFTER]) == "t" * len(lines[at:]) + "...."


def test_open_says_whether_the_last_line_may_go_on() -> None:
    tracebacks = Tracebacks()
    seen = []
    for line in ["x", "Traceback (most recent call last):", '  File "a", line 1', "E: x", "x"]:
        tracebacks.feed([line])
        seen.append(tracebacks.open)
    assert seen == [False, True, True, True, False]
    tracebacks.feed(["Traceback (most recent call last):"])
    tracebacks.feed([])
    assert tracebacks.open
    tracebacks.reset()
    assert not tracebacks.open
    assert tracebacks.feed(["    indented"]) == "."


def test_a_copy_goes_its_own_way() -> None:
    one = Tracebacks()
    one.feed(["Traceback (most recent call last):"])
    other = one.copy()
    assert one.feed(["plain text"]) == "."
    assert other.feed(["    indented"]) == "t"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "the Traceback (most recent call last): is above",
        'File "x.py", line 3',
        '  File "x.py" was read',
        "ray::f() ran",
        "ValueError: boom",
        "During handling of the above exception, another exception occurred:",
        "  | a table | of | text |",
        "    indented",
    ],
)
def test_a_line_that_only_looks_like_a_part_is_none(line: str) -> None:
    assert roles([*BEFORE, line, *AFTER]) == "......."


def test_a_table_below_an_error_is_no_part_of_it() -> None:
    lines = ["Traceback (most recent call last):", '  File "a", line 1', "E: x", "+---+", "| a |"]
    assert roles(lines) == "Ttt.."


def test_a_worker_that_never_finishes_its_traceback_is_given_up() -> None:
    tracebacks = Tracebacks()
    assert tracebacks.feed(["(f pid=1) Traceback (most recent call last):"]) == "T"
    tracebacks.feed(["other"] * (PATIENCE - 1))
    assert tracebacks.copy().feed(["(f pid=1)     indented"]) == "t"
    tracebacks.feed(["other"])
    assert tracebacks.feed(["(f pid=1)     indented"]) == "."


def test_the_tracebacks_followed_at_once_are_bounded() -> None:
    heads = [f"(f pid={n}) Traceback (most recent call last):" for n in range(MAX_WORKERS + 1)]
    tracebacks = Tracebacks()
    tracebacks.feed(heads)
    assert tracebacks.feed(["(f pid=0)     indented", "(f pid=1)     indented"]) == ".t"


@given(st.lists(st.text()))
def test_there_is_a_role_for_each_line_whatever_it_holds(lines: list[str]) -> None:
    assert len(roles(lines)) == len(lines)


@pytest.mark.parametrize(
    "line",
    [
        "ray::" * 20_000,
        "Traceback " * 10_000,
        '  File "' * 10_000,
        " (most recent call last)" * 999,
    ],
)
def test_no_line_takes_long(line: str) -> None:
    started = time.process_time()
    roles([line] * 20)
    assert time.process_time() - started < 2.0
