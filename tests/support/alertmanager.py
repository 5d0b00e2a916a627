"""A real Alertmanager on ephemeral ports of 127.0.0.1."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Final, Self

from tests.support.missing import missing
from tests.support.ports import free_port
from tests.support.wait import wait_until

_NAMES: Final = ("prometheus-alertmanager", "alertmanager")
_CONFIG: Final = """
route:
  receiver: hook
  group_by: ["..."]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


class Alertmanager:
    """Runs while it is entered, on files in `home`; it notifies the webhook `url` at once."""

    def __init__(self, home: Path, url: str) -> None:
        binary = next(filter(None, map(shutil.which, _NAMES)), None)
        if binary is None:
            missing("Alertmanager is not installed (apt install prometheus-alertmanager)")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = home / "alertmanager.log"
        config = home / "alertmanager.yml"
        config.write_text(_CONFIG.format(url=url))
        self._command = [
            binary,
            f"--config.file={config}",
            f"--storage.path={home / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Those that it has and that are not over."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5.0) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        try:
            wait_until(self._ready, 20.0, "Alertmanager is ready", 0.02)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10.0)

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"Alertmanager ended: {self._log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
