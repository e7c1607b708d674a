"""The service's routes, and the layer around them that names, times and counts every answer."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hello.faults import Share, misbehave
from hello.metrics import CONTENT_TYPE, Metrics
from hello.settings import Settings

HELLO = "/"
INTERNAL = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by the cluster and not by users: these are not counted."""


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

    async def hello(self, _request: Request) -> Response:
        if self._delayed.pick():
            await asyncio.sleep(self._faults.latency_s)
        if self._fails.pick():
            return JSONResponse({"error": "fault injected"}, status_code=500)
        return JSONResponse(self._answer)

    async def healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        if self._faults.never_ready:
            return PlainTextResponse("fault injected: never ready\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def metrics(self, _request: Request) -> Response:
        return Response(self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


class Observed:
    """Adds version and pod to every answer, errors too, and counts those to users; plain ASGI, so cheap."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = settings.access_log
        self._headers = [
            (b"x-app-version", settings.version.encode()),
            (b"x-app-pod", settings.pod.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        code = 0

        async def answer(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            # Starlette has answered 500 by now; all that is left to do is to tell.
            print(f"hello: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            seconds = time.perf_counter() - began
            if scope["path"] not in INTERNAL:
                self._metrics.observe(code or 499, scope["method"], scope["path"], seconds)
                if self._log:
                    self._write(scope, code, seconds)

    def _write(self, scope: Scope, code: int, seconds: float) -> None:
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"").decode("latin-1") or uuid.uuid4().hex
        line = {
            "time": round(time.time(), 3),
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"],
            "code": code,
            "seconds": round(seconds, 6),
        }
        print(json.dumps(line), flush=True)
