"""Is this machine ready: ports, the state directory, and our packages being ours?"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from broker.addresses import HostPort, host_port, zeromq_bind
from broker.checks import Check
from broker.config.config import HttpConfig, ZeromqConfig
from broker.errors import ConfigError
from broker.processes.state_dir import LOCK_NAME, StateDir, StateDirInUse
from broker.text.plain_text import one_line

PACKAGES: Final = ("broker", "publishers", "subscribers")
HOME: Final = Path(__file__).resolve().parents[2]
TIMEOUT: Final = 2.0  # seconds


def check_ports(http: HttpConfig, zeromq: ZeromqConfig) -> Iterator[Check]:
    """Whether both addresses can be bound, or a raytap has them already."""
    running = False
    if http.enabled:
        address = host_port(http.bind)
        refused = _bind(address)
        running = refused == errno.EADDRINUSE and _is_raytap(address)
        yield _port("http", http.bind, refused, running, "--http 127.0.0.1:OTHER")
    else:
        yield Check("ok", "http", "off: http.enabled is false")
    if not zeromq.enabled:
        yield Check("ok", "zeromq", "off: publish.zeromq.enabled is false")
    elif (bind := zeromq_bind(zeromq.bind)) is None:
        yield _ipc(zeromq.bind)
    else:
        yield _port("zeromq", zeromq.bind, _bind(bind), running, "--zeromq tcp://127.0.0.1:OTHER")


def check_server(name: str, bind: str) -> Check:
    """Whether a server beside the daemon can be bound, or has been already."""
    address = host_port(bind)
    refused = _bind(address)
    running = refused == errno.EADDRINUSE and _is_raytap(address)
    return _port(name, bind, refused, running, f'[{name}] bind = "127.0.0.1:OTHER"')


def check_state_dir(path: str, http: HttpConfig) -> Check:
    """Whether the daemon could use it now, or one that answers at `http` has it already; it is
    not made here."""
    try:
        place = Path(path).expanduser().absolute()
        missing = not place.exists()
    except (OSError, RuntimeError, ValueError) as error:
        return Check("fail", "state_dir", f"{path}: {error}", "give another with --state-dir")
    if missing:
        above = next(parent for parent in place.parents if parent.exists())
        if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
            return Check("ok", "state_dir", f"{place} will be made")
        message = f"{place} cannot be made: {above} is not writable"
        return Check("fail", "state_dir", message, "give another with --state-dir")
    fresh = not (place / LOCK_NAME).exists()
    try:
        with StateDir(place) as state:
            if fresh:
                (state.path / LOCK_NAME).unlink()
    except ConfigError as error:
        message, _, advice = error.message.removeprefix("state_dir: ").partition("; ")
        if not isinstance(error, StateDirInUse):
            return Check("fail", "state_dir", message, advice)
        if http.enabled and _is_raytap(host_port(http.bind)):
            message = message.replace("another raytap", "the raytap that runs")
            return Check("ok", "state_dir", message)
        return Check("warn", "state_dir", message, advice)
    return Check("ok", "state_dir", f"{place} can be used")


def check_packages(home: Path = HOME) -> Check:
    """Our import names are common words: another distribution may have brought one of them."""
    for name in PACKAGES:
        spec = find_spec(name)
        places = (
            [Path(place).resolve() for place in (spec.submodule_search_locations or ())]
            if (spec)
            else []
        )
        if places != [home / name]:
            found = ", ".join(map(str, places)) or (spec and spec.origin) or "nowhere"
            message = f"`import {name}` finds {found}, not {home / name}"
            advice = "install raytap in a virtual environment of its own, without PYTHONPATH"
            return Check("fail", "packages", message, advice)
    return Check("ok", "packages", f"{', '.join(PACKAGES)} are raytap's own")


def _port(name: str, bind: str, refused: int, running: bool, flag: str) -> Check:
    if not refused:
        return Check("ok", name, f"{bind} is free")
    if refused == errno.EADDRINUSE and running:
        return Check("ok", name, f"{bind} is in use: a raytap answers here already")
    if refused == errno.EADDRINUSE:
        message = f"{bind} is in use by another program"
        return Check("fail", name, message, f"stop it, or choose another with {flag}")
    message = f"{bind} cannot be bound: {os.strerror(refused)}"
    return Check("fail", name, message, f"choose another with {flag}")


def _bind(address: HostPort) -> int:
    """0 where it can be bound, else the errno."""
    host = "" if address.host == "*" else address.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, address.port), family=family).close()
    except socket.gaierror:
        return errno.EADDRNOTAVAIL
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0


def _is_raytap(address: HostPort) -> bool:
    import urllib3

    host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    shown = f"[{host}]" if ":" in host else host
    try:
        answer = urllib3.request(
            "GET",
            f"http://{shown}:{address.port}/livez",
            timeout=TIMEOUT,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            return answer.status == 200 and answer.read(16).strip() == b"ok"
        finally:
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError):
        return False


def _ipc(endpoint: str) -> Check:
    path = endpoint.removeprefix("ipc://")
    above = Path(path).absolute().parent
    if path.startswith("@") or os.access(above, os.W_OK | os.X_OK):
        return Check("ok", "zeromq", f"{endpoint} can be bound")
    message = f"{one_line(str(above))} is not a directory that can be written"
    return Check("fail", "zeromq", message, "choose another with --zeromq ipc:///PATH")
