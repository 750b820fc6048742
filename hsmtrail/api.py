"""HTTP of the service: queries, errands of the commands, status, metrics."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hsmtrail import formats
from hsmtrail.errands import (
    ERRANDS,
    baseline,
    changes,
    detectors,
    findings,
    imports,
    observations,
    reparse,
    report,
    status,
    verify,
)
from hsmtrail.failures import Failure, Misuse, sentence
from hsmtrail.metrics import exposition
from store.query import QueryFailed, Refused, Stopped, run_query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hsmtrail.config import WebUser
    from hsmtrail.desk import Desk
    from hsmtrail.errands import Errand, Role

log = logging.getLogger("hsmtrail.http")

RANKS: dict[Role, int] = {"reader": 0, "analyst": 1, "admin": 2}
LARGEST_REQUEST = 1 << 20
OPEN_TO_ALL = frozenset({"/healthz", "/readyz", "/metrics"})
"""They tell whether the service lives and how much it does, nothing of what it holds."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
ANSWERED = (baseline, changes, detectors, findings, imports, observations, reparse, report, status, verify)
"""Modules whose errands may be sent here; importing them puts their errands on the list."""


class QueryRequest(BaseModel):
    """Body of POST /api/query."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1, max_length=200_000)
    parameters: dict[str, Any] | list[Any] | None = None
    format: str = Field(default="json", pattern="^(json|csv|arrow|parquet)$")
    rows: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=30.0, gt=0, le=3600)


class Door:
    """Who is asking, and what that person may do."""

    def __init__(self, local_token: str, users: list[WebUser]) -> None:
        own = hashlib.sha256(local_token.encode()).hexdigest()
        self._known: list[tuple[str, str, Role]] = [(own, "local", "admin")]
        self._known += [(user.token_sha256, user.name, user.role) for user in users]

    def who(self, request: web.Request) -> tuple[str, Role] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        digest = hashlib.sha256(token.strip().encode()).hexdigest()
        matches = [(name, role) for known, name, role in self._known if hmac.compare_digest(known, digest)]
        return matches[0] if matches else None


def application(desk: Desk, door: Door, ready: Callable[[], bool]) -> web.Application:
    """The whole HTTP side over one desk."""
    api = Api(desk, ready)
    app = web.Application(client_max_size=LARGEST_REQUEST, middlewares=[_answers_in_json, _guard(door)])
    app.add_routes(
        [
            web.get("/healthz", api.alive),
            web.get("/readyz", api.ready),
            web.get("/metrics", api.metrics),
            web.post("/api/query", api.query),
            web.get("/api/status", api.status),
            web.get("/api/findings", api.findings),
            web.post("/api/errands/{name}", api.errand),
        ]
    )
    return app


@web.middleware
async def _answers_in_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every mistake is one JSON object with a sentence; a fault of ours is logged and tells nothing of the inside."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = _problem(error.status, error.reason)
    except (Refused, Misuse, ValidationError) as error:
        response = _problem(400, _sentence(error))
    except Stopped as error:
        response = _problem(408, str(error))
    except (Failure, QueryFailed) as error:
        response = _problem(409, str(error))
    except Exception:
        log.exception("request_failed", extra={"facts": {"path": request.path}})
        response = _problem(500, "the service failed; its log says why")
    response.headers.update(HEADERS)
    return response


def _sentence(error: Exception) -> str:
    return sentence(error) if isinstance(error, ValidationError) else str(error)


def _problem(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)


def _guard(door: Door) -> Any:  # noqa: ANN401  (aiohttp's middleware type is private)
    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path in OPEN_TO_ALL:
            return await handler(request)
        who = door.who(request)
        if who is None:
            raise web.HTTPUnauthorized(reason="a bearer token is wanted")
        request["user"], request["role"] = who
        return await handler(request)

    return guard


class Api:
    """The handlers; what touches the store runs in threads, so that slow questions do not hold up others."""

    def __init__(self, desk: Desk, ready: Callable[[], bool]) -> None:
        self.desk, self._ready = desk, ready

    async def alive(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(self, _request: web.Request) -> web.Response:
        return web.json_response({"ready": self._ready()}, status=200 if self._ready() else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            text=exposition(await self._answer(status.ShowStatus(forms=False))), content_type="text/plain"
        )

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._answer(status.ShowStatus()))

    async def findings(self, request: web.Request) -> web.Response:
        wanted = {key: request.query.getall(key) for key in request.query}
        single = {key: values[0] for key, values in wanted.items() if key != "states"}
        return web.json_response(await self._answer(findings.ListFindings.model_validate({**wanted, **single})))

    async def errand(self, request: web.Request) -> web.Response:
        kind = ERRANDS.get(request.match_info["name"])
        if kind is None:
            raise web.HTTPNotFound(reason="there is no such errand")
        if RANKS[request["role"]] < RANKS[kind.role]:
            raise web.HTTPForbidden(reason=f"this wants the role {kind.role}")
        errand = kind.model_validate_json(await request.text())
        return web.json_response(await self._answer(errand, request["user"]))

    async def query(self, request: web.Request) -> web.Response:
        asked = QueryRequest.model_validate_json(await request.text())
        result = await asyncio.to_thread(
            run_query,
            self.desk.db,
            asked.sql,
            asked.parameters,
            seconds=asked.seconds,
            rows=asked.rows or formats.row_limit(asked.format),
            asked_by=request["user"],
        )
        body = await asyncio.to_thread(formats.WRITERS[asked.format], result.table)
        headers = {"Content-Type": formats.MEDIA_TYPES[asked.format]}
        if result.truncated:
            headers["X-Hsmtrail-Truncated"] = str(result.table.num_rows)
        return web.Response(body=body, headers=headers)

    async def _answer(self, errand: Errand, user: str = "local") -> Any:  # noqa: ANN401
        return await asyncio.to_thread(errand.answer, self.desk.on_behalf_of(user))


def encode(document: object) -> bytes:
    """JSON as commands print it."""
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
