"""The stand-in's agent: `/logs/…`, as aiohttp's static files answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from tests.support.standin_http import Handler

_BLOCK: Final = 1 << 20
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_LOG: Final = re.compile(r"/logs/(job-driver-(.+)\.log)")


class AgentHandler(Handler):
    """Raw bytes by range."""

    def handle_request(self, path: str, query: Mapping[str, str]) -> None:
        self.keep_alive = self.cluster.timing.keep_alive
        named = _LOG.fullmatch(unquote(path))
        file = named and self.cluster.file(named[1])
        if not named or not file:
            self.cluster.count("agent")
            self.text(404, "404: Not Found")
            return
        self.cluster.count("agent", named[2])
        with file.open("rb") as log:
            stat = file.stat()
            size = log.seek(0, 2)
            headers = {
                "Content-Type": "application/octet-stream",
                "Etag": f'"{stat.st_mtime_ns:x}-{size:x}"',
                "Accept-Ranges": "bytes",
            }
            span = _span(self.headers.get("Range"), size)
            if span is None:
                self.reply(416, b"416: Range Not Satisfiable", {"Content-Range": f"bytes */{size}"})
                return
            start, end = span
            partial = "Range" in self.headers
            if partial:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
            self.send_response(206 if partial else 200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(end - start))
            self.end_headers()
            if self.command == "HEAD":
                return
            log.seek(start)
            while start < end and (block := log.read(min(_BLOCK, end - start))):
                self.wfile.write(block)
                start += len(block)
            self.close_connection = self.close_connection or start < end  # it was truncated


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    """The bytes `[start, end)` to send; None where they cannot be had."""
    if header is None:
        return 0, size
    asked = _RANGE.fullmatch(header)
    if not asked or asked[0] == "bytes=-":
        return None
    if not asked[1]:
        start, end = max(0, size - int(asked[2])), size
    else:
        start = int(asked[1])
        end = min(size, int(asked[2]) + 1) if asked[2] else size
    return (start, end) if start < end else None
