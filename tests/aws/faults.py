"""AWS on a bad day: a proxy before the emulator that refuses, cuts or loses the calls it is told to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs

from tests.proxy import Call, Cut, Lost, Reply, proxy_before

ENDLESS = 10_000


@dataclass(frozen=True)
class Refusal:
    """An error as AWS words it."""

    code: str
    message: str = "injected"
    status: int = 400


Fault = Refusal | Cut | Lost


@dataclass(frozen=True)
class Seen:
    """A call that came by: service and operation, and whether a fault was put in its way."""

    service: str
    operation: str
    refused: bool


class Faults:
    """What is in the way of the next calls, and what came by."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._operation = ""
        self._fault: Fault | None = None
        self._left = 0
        self._passing = 0

    def put(self, operation: str, fault: Fault, times: int = ENDLESS, *, after: int = 0) -> None:
        """Put a fault in the way of the next `times` calls of that operation, `after` so many that pass."""
        with self._lock:
            self.seen.clear()
            self._operation, self._fault, self._left, self._passing = operation, fault, times, after

    def clear(self) -> None:
        """Let everything pass."""
        self.put("", Cut(), 0)

    def meet(self, service: str, operation: str) -> Fault | None:
        """The fault that this call meets."""
        with self._lock:
            meets = operation == self._operation and self._left > 0
            if meets and self._passing > 0:
                self._passing -= 1
                meets = False
            if meets:
                self._left -= 1
            self.seen.append(Seen(service, operation, meets))
            return self._fault if meets else None


def named(method: str, path: str, headers: Callable[[str, str], str], body: bytes) -> tuple[str, str]:
    """Service (as it is signed) and operation of a call in any of AWS' protocols."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers("Authorization", ""))
    service = scope.group(1) if scope else ""
    target = headers("X-Amz-Target", "")
    if target:
        return service, target.rpartition(".")[2]
    if "/operation/" in path:
        return service, path.rpartition("/operation/")[2]
    if "x-www-form-urlencoded" in headers("Content-Type", ""):
        return service, parse_qs(body.decode())["Action"][0]
    if re.fullmatch(r"/clusters/[^/]+", path):
        return service, f"{'Describe' if method == 'GET' else method}Cluster"
    return service, {"/clusters": "ListClusters", "/cluster-versions": "DescribeClusterVersions"}.get(
        path.partition("?")[0], f"{method} {path}"
    )


def worded(refusal: Refusal, service: str, content_type: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of an error in the protocol that the call came in."""
    if "x-www-form-urlencoded" in content_type:
        error = f"<Error><Code>{refusal.code}</Code><Message>{refusal.message}</Message></Error>"
        body = f"<Response><Errors>{error}</Errors></Response>"
        if service != "ec2":
            body = f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
        return {"Content-Type": "text/xml"}, body.encode()
    kind = {"Content-Type": "application/json", "x-amzn-errortype": refusal.code}
    return kind, json.dumps({"__type": refusal.code, "message": refusal.message}).encode()


@contextmanager
def faults_before(url: str) -> Iterator[Faults]:
    """A proxy on a free port of loopback that hands everything on to `url` until it is told otherwise."""
    faults = Faults()

    def meet(call: Call) -> Reply | Cut | Lost | None:
        service, operation = named(call.method, call.path, call.header, call.body)
        fault = faults.meet(service, operation)
        if isinstance(fault, Refusal):
            return Reply(fault.status, *worded(fault, service, call.header("Content-Type", "")))
        return fault

    with proxy_before(url, meet) as faults.url:
        yield faults
