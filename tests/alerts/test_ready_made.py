"""The ready-made rules on what Ray, PyTorch and NCCL really print, and on what only looks so."""

from __future__ import annotations

import pytest

from subscribers.alerts.rules.ready_made import NAMES, ready_made
from subscribers.alerts.rules.rule_checks import notes_of, problems_of
from tests.support.alert_world import World

RAYLET = "(raylet, ip=172.17.0.2) [2026-01-05 13:00:31,947 E 952 952] (raylet)"
FIRES = {
    "cuda-oom": [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a "
        "total capacity of 39.39 GiB of which 6.12 MiB is free.",
        "(RayTrainWorker pid=2317, ip=10.0.3.1) RuntimeError: CUDA out of memory. Tried",
        "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2.00 GiB.",
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to "
        "allocate 8589934592 bytes.",
    ],
    "host-oom": [
        f"{RAYLET} node_manager.cc:3077: 6 Workers (tasks / actors) killed due to memory pressure "
        "(OOM), 0 Workers crashed due to other reasons at node (ID: 28b6, IP: 172.17.0.2) over the "
        "last time period.",
        f"{RAYLET} 2 worker(s) were killed due to the node running low on memory. See more",
        "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
        "Memory on the node (IP: 10.0.0.1, ID: a6a1) where the task was running was 21.81GB / "
        "33.28GB (0.65), which exceeds the memory usage threshold of 0.65. Ray killed this worker",
        "[12.3] Out of memory: Killed process 4242 (python) total-vm:90210kB",
    ],
    "nccl-timeout": [
        "[rank0]:[E321 02:07:08.408271257 ProcessGroupNCCL.cpp:607] [Rank 0] Watchdog caught "
        "collective operation timeout: WorkNCCL(SeqNum=1580, OpType=ALLREDUCE, NumelIn=1, "
        "NumelOut=1, Timeout(ms)=600000) ran for 600060 milliseconds before timing out.",
        "[E ProcessGroupNCCL.cpp:475] Some NCCL operations have failed or timed out. Due to the "
        "asynchronous nature of CUDA kernels, subsequent GPU operations might run on corrupted",
        "RuntimeError: NCCL communicator was aborted on rank 1.",
    ],
    "nan-loss": [
        "step=12 loss=nan lr=0.0003",
        "{'loss': nan, 'learning_rate': 1e-05, 'epoch': 0.12}",
        '{"train_loss": NaN, "step": 4}',
        "(w pid=1) Loss is nan, stopping training",
        "RuntimeError: Loss was NaN for 1 times in a row. Stopped training.",
        "epoch 3 val_loss: tensor(nan, device='cuda:0')",
        "Epoch 0:  6%| 32/500 [06:28<94:39, 1.37it/s, loss=nan, v_num=95]",
        "IOU loss = -nan(ind), avg",
    ],
    "object-store-spilling": [
        "(raylet) Spilled 2278 MiB, 23 objects, write throughput 1027 MiB/s. Set "
        "RAY_verbose_spill_logs=0 to disable this message.",
        "ray.exceptions.ObjectStoreFullError: Failed to put object ffff in object store",
    ],
    "actor-died": [
        "ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.",
        "ray.exceptions.RayActorError: The actor died because of an error raised in its creation "
        "task, ray::Runner.__init__() (pid=3, ip=10.0.0.1)",
        "The actor is dead because its owner has died. Owner Id: 01000000ffff",
        "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR",
    ],
    "disk-full": [
        "OSError: [Errno 28] No space left on device: '/tmp/ckpt-12'",
        "OSError: [Errno 122] Disk quota exceeded",
        f"{RAYLET} file_system_monitor.cc:116: /tmp/ray/session_2025-03-25 is over 95% full, "
        "available space: 42.6695 GB; capacity: 876.137 GB. Object creation will fail if spilling",
    ],
}
SILENT = {
    "cuda-oom": [
        "if it runs out of CUDA memory, lower the batch size",
        "CUDA memory: 12 of 40 GiB, none out of reach",
        "# catches OutOfMemoryError",
    ],
    "host-oom": [
        "Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of "
        "file. There are some potential root causes. (1) The process is killed by SIGKILL by OOM "
        "killer due to high memory usage. (2) ray stop --force is called.",
        "To disable worker killing, set the environment variable `RAY_memory_monitor_refresh_ms`",
        "memory pressure is low",
        "torch.OutOfMemoryError: CUDA out of memory.",
    ],
    "nccl-timeout": [
        "NCCL INFO comm 0x7f rank 0 timeout 600",
        "init_process_group(backend='nccl', timeout=timedelta(minutes=10))",
        "setting TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC=600",
        "frame #1: c10d::ProcessGroupNCCL::WorkNCCL::checkTimeout(std::optional<long>)",
        "requests.exceptions.ReadTimeout: timed out",
    ],
    "nan-loss": [
        "loss=0.123 nan_grads=0",
        "using nan_to_num before the loss",
        "losses of the finance team: nanny",
        "loss: 0.12 nan: 0",
        "loss=nano",
        "lossless=nan",
        "no nan in loss",
    ],
    "object-store-spilling": [
        "object_spilling_config is set",
        "Spilled the beans",
        "(raylet) Restored 10 MiB, 2 objects, read throughput 20 MiB/s",
    ],
    "actor-died": [
        "ray.exceptions.ActorUnavailableError: The actor 98 is unavailable: timeout. The task may "
        "or may not have been executed on the actor.",
        "Actor created",
        "the factor is dead simple",
    ],
    "disk-full": [
        "disk is 94% full",
        "space left on device: 10 GB",
        "No space in the queue",
    ],
}


@pytest.mark.parametrize(
    ("name", "line"), [(n, line) for n, some in FIRES.items() for line in some]
)
def test_it_fires_on_what_is_really_printed(name: str, line: str) -> None:
    world = World('ready_made = "*"')
    assert f"{name} firing" in world.lines("fine", line)
    assert world.last.alert.line == 1


@pytest.mark.parametrize(
    ("name", "line"), [(n, line) for n, some in SILENT.items() for line in some]
)
def test_it_does_not_fire_on_what_only_looks_so(name: str, line: str) -> None:
    assert World(f'ready_made = ["{name}"]').lines("fine", line) == []


def test_a_traceback_of_the_driver_fires_with_its_text_and_one_of_a_worker_does_not() -> None:
    trace = [
        "Traceback (most recent call last):",
        '  File "train.py", line 31, in <module>',
        "    main()",
        "ValueError: no such split",
    ]
    world = World('ready_made = ["driver-traceback"]')
    assert world.lines(*(f"(f pid=1) {line}" for line in trace), "fine") == []
    world.now += 5
    assert world.tick() == []
    assert world.lines(*trace, "fine") == ["driver-traceback firing"]
    assert world.last.alert.annotations == {
        "summary": "a: ValueError: no such split",
        "description": "\n".join(trace),
    }


@pytest.mark.parametrize(
    ("status", "fires"),
    [("FAILED", True), ("LOST", True), ("SUCCEEDED", False), ("STOPPED", False)],
)
def test_a_failed_or_lost_job_fires_and_no_other(status: str, fires: bool) -> None:
    world = World('ready_made = ["job-failed"]')
    world.status("RUNNING")
    assert world.end(status) == ["job-failed firing"] * fires


def test_a_silent_job_fires_after_ten_minutes() -> None:
    world = World('ready_made = ["job-silent"]')
    world.status("RUNNING")
    world.lines("hello")
    assert world.wait(599) == []
    assert world.wait(5) == ["job-silent firing"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_rule_without_a_fault(name: str) -> None:
    rule = ready_made(name)
    given = {key for key in ("match", "status", "absent") if getattr(rule, key)}
    assert list(problems_of(rule, given)) == []
    assert list(notes_of(rule)) == []
    assert rule.annotations["summary"]
