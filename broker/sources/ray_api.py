"""What Ray's dashboard tells about the cluster and its jobs."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from broker.error_message import sanitize_error_message
from broker.errors import ClientError
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient
from broker.text.plain_text import mask_credentials, one_line

_MOST_WORDS: Final = 500  # characters
TERMINAL: Final = frozenset({"STOPPED", "SUCCEEDED", "FAILED", "LOST"})


class RayJob(msgspec.Struct, frozen=True):
    """The part of a job record that we keep. The rest holds secrets and is never kept."""

    type: str = ""
    submission_id: str | None = None
    job_id: str | None = None
    status: str = ""
    start_time: int | None = None  # ms since 1970
    end_time: int | None = None
    driver_agent_http_address: str | None = None
    message: str | None = None  # its first line: a failed job's goes on with its log

    def __post_init__(self) -> None:
        if self.message:
            first = self.message[:_MOST_WORDS].partition("\n")[0].partition(", last available")[0]
            msgspec.structs.force_setattr(self, "message", first)

    @property
    def why(self) -> str:
        """Ray's words for a job that did not succeed, on one line and without secrets."""
        if not self.message or self.status == "SUCCEEDED":
            return ""
        return sanitize_error_message(self.message, "")

    @property
    def run(self) -> int:
        """The start time: it tells one submission of an id from the next."""
        return self.start_time or 0

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL


class _Version(msgspec.Struct):
    session_name: str = ""
    ray_version: str = ""


T = TypeVar("T")

_jobs = msgspec.json.Decoder(list[RayJob])
_version = msgspec.json.Decoder(_Version)


class RayApi:
    """Questions to whichever endpoint of the cluster answers best. Thread-safe."""

    def __init__(self, client: HttpClient, endpoints: Endpoints) -> None:
        self._client = client
        self._endpoints = endpoints

    def session(self) -> str:
        """The head's session name: another one is another head. Raises `ClientError`."""
        return self._ask("/api/version", _version).session_name

    def jobs(self) -> list[RayJob]:
        """Every job the head knows, drivers included. Raises `ClientError`."""
        return self._ask("/api/jobs/", _jobs)

    def _ask(self, path: str, decoder: msgspec.json.Decoder[T]) -> T:
        with self._endpoints.use() as base:
            try:
                body = self._client.get(base + path)
            except ClientError as error:
                if error.status != 404:
                    raise
                raise ClientError(404, no_dashboard(base, f"it answered 404 to {path}")) from None
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            raise ClientError(
                500, f"Ray's answer to {path} is not what it should be: {error}"
            ) from None
        except msgspec.DecodeError:
            why = f"its answer to {path} is no JSON"
            raise ClientError(500, no_dashboard(base, why)) from None


def no_dashboard(base: str, why: str) -> str:
    """Says that what answers at this address is something else."""
    return one_line(mask_credentials(f"{base} is no Ray dashboard ({why})"))
