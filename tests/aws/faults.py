"""AWS on a bad day: a proxy before the emulator that refuses, cuts or loses the calls it is told to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from tests.proxy import Call, Cut, Lost, Reply, proxy_before

ENDLESS = 10_000


@dataclass(frozen=True)
class Refusal:
    """An error as AWS words it."""

    code: str
    message: str = "injected"
    status: int = 400


@dataclass(frozen=True)
class Told:
    """A good answer of a JSON protocol, in the place of the emulator's."""

    answer: Mapping[str, Any]


Fault = Refusal | Told | Cut | Lost

CLASSIC = "2012-06-01"
"""API version of load balancers of the first generation; the service is signed as that of the second."""
AS_BOTO3_SAYS = {"servicequotas": "service-quotas", "tagging": "resourcegroupstaggingapi"}
"""Services that are signed by another name than boto3's."""


@dataclass(frozen=True)
class Seen:
    """A call that came by: service (as boto3 calls it) and operation, and whether it met a fault."""

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
        """Let everything pass, and forget what came by."""
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
    """Service (as boto3 calls it) and operation of a call in any of AWS' protocols."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers("Authorization", ""))
    signed = scope.group(1) if scope else ""
    service = AS_BOTO3_SAYS.get(signed, signed)
    target = headers("X-Amz-Target", "")
    if target:
        return service, target.rpartition(".")[2]
    if "/operation/" in path:
        return service, path.rpartition("/operation/")[2]
    if "x-www-form-urlencoded" in headers("Content-Type", ""):
        asked = parse_qs(body.decode())
        if service == "elasticloadbalancing":
            service = "elb" if asked["Version"] == [CLASSIC] else "elbv2"
        return service, asked["Action"][0]
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


Answers = Callable[[str, str, Call], Reply | None]
"""An answer to an operation of a service; None leaves it to the emulator."""


def no_answers(_service: str, _operation: str, _call: Call) -> None:
    """Leave everything to the emulator."""


def json_reply(answer: Mapping[str, Any]) -> Reply:
    """A good answer of a JSON protocol."""
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


@contextmanager
def faults_before(url: str, instead: Answers = no_answers) -> Iterator[Faults]:
    """A proxy on a free port of loopback that hands everything on to `url` until it is told otherwise.

    `instead` answers what the emulator behind it does not have.
    """
    faults = Faults()

    def meet(call: Call) -> Reply | Cut | Lost | None:
        service, operation = named(call.method, call.path, call.header, call.body)
        fault = faults.meet(service, operation)
        if isinstance(fault, Refusal):
            return Reply(fault.status, *worded(fault, service, call.header("Content-Type", "")))
        if isinstance(fault, Told):
            return json_reply(fault.answer)
        if fault is not None:
            return fault
        return instead(service, operation, call)

    with proxy_before(url, meet) as faults.url:
        yield faults
