"""`/v1/openapi.json`: what is served, put together from the very types of the answers."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec

from subscribers.dashboard.alerts_link import AlertsView
from subscribers.dashboard.client_rows import ClientsBody
from subscribers.dashboard.job_rows import JobRow, JobsBody
from subscribers.dashboard.line_routes import MAX_HITS, MAX_LINES, LinesBody, SearchBody
from subscribers.dashboard.session_routes import SessionBody
from subscribers.dashboard.stats_route import MAX_MINUTES, StatsBody

_Json = dict[str, Any]

_ID: Final[_Json] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,100}$"}
_EPOCH: Final[_Json] = {"type": "string", "pattern": "^[0-9A-Za-z._-]{1,64}$"}
_GLOB: Final[_Json] = {"type": "string", "minLength": 1, "maxLength": 256}
_LINE: Final[_Json] = {"type": "integer", "minimum": 0, "maximum": 10**17}
_SIGNED: Final[_Json] = {"type": "integer", "minimum": -(10**17), "maximum": 10**17}
_COUNT: Final[_Json] = {"type": "integer", "minimum": 1, "maximum": 10**17}
_TEXT: Final[_Json] = {"type": "string"}
_RAYTAP: Final = (
    *("Raytap-Epoch", "Raytap-First", "Raytap-Next", "Raytap-Complete", "Raytap-Epochs"),
)

_ERRORS: Final = {
    "400": "the request is wrong, and what would be right",
    "401": "a token is needed",
    "403": "the token does not open this",
    "404": "nobody knows it",
    "406": "the log is not sent as that type",
    "408": "the brokers did not answer in time",
    "429": "too many wrong tokens came from this address; Retry-After says when",
    "503": "not now; Retry-After says when",
}
_ALWAYS: Final = ("400", "401", "429")
_OF_A_JOB: Final = (*_ALWAYS, "403", "404", "408", "503")

_STREAM: Final = (
    "Server-sent events: `frame` (a PageFrame), `skipped` (lines this client was too slow for), "
    "`state` (the link to the brokers), and comments while it is silent."
)
_CLUSTER_STREAM: Final = (
    "All jobs of a cluster that may be read: server-sent events `frames` (a list of PageFrame), "
    "`again` (lines that may be repeated), `skipped`, `state`, and comments while it is silent."
)


@cache
def document() -> _Json:
    """The document. Do not change it."""
    types = (
        JobsBody,
        JobRow,
        LinesBody,
        SearchBody,
        StatsBody,
        ClientsBody,
        SessionBody,
        AlertsView,
    )
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas["Error"] = _object(error=_object(status={"type": "integer"}, message=_TEXT))
    schemas["Ready"] = {
        **_object(ready={"type": "boolean"}, degraded={"type": "array", "items": _TEXT}),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "raytap dashboard",
            "version": "1",
            "description": "Live logs of Ray jobs. Every error is an Error.",
        },
        "security": [{"bearer": []}, {"cookie": []}, {}],
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "raytap_session"},
            },
        },
    }


def _paths() -> _Json:
    cluster, name = _in_path("cluster"), _in_path("job")
    first, epoch = _query("from", _LINE), _query("epoch", _EPOCH)
    job = {"parameters": [cluster, name]}
    last_id: _Json = {"name": "Last-Event-ID", "in": "header", "schema": _TEXT}
    return {
        "/livez": _get("The process runs.", _plain()),
        "/readyz": _get("What is degraded.", _json("Ready"), "503"),
        "/metrics": _get("For Prometheus.", _plain()),
        "/v1/openapi.json": _get("This document.", _body("application/json", {"type": "object"})),
        "/v1/session": {
            **_get("What the request may do.", _json("SessionBody"), *_ALWAYS),
            "post": _operation("A cookie for the bearer token.", _no_content(), *_ALWAYS, "403"),
            "delete": _operation("Sign out.", _no_content(), *_ALWAYS, "403"),
        },
        "/v1/jobs": _get(
            "Every job that may be read.",
            _json("JobsBody"),
            *_ALWAYS,
            parameters=[_query("cluster", _GLOB), _query("job", _GLOB)],
        ),
        "/v1/jobs/{cluster}/{job}": {
            **job,
            **_get("One job.", _json("JobRow"), *_ALWAYS, "403", "404"),
        },
        "/v1/jobs/{cluster}/{job}/log": {
            **job,
            **_get(
                "The log from a line on.",
                _log(),
                *_OF_A_JOB,
                "406",
                parameters=[first, _query("limit", _COUNT), epoch],
            ),
        },
        "/v1/jobs/{cluster}/{job}/lines": {
            **job,
            **_get(
                f"At most {MAX_LINES} lines; `from=-N`: the last N.",
                _json("LinesBody"),
                *_OF_A_JOB,
                parameters=[_query("from", _SIGNED), _query("limit", _COUNT), epoch],
            ),
        },
        "/v1/jobs/{cluster}/{job}/search": {
            **job,
            **_get(
                f"At most {MAX_HITS} lines that match; `next` is where to go on.",
                _json("SearchBody"),
                *_OF_A_JOB,
                parameters=[
                    {**_query("q", {**_GLOB, "description": "RE2"}), "required": True},
                    first,
                    _query("limit", _COUNT),
                    _query("case", {"type": "string", "enum": ["0", "1"]}),
                    epoch,
                ],
            ),
        },
        "/v1/jobs/{cluster}/{job}/stream": {
            **job,
            **_get(
                _STREAM,
                _body("text/event-stream", _TEXT),
                *_OF_A_JOB,
                parameters=[_query("from", _SIGNED), last_id],
            ),
        },
        "/v1/clusters/{cluster}/stream": {
            "parameters": [cluster],
            **_get(
                _CLUSTER_STREAM,
                _body("text/event-stream", _TEXT),
                *_ALWAYS,
                "403",
                "503",
                parameters=[last_id],
            ),
        },
        "/v1/events": _get(
            "Server-sent events: `jobs` (a JobsBody) and `alerts` (an AlertsView) on change.",
            _body("text/event-stream", _TEXT),
            *_ALWAYS,
            "503",
        ),
        "/v1/stats": _get(
            "The course of the figures of a cluster or a job, oldest first.",
            _json("StatsBody"),
            *_ALWAYS,
            "403",
            parameters=[
                {**_query("cluster", _ID), "required": True},
                _query("job", _ID),
                _query("minutes", {"type": "integer", "minimum": 1, "maximum": MAX_MINUTES}),
            ],
        ),
        "/v1/alerts": _get("What `raytap alerts` tells.", _json("AlertsView"), *_ALWAYS, "503"),
        "/v1/clients": _get("The open event streams.", _json("ClientsBody"), *_ALWAYS, "403"),
    }


def _get(summary: str, ok: _Json, *errors: str, parameters: list[_Json] | None = None) -> _Json:
    return {"get": _operation(summary, ok, *errors, parameters=parameters)}


def _operation(
    summary: str, ok: _Json, *errors: str, parameters: list[_Json] | None = None
) -> _Json:
    refused = {
        status: {"description": _ERRORS[status], **_content("application/json", _ref("Error"))}
        for status in sorted(errors)
    }
    for status in refused.keys() & {"429", "503"}:
        refused[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    told = {"parameters": parameters} if parameters else {}
    return {"summary": summary, **told, "responses": {**ok, **refused}}


def _json(schema: str) -> _Json:
    return _body("application/json", _ref(schema))


def _plain() -> _Json:
    return _body("text/plain", _TEXT)


def _log() -> _Json:
    content: _Json = {}
    for media_type in ("text/plain", "application/x-ndjson", "application/msgpack"):
        content |= _content(media_type, _TEXT)["content"]
    headers = {name: {"schema": _TEXT} for name in _RAYTAP}
    return {"200": {"description": "the log", "content": content, "headers": headers}}


def _no_content() -> _Json:
    return {"204": {"description": "done"}}


def _body(media_type: str, schema: _Json) -> _Json:
    return {"200": {"description": "the answer", **_content(media_type, schema)}}


def _content(media_type: str, schema: _Json) -> _Json:
    return {"content": {media_type: {"schema": schema}}}


def _ref(schema: str) -> _Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(**properties: _Json) -> _Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _in_path(name: str) -> _Json:
    return {"name": name, "in": "path", "required": True, "schema": _ID}


def _query(name: str, schema: _Json) -> _Json:
    return {"name": name, "in": "query", "schema": schema}
