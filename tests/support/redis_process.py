"""A Redis of a test's own, which it may kill and start again on the same port."""

from __future__ import annotations

import subprocess
import tempfile
from typing import Self

import redis

from broker.localray import free_port
from tests.support.wait import wait_until


class RedisProcess:
    """`binary` is a redis-server or valkey-server; `options` are its command line's."""

    def __init__(self, binary: str, *options: str) -> None:
        self._binary = binary
        self._options = options
        self._home = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.socket = f"{self._home.name}/redis.sock"

    def start(self) -> None:
        """Start it, empty, and wait until it answers; `NOAUTH` is an answer."""
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", self._home.name, "--unixsocket", self.socket, *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, message=f"{self._binary} answers")

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._home.cleanup()

    def _answers(self) -> bool:
        client = redis.Redis(port=self.port, socket_timeout=1.0)
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False
        finally:
            client.close()
