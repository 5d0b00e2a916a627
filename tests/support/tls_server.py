"""The scripted server over TLS, with a certificate of a private authority made for the test."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from tests.support.missing import missing
from tests.support.ws_server import Peer, ScriptedServer


class Certificate(NamedTuple):
    """A self-signed certificate for 127.0.0.1, which is its own authority."""

    file: Path
    key: Path


def make_certificate(home: Path, name: str = "ca") -> Certificate:
    """Made by openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("openssl is not installed (apt install openssl)")
    made = Certificate(home / f"{name}.pem", home / f"{name}.key")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(made.key), "-out", str(made.file)),
        ],
        check=True,
        capture_output=True,
    )
    return made


class TlsServer(ScriptedServer):
    """As `ScriptedServer`; a client that does not trust it gets no further than the handshake."""

    def __init__(self, script: Callable[[Peer], None], certificate: Certificate) -> None:
        super().__init__(script)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.file, certificate.key)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    @property
    def https_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def wss_url(self) -> str:
        return f"wss://127.0.0.1:{self.port}"

    def _play(self, sock: socket.socket) -> None:
        with sock, suppress(OSError), self._context.wrap_socket(sock, server_side=True) as wrapped:
            super()._play(wrapped)
