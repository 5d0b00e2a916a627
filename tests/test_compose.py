"""docker-compose.yml: valid, closed to others, and in words that our command line and our
settings know. The images themselves are not built here."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from broker.cli import group
from broker.settings import resolve
from tests.support.missing import missing

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
HOST = re.compile(r"[a-z]+://(?:[^/@\s]*@)?([\w.-]+)")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services as they are written."""
    try:
        yaml = importlib.import_module("yaml")  # it comes with Ray
    except ImportError:
        missing("PyYAML is not installed (pip install 'raytap[demo]')")
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def ours(services: dict[str, Any]) -> dict[str, list[str]]:
    """The arguments that each of our services gives to `raytap`."""
    return {
        name: _words(service["command"])
        for name, service in services.items()
        if service.get("image", "").startswith("raytap:")
    }


def _words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else [str(word) for word in command]


def test_docker_compose_accepts_the_file() -> None:
    binary = shutil.which("docker-compose")
    if binary is None:
        missing("docker-compose is not installed (apt install docker-compose)")
    done = subprocess.run(
        [binary, "--file", str(FILE), "config", "--quiet"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_ray_head_a_redis_raytap_and_a_subscriber_are_there(services: dict[str, Any]) -> None:
    assert set(services) == {"ray-head", "redis", "raytap", "tail"}
    assert services["ray-head"]["image"] == "rayproject/ray:2.60.0"
    assert services["raytap"]["build"] == "."


def test_every_command_is_one_that_our_command_line_accepts(services: dict[str, Any]) -> None:
    commands = ours(services)
    assert {words[0] for words in commands.values()} == {"serve", "tail"}
    for name, *arguments in commands.values():
        with click.Context(group, info_name="raytap") as parent:
            command = group.get_command(parent, name)
            assert command is not None
            command.make_context(name, arguments, parent=parent)


def test_every_setting_is_one_that_raytap_accepts(services: dict[str, Any], tmp_path: Path) -> None:
    environment = services["raytap"]["environment"]
    assert all(name.startswith("RAYTAP_") and "__" in name for name in environment)
    config, notes = resolve({}, environment, tmp_path)
    assert notes == []
    assert config.cluster["default"].endpoints == ["http://ray-head:8265"]
    assert config.http.insecure
    assert config.publish.zeromq.insecure


def test_every_port_is_published_on_this_machine_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_address_is_that_of_a_service(services: dict[str, Any]) -> None:
    texts = [word for words in ours(services).values() for word in words]
    texts += services["raytap"]["environment"].values()
    hosts = {host for text in texts for host in HOST.findall(text)} - {"0.0.0.0"}
    assert hosts
    assert hosts <= set(services)


def test_rays_health_is_asked_in_valid_python(services: dict[str, Any]) -> None:
    kind, binary, flag, code = services["ray-head"]["healthcheck"]["test"]
    assert (kind, binary, flag) == ("CMD", "python", "-c")
    compile(code, "healthcheck", "exec")
