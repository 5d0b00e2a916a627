"""What the daemon's memory does with a line that has no end."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Serve
from tests.support.plain_subscribers import ZeromqSubscriber
from tests.support.ray_standin import RayStandIn

MIB = 1 << 20
LINE = 100 * MIB
BOUND = 40 * MIB


@pytest.mark.parametrize("source", ["agent", "state-file"])
def test_a_line_of_100_mb_without_an_end_takes_bounded_memory_and_the_stream_goes_on(
    serve: Serve, standin: RayStandIn, source: str
) -> None:
    standin.add_job("job-1")
    if source == "state-file":
        standin.agent_down()
    daemon = serve({"cluster.default.protocol": "http"})
    with ZeromqSubscriber(daemon.zeromq) as subscriber:
        standin.append("job-1", b"before\n")
        subscriber.until_line("job-1", 1)
        idle = daemon.memory("VmRSS")
        daemon.forget_peak()
        standin.append("job-1", b"x" * LINE)
        standin.append("job-1", b"\nafter\n")
        subscriber.until_line("job-1", 3, timeout=60)
        grown = daemon.memory("VmHWM") - idle
        assert grown < BOUND, f"{grown / MIB:.1f} MiB more than the {idle / MIB:.1f} MiB idle"
        before, line, after = subscriber.lines("job-1")
        assert daemon.jobs()["job-1"]["source"] == source
        assert (before, after) == ("before", "after")
        assert line == "x" * 10_240 + f" …[truncated {LINE - 10_240} bytes]"
