"""A sample job for `raytap demo`: two Ray workers "train" something, and print as training does.

It runs on the cluster by itself and needs Ray alone. Every secret in it is a well-known fake.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import ray

EPOCHS = 3 * int(sys.argv[1] if len(sys.argv) > 1 else 1)
STEPS = 60
REFRESH = 6  # steps between two refreshes of the bar

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class Worker:
    """One of two ranks; Ray forwards what it prints to the job's log, with a coloured prefix."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        print(f"rank {rank} ready on cuda:{rank} (simulated) 🚀")

    def epoch(self, epoch: int) -> float:
        loss = 2.31 / (epoch + 1) + 0.01 * self.rank
        print(f"\033[32mrank {self.rank}\033[0m epoch {epoch}: shard of 30,000 images, {loss=:.4f}")
        if epoch == 1 and self.rank == 1:
            print("gradient norm 14.2 clipped to 1.0", file=sys.stderr)
        return loss


def main() -> None:
    logging.basicConfig(level=logging.INFO, format=FORMAT, stream=sys.stdout, datefmt="%H:%M:%S")
    log = logging.getLogger("train")
    ray.init(logging_level=logging.WARNING)
    log.info("数据集 CIFAR-10: 60 000 枚の画像を読み込みました ✅ (café, cafe\u0301, 👩🏽‍🔬)")
    log.info("config: model=resnet18 batch_size=256 lr=1e-3 optimizer=adamw")
    # What should never be in a log, and always is.
    log.warning("checkpoint store: s3://models user=trainer password=correct-horse-battery-staple")
    print("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", flush=True)

    remote: Any = ray.remote(num_cpus=0)(Worker)
    workers = [remote.remote(rank) for rank in range(2)]
    for epoch in range(EPOCHS):
        results = [worker.epoch.remote(epoch) for worker in workers]
        run_epoch(epoch)
        losses = ray.get(results)
        log.info("epoch %d done: loss=%.4f", epoch, sum(losses) / len(losses))
        save_checkpoint(log, epoch)
    print()
    print("\033[1m┌──────────┬──────────┐\n│ accuracy │  0.9312  │\n└──────────┴──────────┘\033[0m")
    log.info("training finished 🎉")


def run_epoch(epoch: int) -> None:
    """A progress bar, refreshed in place by a carriage return."""
    for step in range(0, STEPS + 1, REFRESH):
        done = step / STEPS
        bar = ("█" * round(done * 20)).ljust(20)
        loss = 2.3 / (epoch + 1) * (1.2 - 0.2 * done)
        status = f"{done:4.0%}|{bar}| {step}/{STEPS} [00:0{step // 24}, 24.1it/s, loss={loss:.3f}]"
        sys.stderr.write(f"\rEpoch {epoch + 1}/{EPOCHS}: {status}")
        sys.stderr.flush()
        time.sleep(0.25)
    sys.stderr.write("\n")


def save_checkpoint(log: logging.Logger, epoch: int) -> None:
    """The second of ten fails once, and says so with a traceback."""
    path = f"/checkpoints/epoch-{epoch}.pt"
    try:
        upload(path, fails=epoch % 10 == 1)
    except ConnectionResetError:
        log.exception("could not save %s; trying again", path)
        upload(path, fails=False)
    log.info("saved %s", path)


def upload(path: str, *, fails: bool) -> None:
    target: dict[str, Any] = {"path": path, "bytes": 44_663_120}
    if fails:
        raise ConnectionResetError(104, f"Connection reset by peer while uploading {target}")


if __name__ == "__main__":
    main()
