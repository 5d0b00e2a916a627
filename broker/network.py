"""The importable API: names handed on. What is heavy is loaded when it is used."""

from __future__ import annotations

from broker.error_message import sanitize_error_message
from broker.errors import ClientError
from broker.library.http_stream import HTTPStreamManager
from broker.library.websocket_stream import WebSocketStreamManager
from broker.limits import StreamLimits
from broker.validate import http_to_websocket_url, validate_resource_id, validate_timeout

__all__ = [
    "ClientError",
    "HTTPStreamManager",
    "StreamLimits",
    "WebSocketStreamManager",
    "http_to_websocket_url",
    "sanitize_error_message",
    "validate_resource_id",
    "validate_timeout",
]
