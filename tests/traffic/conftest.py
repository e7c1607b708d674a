"""An edge on a loopback port whose answer depends on the path, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

import pytest

from rollbook.domain.traffic import TrafficPlan

ANSWERS = {
    "/ok": b"HTTP/1.1 200 OK\r\nX-App-Version: 1.0.0\r\nX-App-Pod: pod-1\r\nContent-Length: 2\r\n\r\nhi",
    "/converted": b"HTTP/1.1 200 OK\r\nX-App-Version: 1\r\nX-App-Converted: 1\r\nContent-Length: 0\r\n\r\n",
    "/broken": b"HTTP/1.1 500 Oops\r\nX-App-Version: 2.0.0\r\nX-App-Pod: pod-2\r\nContent-Length: 0\r\n\r\n",
    "/teapot": b"HTTP/1.1 418 No\r\nX-App-Version: 1.0.0\r\nContent-Length: 0\r\n\r\n",
    "/no-endpoint": b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
    "/no-route": b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
    "/cut": b"HTTP/1.1 200 OK\r\nX-App-Version: 1.0.0\r\nContent-Length: 100\r\n\r\nhalf",
}


@dataclass
class Edge:
    """The running edge: its port, and what requests said in their Host and X-Request-Id headers."""

    port: int
    hosts: set[str]
    ids: list[str]
    users: list[tuple[str, str]] = field(default_factory=list)
    """User and variant, as the headers of requests had them."""

    def plan(self, *paths: str, rps: float = 50, duration_s: float = 0.5) -> TrafficPlan:
        """A plan that sends to these paths in turn."""
        return TrafficPlan(
            url=f"http://127.0.0.1:{self.port}",
            host="hello.test",
            paths=paths or ("/ok",),
            rps=rps,
            duration_s=duration_s,
            timeout_s=0.5,
            version_header="X-App-Version",
            pod_header="X-App-Pod",
        )


async def _headers(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, str]]:
    """The headers of a request, names in lower case."""
    while (header := await reader.readline()) not in {b"\r\n", b""}:
        name, _, value = header.decode().partition(":")
        yield name.lower(), value.strip()


def _hear(edge: Edge, headers: list[tuple[str, str]]) -> None:
    """Keep what a request says of itself."""
    named = dict(headers)
    edge.hosts |= {value for name, value in headers if name == "host"}
    edge.ids += [value for name, value in headers if name == "x-request-id"]
    if "x-user-id" in named:
        edge.users.append((named["x-user-id"], named.get("x-variant", "")))


async def _serve(edge: Edge, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    served = 0
    try:
        while line := await reader.readline():
            path = line.split()[1].decode()
            _hear(edge, [header async for header in _headers(reader)])
            if path == "/hang":
                await asyncio.sleep(3)
            if path == "/second-breaks" and served == 0:
                path = "/ok"
            served += 1
            if path in ANSWERS:
                writer.write(ANSWERS[path])
                await writer.drain()
            if path not in ANSWERS or path == "/cut":
                break
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
def edge() -> Iterator[Edge]:
    loop = asyncio.new_event_loop()
    found = Edge(port=0, hosts=set(), ids=[])
    listening = socket.create_server(("127.0.0.1", 0))
    found.port = listening.getsockname()[1]
    loop.run_until_complete(
        asyncio.start_server(lambda reader, writer: _serve(found, reader, writer), sock=listening)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield found
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    listening.close()
    loop.close()


@pytest.fixture
def dead_plan(edge: Edge) -> TrafficPlan:
    """A plan whose edge listens no more."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return replace(edge.plan(), url=f"http://127.0.0.1:{port}")
