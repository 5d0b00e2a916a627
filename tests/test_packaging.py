"""What is built and installed: the wheel, the sdist, the Dockerfile's steps, `make` and `.ci/run`.

The image itself is not built here: its pip steps run in a bare virtual environment.
"""

from __future__ import annotations

import ensurepip
import functools
import hashlib
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.missing import missing

ROOT = Path(__file__).parents[1]
PACKAGES = ("broker", "publishers", "subscribers")
OFFLINE = re.compile(r"(?i)no matching distribution|connection|resolution|timed out|proxy")

pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run to the end, in an environment without settings of ours."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAY", "PYTHON", "VIRTUAL_ENV"))
    }
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=kept | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def install(*command: str | Path, cwd: Path, **environ: str) -> None:
    """Run a command that needs a package index, which a laptop may be far from."""
    done = run(*command, cwd=cwd, **environ)
    if done.returncode and OFFLINE.search(done.stderr):
        missing("the package index is out of reach")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the wheel and the sdist."""
    place = tmp_path_factory.mktemp("build")
    python = bare_venv(place / "venv")
    install(python, "-m", "pip", "install", "--quiet", "hatchling>=1.27", cwd=place)
    done = run(python, "-m", "hatchling", "build", "-d", place / "dist", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return place / "dist"


def bare_venv(directory: Path) -> Path:
    """A virtual environment with nothing but pip; its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
    return directory / "bin" / "python"


def wheel_files(dist: Path) -> set[str]:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def sdist_files(dist: Path) -> set[str]:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def sources() -> set[str]:
    """Every file of the packages."""
    return {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_three_packages_whole_and_nothing_else(dist: Path) -> None:
    files = wheel_files(dist)
    (metadata,) = {name.partition("/")[0] for name in files} - set(PACKAGES)
    assert re.fullmatch(r"raytap-[0-9.]+\.dist-info", metadata)
    assert {name for name in files if not name.startswith(metadata)} == sources()
    assert {f"{package}/py.typed" for package in PACKAGES} <= files
    assert f"{metadata}/licenses/LICENSE" in files


def test_the_sdist_holds_what_is_needed_to_build_it_and_to_test_it(dist: Path) -> None:
    files = sdist_files(dist)
    assert sources() <= files
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= files
    assert {"raytap.example.toml", "docs/protocol.md", "tests/conftest.py"} <= files
    assert not [name for name in files if "__pycache__" in name or name.endswith(".db")]


class Dockerfile:
    """The instructions, each with its text on one line."""

    def __init__(self) -> None:
        text = (ROOT / "Dockerfile").read_text()
        lines = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ").splitlines()
        self.steps = [tuple(line.split(None, 1)) for line in lines if line.strip()]

    def all(self, instruction: str) -> list[str]:
        return [step[1] for step in self.steps if step[0] == instruction]

    def copied(self) -> list[tuple[str, str]]:
        """(source, destination) of each COPY."""
        pairs = []
        for text in self.all("COPY"):
            *names, destination = shlex.split(text)
            pairs += [(name, destination) for name in names]
        return pairs


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a bare virtual environment in which the Dockerfile's pip steps were run, on
    nothing but the files that it copies."""
    place = tmp_path_factory.mktemp("image")
    home = place / "src"
    home.mkdir()
    for name, destination in Dockerfile().copied():
        target = home / (Path(destination) if (ROOT / name).is_dir() else Path(name))
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    binaries = bare_venv(place / "venv").parent
    steps = [text for text in Dockerfile().all("RUN") if text.startswith("pip ")]
    assert steps
    for step in steps:
        cached = step.replace("--no-cache-dir", "")  # a second run takes seconds then
        install("sh", "-c", cached, cwd=home, PATH=f"{binaries}:{os.environ['PATH']}")
    return binaries


def test_the_dockerfiles_steps_install_a_raytap_that_works(installed: Path, tmp_path: Path) -> None:
    version = run(installed / "raytap", "--version", cwd=tmp_path)
    assert re.fullmatch(r"raytap \d+\.\d+\.\d+\n", version.stdout), version.stderr
    shown = run(installed / "raytap", "--help", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "serve" in shown.stdout
    code = "import broker.daemon, publishers.zeromq; from subscribers import Subscription"
    loaded = run(installed / "python", "-c", code, cwd=tmp_path)
    assert (loaded.returncode, loaded.stderr) == (0, "")


def test_every_command_can_be_asked_for_help_where_only_the_wheel_is_installed(
    installed: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\nfrom broker.cli import COMMANDS, run\n"
        "sys.exit(any([run([name, '--help']) for name in COMMANDS]))"
    )
    done = run(installed / "python", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_image_starts_serve_as_a_user_of_its_own_and_tells_its_health() -> None:
    docker = Dockerfile()
    assert json.loads(docker.all("ENTRYPOINT")[-1]) == ["raytap"]
    assert json.loads(docker.all("CMD")[-1]) == ["serve"]
    assert docker.all("USER")[-1] not in ("root", "0")
    assert docker.all("EXPOSE") == ["5556 8270"]
    (base,) = docker.all("FROM")
    found = re.fullmatch(r"python:3\.(\d+)-slim-\w+", base)
    assert found
    assert int(found[1]) >= 11
    (health,) = docker.all("HEALTHCHECK")
    binary, flag, code = json.loads(health.partition("CMD ")[2])
    assert (binary, flag) == ("python", "-c")
    compile(code, "healthcheck", "exec")


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignored, *wanted = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert ignored == "*"
    names = [name for name, _ in Dockerfile().copied()]
    assert all((ROOT / name).exists() for name in names)
    assert {f"!{name}" for name in names} == {line for line in wanted if line.startswith("!")}


def test_make_alone_shows_every_target() -> None:
    shown = run("make", "--no-print-directory", cwd=ROOT)
    assert shown.returncode == 0, shown.stderr
    for target in ("demo", "check", "test", "stress", "bench", "format", "clean"):
        assert re.search(rf"(?m)^make {target} +\S", shown.stdout)


def test_make_says_so_where_python_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = run("make", f"PYTHON={old}", f"VENV={tmp_path}/venv", "install", cwd=ROOT)
    assert done.returncode == 2
    assert "raytap needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_the_ci_script_is_valid_and_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert run("bash", "-n", script, cwd=ROOT).stderr == ""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index that has one wheel: the pip that comes with Python."""
    places = [Path(ensurepip.__file__).parent / "_bundled"]
    places += map(Path, filter(None, [sysconfig.get_config_var("WHEEL_PKG_DIR")]))  # as Debian's
    wheel = next(wheel for place in places for wheel in place.glob("pip-*.whl"))
    page = tmp_path / "index" / "pip"
    page.mkdir(parents=True)
    shutil.copy(wheel, page)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (page / "index.html").write_text(f'<a href="../pip/{wheel.name}#sha256={digest}">pip</a>')

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(page.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def without_ensurepip(place: Path, index: str) -> subprocess.CompletedProcess[str]:
    """`make_venv.py` on a Python like Debian's own."""
    code = (
        "import runpy, sys, importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'ensurepip' else find(name)\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    script = ROOT / ".ci" / "make_venv.py"
    command = (sys.executable, "-c", code, script, place / "venv")
    return run(*command, cwd=place, PIP_INDEX_URL=index)


def test_a_virtual_environment_has_pip_also_where_ensurepip_is_missing(
    tmp_path: Path, index: str
) -> None:
    done = without_ensurepip(tmp_path, index)
    assert done.returncode == 0, done.stderr
    pip = run(tmp_path / "venv" / "bin" / "pip", "--version", cwd=tmp_path)
    assert pip.stdout.startswith("pip ")


def test_a_wheel_of_pip_that_is_not_what_the_index_says_is_refused(
    tmp_path: Path, index: str
) -> None:
    (wheel,) = tmp_path.glob("index/pip/*.whl")
    with wheel.open("ab") as file:
        file.write(b"x")
    done = without_ensurepip(tmp_path, index)
    assert done.returncode == 1
    assert "is not what" in done.stderr
    assert "apt install python3-venv" in done.stderr
