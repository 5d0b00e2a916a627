"""The faults of a stress run, each a small step that can be undone: chosen by one seeded RNG."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.support.fault_proxy import FaultProxy
from tests.support.killable_daemon import KillableDaemon
from tests.support.numbered import Printer
from tests.support.ray_standin import RayStandIn
from tests.support.redis_process import RedisProcess
from tests.support.witness_process import WitnessProcess

_ANSWER: Final = 200_000  # bytes within which a connection is cut
_PATHS: Final = ("/api/jobs/", "/api/version", "/logs/", "/api/v0/")
_STATUSES: Final[tuple[tuple[int, dict[str, str]], ...]] = (
    (500, {}),
    (503, {}),
    (429, {"Retry-After": "1"}),
)


@dataclass
class Faults:
    """What can break and be mended. `strike` breaks or mends one thing, `mend` all."""

    rng: random.Random
    doomed: KillableDaemon  # the daemon that is killed and restarted
    standins: list[RayStandIn]
    proxies: list[FaultProxy]
    redis: RedisProcess
    slow: list[WitnessProcess]  # subscribers that stop reading for a while
    printer: Printer
    jobs: dict[str, RayStandIn]  # where each job runs
    truncatable: list[str]
    made: Counter[str] = field(default_factory=Counter)
    _undo: dict[str, Callable[[], None]] = field(default_factory=dict)
    _printing: set[str] = field(default_factory=set)

    def begin(self) -> None:
        """Every job starts to print."""
        for job in self.jobs:
            self._submit(job)

    def strike(self) -> None:
        """One more fault, or the end of one that lasts."""
        steps: list[Callable[[], None]] = [
            *(self._kill, self._restart),
            *(self._cut, self._cut, self._cut_soon, self._refuse, self._freeze, self._throttle),
            self._fail,
            *(self._kill_redis, self._pause_redis, self._pause_subscriber),
            *(self._finish, self._finish, self._begin_again, self._begin_again),
        ]
        step = self.rng.choice(steps)
        name = step.__name__.strip("_")
        if name in self._undo:
            self._undo.pop(name)()
        else:
            self.made[name] += 1
            step()

    def mend(self) -> dict[str, tuple[int, int, int]]:
        """Undo all, end every job: its lines, its file's generation, its run."""
        for undo in self._undo.values():
            undo()
        self._undo.clear()
        for proxy in self.proxies:
            proxy.cut_after = ()
        for job in set(self.jobs) - self._printing:
            self._submit(job)
        found = {}
        for job, standin in self.jobs.items():
            lines = self.printer.finish(job)
            standin.finish(job)
            record = standin.cluster.job(job)
            assert record is not None
            found[job] = lines, self.printer.generation(job), int(record["start_time"])
        return found

    # The daemon ---------------------------------------------------------------------------------

    def _kill(self) -> None:
        self.doomed.kill()
        self._undo["kill"] = self.doomed.spawn
        if self.rng.random() < 0.5:
            self._undo.pop("kill")()

    def _restart(self) -> None:
        if "kill" in self._undo:  # it is down
            return
        status = self.doomed.stop()
        assert status in (0, -15), f"SIGTERM ended the daemon with {status}"  # -15: not yet up
        self.doomed.spawn()

    # The way from Ray ---------------------------------------------------------------------------

    def _cut(self) -> None:
        proxy = self.rng.choice(self.proxies)
        proxy.reset = self.rng.random() < 0.5
        proxy.cut_all()

    def _cut_soon(self) -> None:
        proxy = self.rng.choice(self.proxies)
        proxy.cut_after = [self.rng.randint(1, _ANSWER) for _ in range(self.rng.randint(1, 5))]
        proxy.cut_all()

    def _refuse(self) -> None:
        proxy = self.rng.choice(self.proxies)
        proxy.refuse()
        proxy.cut_all()
        self._undo["refuse"] = proxy.start

    def _freeze(self) -> None:
        proxy = self.rng.choice(self.proxies)
        proxy.freeze()
        self._undo["freeze"] = proxy.thaw

    def _throttle(self) -> None:
        proxy = self.rng.choice(self.proxies)
        proxy.rate = self.rng.choice((20_000.0, 200_000.0))

        def undo() -> None:
            proxy.rate = None

        self._undo["throttle"] = undo

    def _fail(self) -> None:
        status, headers = self.rng.choice(_STATUSES)
        path = self.rng.choice(_PATHS)
        self.rng.choice(self.standins).fail_next(path, status, self.rng.randint(1, 5), headers)

    # The transports -----------------------------------------------------------------------------

    def _kill_redis(self) -> None:
        if "pause_redis" in self._undo:
            self._undo.pop("pause_redis")()
        self.redis.kill()
        self._undo["kill_redis"] = self.redis.start

    def _pause_redis(self) -> None:
        if "kill_redis" not in self._undo:
            self.redis.pause()
            self._undo["pause_redis"] = self.redis.resume

    def _pause_subscriber(self) -> None:
        subscriber = self.rng.choice(self.slow)
        subscriber.pause()
        self._undo["pause_subscriber"] = subscriber.resume

    # The jobs -----------------------------------------------------------------------------------

    def _submit(self, job: str) -> None:
        self.jobs[job].add_job(job)
        self.printer.add(job)
        self._printing.add(job)

    def _finish(self) -> None:
        """A job ends, at times in the middle of a line; or one that ended is submitted again."""
        job = self.rng.choice(list(self.jobs))
        if job not in self._printing:
            self._submit(job)
            return
        self.printer.finish(job, whole=self.rng.random() < 0.7)
        self.jobs[job].finish(job, self.rng.choice(("SUCCEEDED", "FAILED", "STOPPED")))
        self._printing.discard(job)

    def _begin_again(self) -> None:
        """A log is truncated, or replaced by another file."""
        job = self.rng.choice(self.truncatable)
        standin = self.jobs[job]
        if job in self._printing and self.printer.lines(job):
            if self.rng.random() < 0.5:
                self.printer.begin_again(job, lambda: standin.truncate(job))
            else:
                self.printer.begin_again(job, lambda: standin.replace(job, b""))
