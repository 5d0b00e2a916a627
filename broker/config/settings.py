"""Resolution of the configuration: flags before the environment before the file before defaults.

`resolve` reads the disk (one file); nothing is read at import, and nothing from `os.environ`
unless the caller hands it in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from broker.addresses import ray_endpoint
from broker.config.checks import problems
from broker.config.config import ClusterConfig, Config
from broker.config.layers import (
    DEFAULT_CLUSTER,
    cluster_flags,
    config_path,
    environment_layer,
    file_layer,
    plain_flags,
    ray_flags,
)
from broker.config.schema import Setting, build, refuse
from broker.text.plain_text import mask_credentials, one_line

DEFAULT_ENDPOINT: Final = "http://127.0.0.1:8265"


class Resolved(NamedTuple):
    """The configuration, and what its reader should be told (for the log, without secrets)."""

    config: Config
    notes: list[str]


def resolve(flags: Mapping[str, object], environ: Mapping[str, str], cwd: Path) -> Resolved:
    """One checked configuration. Raises `ConfigError` for the first setting that is wrong.

    `flags`: `config`, `ray` (several), `redis`, `zeromq`, `http`, `state_dir`, `protocol`,
    `follow`, `job` (several), `insecure`, `log_format`, `log_level`; None and empty ones are not
    given.
    """
    layer, clusters = file_layer(flags.get("config"), cwd)
    ray = ray_flags(flags.get("ray") or ())
    clusters |= {path[1] for path in ray}
    environment = environment_layer(environ, clusters)
    layer |= environment | ray | plain_flags(flags)
    clusters |= {path[1] for path in layer if path[0] == "cluster"}
    notes: list[str] = []
    if not clusters or (
        DEFAULT_CLUSTER in clusters and ("cluster", DEFAULT_CLUSTER, "endpoints") not in layer
    ):
        clusters.add(DEFAULT_CLUSTER)
        layer["cluster", DEFAULT_CLUSTER, "endpoints"] = _ray_address(environ, notes)
    layer |= cluster_flags(flags, clusters)
    config = build(layer, sorted(clusters))
    for name, message in problems(config):
        path = tuple(name.split("."))
        refuse(path, layer[path].origin if path in layer else "", message)
    beside = config_path(flags.get("config"), cwd).parent
    return Resolved(_tidied(config, beside), notes)


def read_token(
    cluster: ClusterConfig, environ: Mapping[str, str] | None = None, *, name: str = DEFAULT_CLUSTER
) -> str | None:
    """The cluster's bearer token, read now; None where none is configured.

    `environ` is `os.environ` where it is not given; `name` is the cluster's, for the message.
    Raises `ConfigError` (never with the token in it) where it is missing, empty or no token.
    """
    if cluster.token_env:
        setting, source = "token_env", f"the environment variable {cluster.token_env}"
        text = (os.environ if environ is None else environ).get(cluster.token_env)
        if text is None:
            refuse(("cluster", name, setting), "", f"{source} is not set")
    elif cluster.token_file:
        setting, source = "token_file", cluster.token_file
        try:
            text = Path(cluster.token_file).expanduser().read_text(encoding="utf-8")
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text file"
            refuse(("cluster", name, setting), "", f"cannot read {source}: {reason}")
    else:
        return None
    token = text.strip()
    if not token:
        refuse(("cluster", name, setting), "", f"{source} is empty; it holds the token")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        message = f"{source} holds more than a token: one word of ASCII, without Bearer before it"
        refuse(("cluster", name, setting), "", message)
    return token


def _ray_address(environ: Mapping[str, str], notes: list[str]) -> Setting:
    """Where Ray's own tools would look, as far as it is an HTTP address."""
    for variable in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        address = environ.get(variable, "").strip()
        if not address:
            continue
        if variable == "RAY_API_SERVER_ADDRESS" or address.startswith(("http://", "https://")):
            return Setting([address], variable)
        shown = one_line(mask_credentials(address), 120)
        notes.append(
            f"{variable}={shown} is no http(s) address and was passed over; "
            f"using {DEFAULT_ENDPOINT} (--ray URL names another)"
        )
    return Setting([DEFAULT_ENDPOINT], "the default")


def _tidied(config: Config, beside: Path) -> Config:
    """Endpoints without the slash at their end, certificates found and readable."""
    clusters = {
        name: replace(
            cluster,
            endpoints=[ray_endpoint(url) for url in cluster.endpoints],
            ca_file=_certificates(cluster.ca_file, name),
        )
        for name, cluster in config.cluster.items()
    }
    rules = [str(beside / Path(path).expanduser()) for path in config.alerts.rules]
    return replace(config, cluster=clusters, alerts=replace(config.alerts, rules=rules))


def _certificates(ca_file: str, cluster: str) -> str:
    if not ca_file:
        return ""
    import ssl  # 10 ms, and few have a CA of their own

    try:
        path = str(Path(ca_file).expanduser())
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        refuse(("cluster", cluster, "ca_file"), "", f"{ca_file} holds no certificates (PEM)")
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        refuse(("cluster", cluster, "ca_file"), "", f"cannot read {ca_file}: {reason}")
    return path
