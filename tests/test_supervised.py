"""The programs beside the daemon, as the processes that they are."""

from __future__ import annotations

import signal
import subprocess
import sys

from broker.commands.supervised import programs
from broker.config.config import Config, DashboardConfig, UpstreamConfig
from tests.support.ports import free_port


def test_a_signal_that_only_the_alerts_understand_does_not_end_the_dashboard() -> None:
    port = free_port()
    nowhere = UpstreamConfig(
        zeromq=[f"tcp://127.0.0.1:{free_port()}"], brokers=[f"http://127.0.0.1:{free_port()}"]
    )
    dashboard = DashboardConfig(enabled=True, bind=f"127.0.0.1:{port}", upstream=nowhere)
    (program,) = programs(Config(dashboard=dashboard))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", program.module, *program.arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        process.stdin.write(program.given + b"\n")
        process.stdin.flush()  # it stays open, and is read from until the end
        for line in process.stderr:
            if b"dashboard_started" in line:
                break
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert b"Fatal" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        process.stdin.close()
