from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.agent.config import AgentConfig

log = logging.getLogger(__name__)

Json = Mapping[str, Any]
"""A Kubernetes object as it came over the wire; parsed in `podspec` before anything else looks inside."""

GONE = 410
NOT_FOUND = 404
CONFLICT = 409
_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_WATCH_S = 290
_SILENCE_S = 120.0
"""Seconds without a byte (bookmarks come each minute) after which a watch is taken for dead."""


class ApiError(EnvironmentFailedError):
    """The API server refused a request (`status` is its HTTP code) or cannot be reached (`status` 0)."""

    def __init__(self, status: int, what: str, *, why: str = "") -> None:
        super().__init__(what, why=why)
        self.status = status


@dataclass(frozen=True)
class Listed:
    """All objects there are; what is not among them is gone."""

    items: tuple[Json, ...]


@dataclass(frozen=True)
class Changed:
    """One object was `ADDED`, `MODIFIED` or `DELETED`."""

    change: str
    item: Json


class ApiClient:
    """A REST client of the API server, authenticated by the node's certificate. Use as an async context."""

    def __init__(self, config: AgentConfig) -> None:
        self._url = config.apiserver.rstrip("/")
        self._tls = ssl.create_default_context(cafile=str(config.ca))
        self._tls.load_cert_chain(config.cert, config.key)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> ApiClient:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=40),
            timeout=aiohttp.ClientTimeout(total=30),
            headers={"Accept": "application/json", "User-Agent": "rollbook-agent"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ApiError(0, "the API client is used outside its context")
        return self._session

    async def request(
        self,
        verb: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Json:
        """One request, and its answer as JSON. ApiError when it is refused or cannot be made."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type} if data else {}
        try:
            async with self._http.request(
                verb, self._url + path, data=data, params=params, headers=headers
            ) as answer:
                content = await answer.read()
                if answer.status >= 400:
                    raise ApiError(answer.status, f"{verb} {path} was refused", why=_message(content))
                decoded = json.loads(content) if content else {}
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiError(0, f"{verb} {path} failed", why=str(error) or type(error).__name__) from error
        return decoded if isinstance(decoded, dict) else {}

    async def get(self, path: str) -> Json:
        """GET one object. ApiError with status 404 when it is not there."""
        return await self.request("GET", path)

    async def post(self, path: str, body: Json) -> Json:
        """POST an object."""
        return await self.request("POST", path, body)

    async def patch(self, path: str, body: Json) -> Json:
        """Strategic merge patch."""
        return await self.request("PATCH", path, body, content_type="application/strategic-merge-patch+json")

    async def put(self, path: str, body: Json) -> Json:
        """Replace an object."""
        return await self.request("PUT", path, body)

    async def delete(self, path: str, body: Json) -> Json:
        """DELETE with options (grace period, preconditions)."""
        return await self.request("DELETE", path, body)

    async def follow(self, path: str, selector: str) -> AsyncIterator[Listed | Changed]:
        """List, then watch, for ever: a broken watch goes on where it broke, an expired one starts anew."""
        failures = 0
        while True:
            try:
                answer = await self.request("GET", path, params={"fieldSelector": selector})
            except ApiError as error:
                log.warning("%s", error)
                await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1
                continue
            failures = 0
            yield Listed(tuple(answer.get("items") or ()))
            version = str(answer.get("metadata", {}).get("resourceVersion", ""))
            async for event in self._watch(path, selector, version):
                yield event
            await asyncio.sleep(_RETRY_S[0])

    async def _watch(self, path: str, selector: str, version: str) -> AsyncIterator[Changed]:
        """Watch from `version` until the server says that it has expired."""
        failures = 0
        while True:
            params = {
                "watch": "true",
                "allowWatchBookmarks": "true",
                "fieldSelector": selector,
                "resourceVersion": version,
                "timeoutSeconds": str(_WATCH_S),
            }
            try:
                async for line in self._lines(path, params):
                    event = json.loads(line)
                    change, item = event["type"], event["object"]
                    if change == "ERROR":
                        log.info("watch of %s ended: %s", path, item.get("message"))
                        return
                    version = item["metadata"]["resourceVersion"]
                    failures = 0
                    if change != "BOOKMARK":
                        yield Changed(change, item)
            except ApiError as error:
                if error.status == GONE:
                    return
                log.warning("%s", error)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
                log.info("watch of %s broke: %r", path, error)
            if failures:
                await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S)) - 1])
            failures += 1

    async def _lines(self, path: str, params: Mapping[str, str]) -> AsyncIterator[bytes]:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_S)
        async with self._http.get(self._url + path, params=params, timeout=timeout) as answer:
            if answer.status >= 400:
                raise ApiError(answer.status, f"watch of {path} refused", why=_message(await answer.read()))
            # Not `readline()`: it refuses lines beyond its buffer, and objects may be longer.
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield line


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace")
