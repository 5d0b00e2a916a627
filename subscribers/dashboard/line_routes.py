"""Parts of a log as JSON: its lines from somewhere on, and a search on the server's side."""

from __future__ import annotations

import time
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from broker.errors import ClientError
from broker.topic import Stream
from broker.web.errors import JsonResponse
from broker.web.permission import grant_of
from broker.web.query import epoch_id, line_number, query_values, stream_of
from subscribers.dashboard.journals import Journals, PageClient
from subscribers.dashboard.page_frame import PageFrame, page_frame
from subscribers.dashboard.pattern import Pattern
from subscribers.dashboard.resume import signed_line
from subscribers.recognition.recogniser import Recogniser

MAX_LINES: Final = 5_000
MAX_HITS: Final = 1_000
SEARCH_S: Final = 2.0
_LINES: Final = 1_000
_HITS: Final = 100
_END: Final = 10**17  # beyond every log: the answer stands at its end
_SEARCH_PAGE: Final = 5_000  # lines


class LinesBody(msgspec.Struct, frozen=True):
    """`GET …/lines`: lines `[first, next)`. `complete`: the log is over, and this is its end."""

    epoch: str
    first: int
    next: int
    complete: bool
    frames: list[PageFrame]


class Hit(msgspec.Struct, frozen=True):
    """A line that matches."""

    line: int
    text: str


class SearchBody(msgspec.Struct, frozen=True):
    """`GET …/search`. `next`: from where to go on; None: that was the log's end."""

    hits: list[Hit]
    next: int | None
    epoch: str


class LineRoutes:
    """The handlers. They raise `ClientError` as the journals do."""

    def __init__(self, journals: Journals) -> None:
        self._journals = journals

    async def lines(self, request: Request) -> Response:
        """`GET /v1/jobs/{cluster}/{job}/lines`."""
        stream, asked = _asked(request, ("from", "limit", "epoch"))
        first = signed_line("from", asked.get("from", "0"))
        limit = min(_count("limit", asked, _LINES), MAX_LINES)
        epoch = epoch_id(asked["epoch"]) if "epoch" in asked else ""
        if first < 0:
            end = await self._journals.page(stream, _END, epoch, 1)
            first, epoch = max(0, end.next + first), epoch or end.epoch
        page = await self._journals.page(stream, first, epoch, limit)
        recogniser = Recogniser()
        frames = [page_frame(frame, recogniser) for frame in page.frames]
        return JsonResponse(LinesBody(page.epoch, page.first, page.next, page.complete, frames))

    async def search(self, request: Request) -> Response:
        """`GET /v1/jobs/{cluster}/{job}/search`."""
        stream, asked = _asked(request, ("q", "from", "limit", "case", "epoch"))
        if "q" not in asked:
            raise ClientError(400, "q is the pattern to search for (RE2)")
        if asked.get("case", "0") not in ("0", "1"):
            raise ClientError(400, "case is 1 where upper and lower case differ, else 0")
        pattern = Pattern(asked["q"], case=asked.get("case") == "1")
        first = line_number("from", asked.get("from", "0"))
        limit = min(_count("limit", asked, _HITS), MAX_HITS)
        epoch = epoch_id(asked["epoch"]) if "epoch" in asked else ""
        deadline = time.monotonic() + SEARCH_S
        body = SearchBody([], first, epoch)
        while body.next is not None and len(body.hits) < limit:
            body = await self._search_page(stream, pattern, body, limit)
            if time.monotonic() > deadline:
                break
        return JsonResponse(body)

    async def _search_page(
        self, stream: Stream, pattern: Pattern, so_far: SearchBody, limit: int
    ) -> SearchBody:
        """What was found so far and on one page more."""
        assert so_far.next is not None
        page = await self._journals.page(stream, so_far.next, so_far.epoch, _SEARCH_PAGE)

        def find(_: list[PageClient]) -> list[Hit]:
            found: list[Hit] = []
            for frame in page.frames:
                if frame.kind == "log":
                    found += (
                        Hit(frame.first + index, frame.lines[index])
                        for index in pattern.find(frame.lines)
                    )
            return found

        hits = [*so_far.hits, *await self._journals.run(find)]
        over = len(hits) > limit
        following = hits[limit].line if over else None if page.ended else page.next
        return SearchBody(hits[:limit], following, page.epoch)


def _asked(request: Request, names: tuple[str, ...]) -> tuple[Stream, dict[str, str]]:
    stream = stream_of(request.path_params)
    grant_of(request).check(stream)
    return stream, query_values(request.scope["query_string"], names)


def _count(name: str, asked: dict[str, str], default: int) -> int:
    return line_number(name, asked[name], least=1) if name in asked else default
