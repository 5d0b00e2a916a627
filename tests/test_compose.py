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

from broker import cli
from broker.cli import group
from broker.config.settings import resolve
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
    assert set(services) == {"ray-head", "redis", "token", "raytap", "tail"}
    assert services["ray-head"]["image"] == "rayproject/ray:2.60.0"
    assert services["raytap"]["build"] == "."


def test_every_command_is_one_that_our_command_line_accepts(services: dict[str, Any]) -> None:
    commands = ours(services)
    assert {words[0] for words in commands.values()} == {"serve", "tail", "token"}
    for words in commands.values():
        _accepted(group, "raytap", words)


def _accepted(command: click.Command, name: str, words: list[str]) -> None:
    """Parse, and so down to the subcommand that the words name."""
    with command.make_context(name, words) as context:
        if isinstance(command, click.Group):
            found, inner, rest = command.resolve_command(context, words)
            assert found is not None
            assert inner is not None
            _accepted(inner, found, rest)


def test_every_setting_is_one_that_raytap_accepts(services: dict[str, Any], tmp_path: Path) -> None:
    environment = services["raytap"]["environment"]
    settings = {name for name in environment if name != "RAYTAP_TOKEN"}
    assert all(name.startswith("RAYTAP_") and "__" in name for name in settings)
    assert cli.run(["token", "new", "compose", "--into", str(tmp_path)]) == 0
    config, notes = resolve({"config": "compose.toml"}, environment, tmp_path)
    assert notes == []
    assert config.cluster["default"].endpoints == ["http://ray-head:8265"]


def test_http_asks_for_the_token_that_is_made_and_only_zeromq_is_open(
    services: dict[str, Any], tmp_path: Path
) -> None:
    _, *words = services["token"]["command"]
    words[words.index("--into") + 1] = str(tmp_path)
    assert cli.run(["token", *words]) == 0
    _, *serve = services["raytap"]["command"]
    settings = Path(serve[serve.index("--config") + 1])
    environment = services["raytap"]["environment"]
    config, _ = resolve({"config": settings.name}, environment, tmp_path)
    assert config.access.required
    assert not config.http.insecure
    assert not config.dashboard.insecure
    assert config.publish.zeromq.insecure
    for service in (services["raytap"], services["tail"]):
        holder = Path(service["environment"]["RAYTAP_TOKEN"].removeprefix("@"))
        assert (tmp_path / holder.name).is_file()
        assert f"access:{holder.parent}:ro" in service["volumes"]
    assert settings.parent == holder.parent
    after = services["raytap"]["depends_on"]["token"]
    assert after == {"condition": "service_completed_successfully"}


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
