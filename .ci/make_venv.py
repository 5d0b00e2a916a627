"""Make a virtual environment with pip: `python3 make_venv.py DIRECTORY`.

Debian's python3 comes without `ensurepip`, which is in python3-venv. Where root may, that is
installed; where `PIP_INDEX_URL` names a package index, pip's own wheel is taken from there instead,
and installs itself.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

WHEEL = re.compile(
    r'href="([^"#]*/(pip-([0-9]+(?:\.[0-9]+)*)-py3-none-any\.whl))#sha256=([0-9a-f]{64})"'
)


def make_venv(directory: Path) -> None:
    """Raises `OSError`, `LookupError` or `subprocess.CalledProcessError`."""
    venv = [sys.executable, "-m", "venv", str(directory)]
    if importlib.util.find_spec("ensurepip") is not None:
        subprocess.run(venv, check=True)
        return
    index = os.environ.get("PIP_INDEX_URL")
    if not index:
        _install_ensurepip()
        subprocess.run(venv, check=True)
        return
    subprocess.run([*venv, "--without-pip"], check=True)
    with tempfile.TemporaryDirectory() as place:
        wheel = _download(index, Path(place))
        pip = [str(directory / "bin" / "python"), f"{wheel}/pip", "install", "--quiet"]
        subprocess.run([*pip, "--no-index", "--no-cache-dir", str(wheel)], check=True)


def _install_ensurepip() -> None:
    """With Debian's tools, as root or by a sudo that asks for no password."""
    apt = ["apt-get", "install", "--quiet", "--yes", "python3-venv"]
    if shutil.which("apt-get") is None:
        raise LookupError("this Python has no ensurepip")
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*as_root, "apt-get", "update", "--quiet"], check=True)
    subprocess.run([*as_root, *apt], check=True)


def _download(index: str, place: Path) -> Path:
    """The newest wheel of pip that the index has, checked against its hash there."""
    page = f"{index.rstrip('/')}/pip/"
    found = WHEEL.findall(_get(page, "text/html").decode())
    if not found:
        raise LookupError(f"{page} lists no wheel of pip")
    link, name, _, digest = max(
        found, key=lambda link: [int(number) for number in link[2].split(".")]
    )
    data = _get(urljoin(page, link), "*/*")
    if hashlib.sha256(data).hexdigest() != digest:
        raise LookupError(f"{name} is not what {page} says")
    wheel = Path(place, name)
    wheel.write_bytes(data)
    return wheel


def _get(url: str, accept: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=60) as response:
        return bytes(response.read())


if __name__ == "__main__":
    try:
        make_venv(Path(sys.argv[1]))
    except (OSError, LookupError, subprocess.CalledProcessError) as error:
        sys.exit(
            f"cannot make a virtual environment with pip: {error}\n"
            "on Debian, `apt install python3-venv` brings what is missing"
        )
