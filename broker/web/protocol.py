"""uvicorn's HTTP protocol, which keeps why a connection was lost."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_STALLED: Final = "raytap.stalled"


class Protocol(HttpToolsProtocol):
    """Tells by the request's scope that the kernel gave the other side up."""

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, TimeoutError) and self.cycle is not None:
            self.cycle.scope[_STALLED] = True  # type: ignore[typeddict-unknown-key]
        super().connection_lost(exc)


def is_stalled(scope: MutableMapping[str, Any]) -> bool:
    """Whether the connection was cut because the other side took nothing for too long."""
    return bool(scope.get(_STALLED))
