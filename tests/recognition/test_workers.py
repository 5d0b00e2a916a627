from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.recognition.workers import Worker, repeats, workers

PREFIXES = [
    "train pid=12",
    "train pid=12, ip=10.0.0.1",
    "RayTrainWorker pid=23607, ip=fd00::1",
    "ServeReplica:app:Model pid=1",
    "Namespace::Actor.method pid=1",
    "MapBatches(preprocess) pid=7, ip=10.0.0.1",
    "MyActor(index=3, host='a b') pid=9",
    "pid=12",
    "pid=gcs_server",
    "raylet",
    "raylet, ip=10.0.0.1",
    "autoscaler +1m2s",
]


@pytest.mark.parametrize("name", PREFIXES)
def test_a_prefix_of_ray_is_told_with_its_length(name: str) -> None:
    lines = ["plain", f"({name}) hello (pid=3) world", ""]
    (worker,) = workers(lines)
    assert worker == Worker(1, name, len(name) + 3)
    assert lines[1][worker.end :] == "hello (pid=3) world"


@pytest.mark.parametrize("line", ["(train pid=12) ", "(train pid=12)"])
def test_an_empty_line_of_a_worker_is_the_worker_s(line: str) -> None:
    assert workers([line]) == [Worker(0, "train pid=12", len(line))]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "(see above) hello",
        "the worker (train pid=12) died",
        " (train pid=12) hello",
        "(train pid=12)hello",
        "(train pid=) hello",
        "(train pid=12 hello",
        "(railway) hello",
        "(raylets) hello pid=3",
        "(1, 2) pid=3",
    ],
)
def test_what_only_looks_like_a_prefix_is_none(line: str) -> None:
    assert workers([line]) == []


def test_workers_of_many_lines_keep_their_indices() -> None:
    lines = ["(a pid=1) x", "", "(b pid=2) y", "z", "(a pid=1) w"]
    assert [(worker.index, worker.name) for worker in workers(lines)] == [
        (0, "a pid=1"),
        (2, "b pid=2"),
        (4, "a pid=1"),
    ]


def test_repeated_lines_say_how_often() -> None:
    lines = [
        "(f pid=1) hi",
        "(f pid=2) hi [repeated 7x across cluster] (Ray deduplicates logs by default. Set "
        "RAY_DEDUP_LOGS=0 to disable log deduplication.)",
        "",
        "[repeated 2x across cluster] [repeated 3x across cluster]",
        "(f pid=3) bye [repeated 1234x across cluster]",
    ]
    assert repeats(lines) == [(1, 7), (3, 2), (4, 1234)]


@pytest.mark.parametrize("line", ["[repeated x across cluster]", "repeated 7x across cluster", ""])
def test_what_is_no_mark_of_ray_repeats_nothing(line: str) -> None:
    assert repeats([line]) == []


@given(st.lists(st.one_of(st.text(), st.sampled_from(PREFIXES).map(lambda name: f"({name}) x"))))
def test_each_line_is_looked_at_by_itself(lines: list[str]) -> None:
    alone = [worker._replace(index=n) for n, line in enumerate(lines) for worker in workers([line])]
    assert workers(lines) == alone


def test_no_line_takes_long() -> None:
    started = time.process_time()
    workers(["(" + "x " * 50_000 + "pid=", "(" * 100_000, "(" + "pid=1" * 20_000] * 3)
    repeats(["[repeated 1" * 10_000 + "x across cluster]"])
    assert time.process_time() - started < 1.0
