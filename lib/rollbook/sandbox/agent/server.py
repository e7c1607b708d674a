"""The kubelet's server: what the API server asks the node for."""

from __future__ import annotations

import json
import ssl
import time
from typing import Protocol

from aiohttp import web

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.agent.clock import parse_rfc3339
from rollbook.sandbox.agent.config import AgentConfig
from rollbook.sandbox.agent.logs import LogOptions, follow_log, read_log
from rollbook.sandbox.agent.pod import PodWorker

_REFUSED = ("exec", "attach", "portForward", "run")


class PodFinder(Protocol):
    """Knows the pods of the node."""

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """A pod by name; None when it is not on this node."""

    def pods(self) -> list[PodWorker]:
        """All pods."""


class KubeletServer:
    """Serves logs over TLS to clients that show a certificate of the cluster's authority.

    Who shows such a certificate may read every log: there is no authorization beyond that.
    """

    def __init__(self, config: AgentConfig, finder: PodFinder) -> None:
        self._config = config
        self._finder = finder
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. EnvironmentFailedError when the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/pods", self._pods)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        for verb in _REFUSED:
            app.router.add_route("*", f"/{verb}/{{rest:.*}}", self._not_served)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._config.serving_cert, self._config.serving_key)
        tls.load_verify_locations(self._config.client_ca)
        tls.verify_mode = ssl.CERT_REQUIRED
        try:
            await web.TCPSite(self._runner, self._config.node_ip, self._config.port, ssl_context=tls).start()
        except OSError as error:
            address = f"{self._config.node_ip}:{self._config.port}"
            raise EnvironmentFailedError(
                f"the node agent cannot listen on {address}", why=str(error)
            ) from error

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _pods(self, _request: web.Request) -> web.Response:
        names = [
            {"namespace": pod.spec.namespace, "name": pod.spec.name, "uid": pod.spec.uid, "ip": pod.address}
            for pod in self._finder.pods()
        ]
        return web.Response(text=json.dumps({"pods": names}), content_type="application/json")

    async def _not_served(self, request: web.Request) -> web.Response:
        verb = request.path.split("/")[1]
        text = f"{verb} is not served by the sandbox: its pods are host processes, look at them on the host\n"
        return web.Response(status=501, text=text)

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        match = request.match_info
        pod = self._finder.find(match["namespace"], match["pod"])
        container = None if pod is None else pod.container(match["container"])
        if container is None:
            label = f"{match['container']} of pod {match['namespace']}/{match['pod']}"
            return web.Response(status=404, text=f"container {label} has not started on this node\n")
        previous = _flag(request, "previous")
        folder = container.log_folder(previous=previous)
        if folder is None:
            which = "previous terminated container" if previous else "container"
            return web.Response(status=400, text=f"{which} {match['container']!r} has no log\n")
        try:
            options = _options(request)
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        if not _flag(request, "follow") or previous:
            return web.Response(body=read_log(folder, options), content_type="text/plain")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        async for piece in follow_log(folder, options, container.keeper):
            await response.write(piece)
        await response.write_eof()
        return response


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in {"true", "1"}


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if not text:
        return None
    if not text.isdigit():
        raise ValueError(f"{name} must be a whole number, not {text!r}")
    return int(text)


def _options(request: web.Request) -> LogOptions:
    seconds = _number(request, "sinceSeconds")
    since = None if seconds is None else time.time() - seconds
    if text := request.query.get("sinceTime"):
        since = parse_rfc3339(text)
    return LogOptions(
        tail_lines=_number(request, "tailLines"),
        limit_bytes=_number(request, "limitBytes"),
        since=since,
        timestamps=_flag(request, "timestamps"),
    )
