"""README.md and docs/: what they show works, and what they name is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import click
import msgspec
import pytest

from broker.cli import COMMANDS, group
from broker.config.config import Config
from broker.config.schema import is_table, type_of
from broker.config.settings import resolve
from broker.errors import ConfigError
from broker.exit_status import ExitStatus
from broker.topic import Stream
from subscribers.alerts.rules.rules_file import parse as parse_rules
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import gap_frame, log_frame, point_frame, text
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted(ROOT.glob("docs/*.md")), ROOT / "CONTRIBUTING.md"]
CONFIGURED = [README, ROOT / "docs" / "configuration.md"]
ABOUT_SETTINGS = [*CONFIGURED, ROOT / "docs" / "architecture.md", ROOT / "docs" / "decisions.md"]

ZEROMQ = "tcp://127.0.0.1:5556"
REDIS = "redis://127.0.0.1:6379"
HTTP = "http://127.0.0.1:8270"
RAY = "http://127.0.0.1:8265"
JOB = "my-job"
SECTIONS = "|".join(field.name for field in msgspec.structs.fields(Config))
SETTING = re.compile(rf"`((?:{SECTIONS})(?:\.[A-Za-z_]+)+|state_dir)(?: = [^`]*)?`")
VARIABLE = re.compile(r"\b(RAYTAP_[A-Z0-9_]+)(?:=('[^']*'|[^\s`]+))?")


def blocks(page: Path, language: str) -> list[str]:
    """The page's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page: Path, program: str) -> list[list[str]]:
    """Every command of the program in the page, as words: in blocks and in the text."""
    page_text = page.read_text(encoding="utf-8")
    inline = re.findall(rf"`({program} [^`]+)`", page_text.replace("\n", " "))
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    found = [shlex.split(line, comments=True) for line in [*lines, *inline]]
    without_variables = [[w for w in words if not VARIABLE.match(w)] for words in found]
    return [words[1:] for words in without_variables if words and words[0] == program]


def python_block(module: str) -> str:
    """The README's block that imports the module."""
    (found,) = [
        b for b in blocks(README, "python") if re.search(rf"^(?:import|from) {module}", b, re.M)
    ]
    return found


class Script:
    """A block of the README that runs in a process of its own, at other addresses."""

    def __init__(self, code: str, addresses: dict[str, str]) -> None:
        for shown, real in addresses.items():
            code = code.replace(f'"{shown}"', f'"{real}"')
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in self._process.stdout)

    def ended(self, timeout: float = 30.0) -> list[str]:
        """What it printed until it ended by itself, with status 0."""
        assert self._process.wait(timeout) == 0
        self._reader.join()
        return self.lines

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


class Served(NamedTuple):
    """A `raytap serve` and the addresses that the README gives it."""

    ray: RayStandIn
    addresses: dict[str, str]


@pytest.fixture
def served(valkey: str, tmp_path: Path) -> Iterator[Served]:
    """A daemon that follows a stand-in with the README's job, which goes on printing."""
    zeromq, http = f"tcp://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    config = tmp_path / "raytap.toml"
    config.write_text("[cluster.default]\ndiscovery_interval = 0.1\nsettle = 0.3\n")
    with RayStandIn() as ray:
        ray.add_job(JOB)
        arguments = [f"--ray=default={ray.url}", f"--redis={valkey}", f"--zeromq={zeromq}"]
        arguments += [f"--http={http}", f"--state-dir={tmp_path / 'state'}", f"--config={config}"]
        process = raytap("serve", *arguments)
        try:
            addresses = {ZEROMQ: zeromq, REDIS: valkey, HTTP: f"http://{http}", RAY: ray.url}
            wait_until(lambda: follows(f"http://{http}"), 20.0, "the daemon follows the job")
            yield Served(ray, addresses)
        finally:
            process.terminate()
            process.communicate(timeout=10)


def raytap(*arguments: str) -> subprocess.Popen[str]:
    """The command, as a process without settings of ours."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYTAP_"))}
    code = "import sys; from broker.cli import run; sys.exit(run())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def follows(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/v1/jobs", timeout=2) as answer:
            return any(job["job"] == JOB for job in json.load(answer)["jobs"])
    except OSError:
        return False


# The subscribers ------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["zmq", "redis"])
def test_a_plain_subscriber_prints_the_lines_of_its_job(served: Served, module: str) -> None:
    other = JOB + "2"
    served.ray.add_job(other, log=b"not mine\n")
    numbers = count()

    def print_until_it_came() -> bool:
        number = next(numbers)
        served.ray.append(JOB, f"line {number:08d}\n".encode())
        served.ray.append(other, b"not mine\n")
        return len(script.lines) >= 20

    with Script(python_block(module), served.addresses) as script:
        wait_until(print_until_it_came, 30.0, "twenty lines", interval=0.02)
    first = int(script.lines[0].partition(" ")[0])
    assert script.lines == [f"{n} {text(n)}" for n in range(first, first + len(script.lines))]


@pytest.mark.parametrize("module", ["zmq", "redis"])
def test_a_plain_subscriber_has_ten_lines_at_most(module: str) -> None:
    assert len([line for line in python_block(module).splitlines() if line]) <= 10


def test_the_subscription_prints_the_log_from_its_first_line_to_its_end(served: Served) -> None:
    served.ray.append(JOB, "".join(f"{text(n)}\n" for n in range(1000)).encode())
    with Script(python_block("subscribers"), served.addresses) as script:
        wait_until(lambda: len(script.lines) >= 1000, 20.0, "what was printed before")
        served.ray.append(JOB, "".join(f"{text(n)}\n" for n in range(1000, 1200)).encode())
        served.ray.finish(JOB)
        printed = script.ended()
    assert printed == [*(f"{n} {text(n)}" for n in range(1200)), "SUCCEEDED"]


def test_the_subscription_says_which_lines_cannot_be_had() -> None:
    job = Stream("default", JOB)
    with FakeBroker(tell_http=True) as broker:
        broker.publish(
            log_frame(0, 2, job),
            gap_frame(2, 5, "limit", job),
            log_frame(5, 6, job),
            point_frame("end", 6, job),
            live=False,
        )
        with Script(python_block("subscribers"), {ZEROMQ: broker.endpoint}) as script:
            printed = script.ended()
    assert printed == [
        *(f"{n} {text(n)}" for n in (0, 1)),
        "lines 2 to 4 can't be had: limit",
        f"5 {text(5)}",
        "SUCCEEDED",
    ]


# The commands ---------------------------------------------------------------------------------


def test_the_commands_of_the_first_five_minutes_do_what_is_said(
    served: Served, tmp_path: Path
) -> None:
    served.ray.append(JOB, "".join(f"{text(n)}\n" for n in range(200)).encode())
    served.ray.finish(JOB)
    http, zeromq = served.addresses[HTTP], served.addresses[ZEROMQ]
    log = tmp_path / "my-job.log"
    at = {
        "doctor": [f"--state-dir={tmp_path / 'unused'}"],
        "jobs": ["--broker", http],
        "tail": ["--broker", http, "--zeromq", zeromq],
        "export": ["--broker", http],
    }
    at["doctor"] += [f"--zeromq=tcp://127.0.0.1:{free_port()}", f"--http=127.0.0.1:{free_port()}"]
    out: dict[str, str] = {}
    for name in ("tail", "jobs", "export", "doctor"):
        words = next(words for words in commands(README, "raytap") if words[0] == name)
        words = [{log.name: str(log), **served.addresses}.get(word, word) for word in words]
        process = raytap(*words, *at[name])
        out[name], errors = process.communicate(timeout=60)
        assert process.returncode == ExitStatus.OK, f"{words}: {errors}{out[name]}"
    assert out["tail"].splitlines() == [text(n) for n in range(200)]
    assert [view["job"] for view in json.loads(out["jobs"])["jobs"]] == [JOB]
    assert log.read_text().splitlines() == [text(n) for n in range(200)]
    assert "FAIL" not in out["doctor"]
    (url,) = commands(README, "curl")[0]
    with urllib.request.urlopen(url.replace(HTTP, http), timeout=10) as answer:
        assert answer.read().decode().splitlines() == [text(n) for n in range(100, 110)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_raytap_command_is_one_that_our_command_line_accepts(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    for name, *arguments in commands(page, "raytap"):
        with click.Context(group, info_name="raytap") as parent:
            command = group.get_command(parent, name)
            assert command is not None, f"raytap {name}"
            if arguments:
                command.make_context(name, arguments, parent=parent)


def test_the_readme_shows_every_command() -> None:
    shown = {words[0] for program in ("raytap", "make") for words in commands(README, program)}
    assert set(COMMANDS) <= shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_is_there(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {words[0] for words in commands(page, "make") if words}
    assert named <= targets


def test_every_exit_status_is_told() -> None:
    table = README.read_text().partition("## Exit statuses")[2].partition("\n## ")[0]
    told = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for n in row.split(",")}
    assert told == {status for status in ExitStatus if status < 128}


# The settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("page", CONFIGURED, ids=lambda page: page.name)
def test_every_block_of_settings_is_accepted(page: Path, tmp_path: Path) -> None:
    found = blocks(page, "toml")
    assert found
    for block in found:
        if "[[alert]]" in block:
            parse_rules(block, page.name)
            continue
        (tmp_path / "raytap.toml").write_text(block)
        resolve({}, {}, tmp_path)


@pytest.mark.parametrize("page", ABOUT_SETTINGS, ids=lambda page: page.name)
def test_every_setting_that_is_named_is_there(page: Path) -> None:
    names = SETTING.findall(page.read_text(encoding="utf-8"))
    assert names
    for name in names:
        assert not is_table(type_of(tuple(name.split(".")), page.name)), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_is_one_that_raytap_reads(page: Path, tmp_path: Path) -> None:
    for name, value in VARIABLE.findall(page.read_text(encoding="utf-8")):
        if name.endswith("_"):  # the prefix by itself
            continue
        clusters = {"default": ("http://a",), "prod-eu": ("http://b",)}
        flags = {"ray": [f"{cluster}={url}" for cluster, (url,) in clusters.items()]}
        try:
            resolve(flags, {name: value.strip("'") or "1"}, tmp_path)
        except ConfigError as error:
            pytest.fail(str(error))


def test_the_table_tells_the_defaults() -> None:
    table = README.read_text().partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \|[^|]*\| `([^`|]+)` \|", table, re.M)
    assert len(rows) >= 6
    for name, default in rows:
        value: object = resolve({"ray": ["NAME=http://a"]}, {}, ROOT / "tests").config
        for key in name.split("."):
            value = value[key] if isinstance(value, dict) else getattr(value, key)
        assert value == default, name


# The links ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_ours_that_is_named_is_there(page: Path) -> None:
    folders = "broker|publishers|subscribers|tests|benchmarks|docs"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", page.read_text(encoding="utf-8")):
        assert "NAME" in name or (ROOT / name).exists(), name


def anchors(page: Path) -> set[str]:
    """What a link to the page's headings is named."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
