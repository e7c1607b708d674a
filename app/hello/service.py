"""The service's routes, and the layer around them that names, times and counts every answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hello.faults import Load, Share, misbehave
from hello.metrics import Metrics
from hello.settings import Settings

HELLO = "/"
INTERNAL = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by the cluster and not by users: these are not counted."""
SLOW_S = 0.3
"""An answer that took longer is logged like a failed one; with `ACCESS_LOG` every request is."""
USER_HEADER, OUTCOME_HEADER = "X-User-Id", "X-App-Converted"
"""Who asks, where users have names, and whether that user did what the page is there for."""
_ID_HEADER = b"x-request-id"
_SOUND_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""What a log line, a header and an exemplar can hold; any other id is replaced."""
_FAILURE = "hello.failure"
"""Where a route leaves in the scope why it failed, for the log."""


def service(settings: Settings) -> ASGIApp:
    """The service as an ASGI application."""
    metrics = Metrics(settings.version, paths=frozenset({HELLO}))
    routes = _Routes(settings, metrics)
    app = Starlette(
        routes=[
            Route(HELLO, routes.hello),
            Route("/healthz", routes.healthz),
            Route("/readyz", routes.readyz),
            Route("/metrics", routes.metrics),
        ],
        lifespan=routes.lifespan,
    )
    return Observed(app, settings, metrics)


class _Routes:
    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._faults = settings.faults
        self._metrics = metrics
        self._fails = Share(self._faults.error_share)
        self._load = Load(self._faults.overload_rps)
        self._delayed = Share(self._faults.latency_share if self._faults.latency_s else 0.0)
        self._answer = {
            "message": settings.greeting,
            "version": settings.version,
            "pod": settings.pod,
            "token": "present" if settings.has_token else "absent",
        }

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        fault = asyncio.create_task(misbehave(self._faults))
        try:
            yield
        finally:
            fault.cancel()

    async def hello(self, request: Request) -> Response:
        if self._load.too_many(time.monotonic()):
            return _failed(request, "fault injected: too many requests at once", 503)
        if self._delayed.pick():
            await asyncio.sleep(self._faults.latency_s)
        if self._fails.pick():
            return _failed(request, "fault injected", 500)
        user = request.headers.get(USER_HEADER, "")
        return JSONResponse(self._answer, headers=self._outcome(user) if user else None)

    def _outcome(self, user: str) -> dict[str, str]:
        """Whether a user converts, drawn by a hash of the id: the same at each visit and in each pod."""
        drawn = int.from_bytes(hashlib.sha256(f"conversion:{user}".encode()).digest()[:8], "big") / 2**64
        converts = drawn < self._settings.conversion_rate
        if converts:
            self._metrics.converted()
        return {OUTCOME_HEADER: "1" if converts else "0"}

    async def healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        if self._faults.never_ready:
            return PlainTextResponse("fault injected: never ready\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def metrics(self, request: Request) -> Response:
        if self._faults.no_metrics:
            return PlainTextResponse("fault injected: no metrics\n", status_code=503)
        content, content_type = self._metrics.exposition(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": content_type})


def _failed(request: Request, why: str, code: int) -> Response:
    request.scope[_FAILURE] = why
    return JSONResponse({"error": why}, status_code=code)


class Observed:
    """Adds version, pod and the request's id to every answer, errors too; counts those to users, and logs the
    failed and the slow ones. Plain ASGI, so cheap."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log_all = settings.access_log
        self._who = {"version": settings.version, "pod": settings.pod}
        self._headers = [
            (b"x-app-version", settings.version.encode()),
            (b"x-app-pod", settings.pod.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _id_of(scope)
        code = 0

        async def answer(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message["headers"], *self._headers, (_ID_HEADER, request_id)]
            await send(message)

        why = ""
        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            # Starlette has answered 500 by now; all that is left to do is to tell.
            why = f"{type(error).__name__}: {error}"
        finally:
            seconds = time.perf_counter() - began
            if scope["path"] not in INTERNAL:
                # Whoever asked was gone before an answer: nginx's number for it, as HTTP has none.
                code = code or 499
                name = request_id.decode()
                self._metrics.observe(code, scope["method"], scope["path"], seconds, name)
                if self._log_all or code >= 499 or seconds > SLOW_S:
                    self._write(scope, name, code, seconds, why or scope.get(_FAILURE, ""))

    def _write(self, scope: Scope, request_id: str, code: int, seconds: float, why: str) -> None:
        line = {
            "time": round(time.time(), 3),
            "level": "error" if code >= 499 else "warning" if seconds > SLOW_S else "info",
            "request_id": request_id,
            **self._who,
            "method": scope["method"],
            "path": scope["path"],
            "code": code,
            "seconds": round(seconds, 6),
        }
        if why:
            line["error"] = why
        print(json.dumps(line), flush=True)


def _id_of(scope: Scope) -> bytes:
    """The id that came with the request, a new one where none came or it cannot be used."""
    for name, value in scope["headers"]:
        if name == _ID_HEADER and _SOUND_ID.fullmatch(value):
            return bytes(value)
    return uuid.uuid4().hex.encode()
