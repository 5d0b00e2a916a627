"""The page's own files: a closed list of types, from one directory, checked for change by ETag."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from broker.errors import ClientError

PAGE: Final = Path(__file__).parent / "page"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_PATH: Final = re.compile(r"(?:[A-Za-z0-9_-]+/){0,4}[A-Za-z0-9_-]+(?:\.[a-z0-9]+)+")


class _File(NamedTuple):
    stamp: tuple[int, int]
    body: bytes
    etag: str
    media_type: str


class StaticFiles:
    """Serves the files below `root`. They are read again when they have changed."""

    def __init__(self, root: Path = PAGE) -> None:
        self._root = root
        self._files: dict[str, _File] = {}

    async def index(self, request: Request) -> Response:
        """The page, whatever the path says about what it is to show."""
        return self._answer(request, "index.html")

    async def file(self, request: Request) -> Response:
        """`GET /static/{path}`."""
        return self._answer(request, request.path_params["path"])

    def _answer(self, request: Request, path: str) -> Response:
        file = self._file(path)
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        tags = request.headers.get("if-none-match", "")
        if file.etag in [tag.strip().removeprefix("W/") for tag in tags.split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers=headers, media_type=file.media_type)

    def _file(self, path: str) -> _File:
        place = self._root / path
        media_type = _TYPES.get(place.suffix)
        if media_type is None or not _PATH.fullmatch(path):
            raise ClientError(404, "there is no such file")
        try:
            found = place.stat()
            stamp = found.st_mtime_ns, found.st_size
            file = self._files.get(path)
            if file is None or file.stamp != stamp:
                body = place.read_bytes()
                etag = f'"{sha256(body).hexdigest()[:20]}"'
                file = self._files[path] = _File(stamp, body, etag, media_type)
        except OSError:
            raise ClientError(404, "there is no such file") from None
        return file
