"""The daemon at a Ray stand-in, and a Redis that a test may kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon_process import DaemonProcess
from tests.support.ray_standin import RayStandIn
from tests.support.redis_process import RedisProcess
from tests.support.valkey_process import unlimited_valkey

Serve = Callable[..., DaemonProcess]


@pytest.fixture
def serve(tmp_path: Path, standin: RayStandIn) -> Iterator[Serve]:
    """Makes daemons at the stand-in; `home` is the name of a directory, further arguments are
    `DaemonProcess`'s. They are ready, unless `launch` says only to launch them."""
    with ExitStack() as stack:

        def serve(
            settings: dict[str, object] | None = None,
            home: str = "daemon",
            ray: str = "",
            launch: bool = False,
            **options: Any,
        ) -> DaemonProcess:
            daemon = DaemonProcess(tmp_path / home, ray or standin.url, settings, **options)
            if launch:
                stack.callback(daemon.kill)
                daemon.launch()
                return daemon
            return stack.enter_context(daemon)

        yield serve


@pytest.fixture
def redis_process() -> Iterator[RedisProcess]:
    """A Valkey of the test's own that cuts no subscriber off."""
    with unlimited_valkey() as server:
        yield server
