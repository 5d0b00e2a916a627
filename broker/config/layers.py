"""What the configuration is made of: the file, the environment and the flags, each as a layer."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Final

from broker.config.checks import CLUSTER_NAME
from broker.config.schema import Layer, Setting, flatten, from_text, type_of
from broker.config.toml_lines import find_lines
from broker.errors import ConfigError
from broker.text.plain_text import one_line

FILE_NAME: Final = "raytap.toml"
DEFAULT_CLUSTER: Final = "default"

_PREFIX: Final = "RAYTAP_"
_FLAGS: Final = {
    "redis": ("publish", "redis", "url"),
    "zeromq": ("publish", "zeromq", "bind"),
    "http": ("http", "bind"),
    "state_dir": ("state_dir",),
    "log_format": ("log", "format"),
    "log_level": ("log", "level"),
}
_INSECURE: Final = (
    ("publish", "zeromq", "insecure"),
    ("http", "insecure"),
    ("dashboard", "insecure"),
    ("alerts", "insecure"),
)
_CLUSTER_FLAGS: Final = {"protocol": "protocol", "follow": "follow", "job": "jobs"}
_NAMED: Final = re.compile(r"([^:/=]*)=(.*)", re.DOTALL)


def config_path(flag: object, cwd: Path) -> Path:
    """Where the file is, or would be."""
    return cwd / Path(str(flag) if flag else FILE_NAME).expanduser()


def file_layer(flag: object, cwd: Path) -> tuple[Layer, set[str]]:
    """The file's settings and the clusters it names; nothing where there is no default file."""
    shown = str(flag) if flag else FILE_NAME
    try:
        text = config_path(flag, cwd).read_bytes().decode("utf-8")
        table = tomllib.loads(text)
    except FileNotFoundError:
        if flag:
            raise ConfigError(f"--config: there is no file {shown}") from None
        return {}, set()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is not UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{shown} is not TOML: {one_line(str(error))}") from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot read {shown}: {reason}") from None
    lines = find_lines(text)

    def origin(setting: tuple[str, ...]) -> str:
        return f"{shown} line {lines[setting]}" if setting in lines else shown

    clusters = table.get("cluster", {})
    return flatten(table, origin), set(clusters) if isinstance(clusters, dict) else set()


def environment_layer(environ: Mapping[str, str], clusters: Iterable[str]) -> Layer:
    """`RAYTAP_SECTION__KEY`; a single word is another command's, unless it is `state_dir`."""
    layer: Layer = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(_PREFIX):
            continue
        path = tuple(name.removeprefix(_PREFIX).lower().split("__"))
        if len(path) == 1 and path != ("state_dir",):
            continue
        if path[0] == "cluster" and len(path) > 1:
            path = ("cluster", _cluster_called(path[1], clusters, name), *path[2:])
        kind = type_of(path, name)
        layer[path] = Setting(from_text(kind, text), name)
    return layer


def _cluster_called(word: str, clusters: Iterable[str], variable: str) -> str:
    """Variables cannot hold `-` nor tell cases apart: they mean the cluster that comes so near."""
    found = [name for name in clusters if name.lower().replace("-", "_") == word]
    if len(found) > 1:
        raise ConfigError(
            f"{variable} may mean any of the clusters {', '.join(sorted(found))}; "
            "set it in the file"
        )
    return found[0] if found else word


def ray_flags(values: object) -> Layer:
    """`--ray [NAME=]URL`: a name given twice has two endpoints; the others are named in turn."""
    assert isinstance(values, (list, tuple))
    given: list[tuple[str, str]] = []
    for value in values:
        found = _NAMED.fullmatch(value)
        name, url = (found[1], found[2]) if found else ("", value)
        if found and not CLUSTER_NAME.fullmatch(name):
            raise ConfigError(
                f"--ray: {one_line(name, 120)!r} is no cluster name: 1 to 100 letters, digits, - "
                "and _, as in --ray prod=http://HOST:8265"
            )
        given.append((name, url))
    taken = {name for name, _ in given}
    free = (name for name in _default_names() if name not in taken)
    endpoints: dict[str, list[str]] = {}
    for name, url in given:
        endpoints.setdefault(name or next(free), []).append(url)
    return {
        ("cluster", name, "endpoints"): Setting(urls, "--ray") for name, urls in endpoints.items()
    }


def plain_flags(flags: Mapping[str, object]) -> Layer:
    """The flags that are for one setting each, and `--insecure`, which is for every address."""
    layer = {
        path: Setting(flags[flag], f"--{flag.replace('_', '-')}")
        for flag, path in _FLAGS.items()
        if flags.get(flag) is not None
    }
    if flags.get("insecure"):
        layer |= {path: Setting(True, "--insecure") for path in _INSECURE}
    return layer


def cluster_flags(flags: Mapping[str, object], clusters: Iterable[str]) -> Layer:
    """These flags are for every cluster."""
    return {
        ("cluster", name, key): Setting(
            list(value) if isinstance(value, tuple) else value, f"--{flag}"
        )
        for flag, key in _CLUSTER_FLAGS.items()
        for name in clusters
        if (value := flags.get(flag))
    }


def _default_names() -> Iterator[str]:
    yield DEFAULT_CLUSTER
    for number in count(2):
        yield f"{DEFAULT_CLUSTER}-{number}"
