"""The addresses to try next. Pure but for the look at where the command was found."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple

ZEROMQ: Final = "tcp://127.0.0.1:5556"
HTTP: Final = "http://127.0.0.1:8270"
DASHBOARD: Final = "http://127.0.0.1:8271"
ALERTS: Final = "http://127.0.0.1:8272"

_SNIPPET: Final = """\
{python} -c '
import msgpack, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.connect("{zeromq}")
socket.subscribe(b"default/")
while True:
    print(msgpack.unpackb(socket.recv_multipart()[1]))
'"""


class Addresses(NamedTuple):
    """Where everything answers."""

    ray: str
    zeromq: str
    http: str
    redis: str
    log: Path
    dashboard: str
    alerts: str


def hints(at: Addresses, jobs: list[str], *, own_head: bool) -> str:
    """Commands to paste into another terminal; flags only where they are needed."""
    raytap, python = ours("raytap"), ours(Path(sys.executable).name)
    broker = "" if at.http == HTTP else f" --broker {at.http}"
    alerts = "" if at.alerts == ALERTS else f" --url {at.alerts}"
    zeromq = "" if at.zeromq == ZEROMQ else f" --zeromq {at.zeromq}"
    rows = [
        ("one job from its first line", f"{raytap} tail{broker}{zeromq} {jobs[0]}"),
        ("the same over Redis", f"{raytap} tail{broker} --redis {at.redis} {jobs[0]}"),
        ("what is followed", f"{raytap} jobs{broker}"),
        ("its first 5 lines again", f"curl '{at.http}/v1/jobs/default/{jobs[0]}/log?limit=5'"),
        ("what fires", f"{raytap} alerts status{alerts}"),
        ("metrics", f"curl {at.http}/metrics"),
        ("Ray's own dashboard", at.ray),
        ("raytap's own log", f"tail -f {at.log}"),
    ]
    if own_head:
        submit = f"ray job submit --address {at.ray} -- {python} YOUR.py"
        rows.insert(3, ("a job of your own", f"{ours('ray').removesuffix('ray')}{submit}"))
    lines = [f"  {what + ':':<28} {command}" for what, command in rows]
    snippet = _SNIPPET.format(python=python, zeromq=at.zeromq)
    page = f"The page: {at.dashboard}/"
    return "\n".join(
        [page, "", "In another terminal:", *lines, "  a subscriber of your own:", snippet]
    )


def ours(program: str) -> str:
    """What to type for a program that was installed beside our Python."""
    path = Path(sys.executable).with_name(program)
    found = shutil.which(program)
    if found is not None and Path(found) == path:
        return program
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)
