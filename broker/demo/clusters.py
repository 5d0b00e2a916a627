"""Where the sample jobs run: on a head of the demo's own, or on a cluster that was given."""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
import shlex
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from broker.addresses import agent_address
from broker.config.config import ClusterConfig
from broker.errors import ClientError
from broker.library.http_status import client_status, explain_answer
from broker.library.request import Request
from broker.library.transport_error import client_errors
from broker.processes.localray import LocalRay

if TYPE_CHECKING:
    import requests

SAMPLES: Final = ("train", "evaluate")
_JOBS: Final = Path(__file__).with_name("jobs")


class Cluster(Protocol):
    """Runs the sample jobs. `submit` and `log` raise `ClientError`."""

    @property
    def url(self) -> str:
        """The dashboard's base address."""

    def submit(self, sample: str, rounds: int = 1) -> str:
        """Submit `train` or `evaluate`; the job's id. A round takes about ten seconds."""

    def log(self, job: str) -> bytes:
        """The log's bytes, all of them, as Ray has them now."""

    def close(self) -> None:
        """End what was started there. Idempotent; never raises."""


class OwnHead:
    """A head that was started for the demo, and is ended with it."""

    def __init__(self) -> None:
        self._head = LocalRay()

    def start(self) -> None:
        """Takes about ten seconds. Raises `ClientError`; nothing is left running then."""
        self._head.start()

    @property
    def url(self) -> str:
        return self._head.url

    def submit(self, sample: str, rounds: int = 1) -> str:
        command = [sys.executable, str(_JOBS / f"{sample}.py"), str(rounds)]
        return self._head.submit(shlex.join(command), f"demo-{sample}")

    def log(self, job: str) -> bytes:
        path = self._head.log_path(job)
        return path.read_bytes() if path.exists() else b""

    def close(self) -> None:
        self._head.stop()


class GivenCluster:
    """A cluster that runs already. Job ids end by chance: others may try the demo on it too."""

    def __init__(self, url: str, config: ClusterConfig, token: str | None) -> None:
        import requests

        self.url = url
        self._suffix = secrets.token_hex(3)
        self._config = config
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy is a setting; ~/.netrc would replace the token
        self._http.headers.update(config.headers)
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"
        self._http.verify = config.ca_file or True
        if config.proxy:
            self._http.proxies = {"http": config.proxy, "https": config.proxy}
        self._submitted: list[str] = []

    def version(self) -> str:
        """Ray's; as a first look whether the cluster answers."""
        return str(self._ask("GET", "/api/version").json().get("ray_version", ""))

    def job_id(self, sample: str) -> str:
        """What `submit` will call it."""
        return f"demo-{sample}-{self._suffix}"

    def submit(self, sample: str, rounds: int = 1) -> str:
        # As Ray's own client does it: the files go up as a package named by their content.
        package = _package()
        name = f"_ray_pkg_{hashlib.sha256(package).hexdigest()[:16]}.zip"
        self._ask("PUT", f"/api/packages/gcs/{name}", data=package)
        job = self.job_id(sample)
        self._submitted.append(job)
        request = {
            "entrypoint": f"python {sample}.py {rounds}",
            "submission_id": job,
            "runtime_env": {"working_dir": f"gcs://{name}"},
        }
        self._ask("POST", "/api/jobs/", json=request)
        return job

    def log(self, job: str) -> bytes:
        record: Mapping[str, Any] = self._ask("GET", f"/api/jobs/{job}").json()
        agent = record.get("driver_agent_http_address")
        if agent:
            base = agent_address(agent, self._config.agent_host)
            with contextlib.suppress(ClientError):  # often the dashboard alone can be reached
                return self._ask("GET", f"{base}/logs/job-driver-{job}.log").content
        query = {"submission_id": job, "node_id": "x", "lines": "-1", "timeout": "300"}
        return self._ask("GET", "/api/v0/logs/file", params=query).content

    def close(self) -> None:
        for job in self._submitted:
            with contextlib.suppress(ClientError):  # it is over, or the cluster is gone
                self._ask("POST", f"/api/jobs/{job}/stop")
        self._submitted.clear()
        self._http.close()

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith(("http://", "https://")) else self.url + path
        config = self._config
        asked = Request(
            url, {}, config.connect_timeout, config.read_timeout, f"Ray at {urlsplit(url).netloc}"
        )
        with client_errors(asked):
            response = self._http.request(
                method, url, timeout=(asked.connect_s, asked.read_s), **options
            )
        if response.status_code != 200:
            status = response.status_code
            raise asked.error(client_status(status), explain_answer(status, response.content))
        return response


def _package() -> bytes:
    """A zip of the sample jobs, the same bytes each time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for sample in SAMPLES:
            archive.writestr(zipfile.ZipInfo(f"{sample}.py"), (_JOBS / f"{sample}.py").read_bytes())
    return target.getvalue()
