"""Where users reach the edge of a cluster: the address of the load balancer of Traefik's Service."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Sequence
from typing import Any

from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.kubernetes.manifests import read
from rollbook.kubernetes.rest import ApiServer
from rollbook.ports import Manifest

HTTP = 80
ENTRY_POINT = "web"
"""What Traefik's chart names the port of plain HTTP."""
POLL_S = 1.0
GIVE_IT = "Give the address that users reach it at (`edge` in the service file's `addresses`)."


def edge_url(
    server: ApiServer,
    namespace: str = "traefik",
    service: str = "traefik",
    *,
    timeout_s: float,
    port: int | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """URL of plain HTTP at the Service's load balancer: its name rather than its IP, no slash at the end.

    Waits up to `timeout_s` seconds while the load balancer is being made. `port` is the Service's; without
    one, that of its port `web`, or 80. DNS may take minutes to know a new name; that is not waited for.
    NotFoundError when there is no such Service. EnvironmentFailedError when it has no load balancer, or not
    in time, or does not have the port.
    """
    told = f"Service {namespace}/{service}"
    path = f"/api/v1/namespaces/{namespace}/services/{service}"
    deadline = monotonic() + timeout_s
    while True:
        found = read(server, path)
        if found is None:
            raise NotFoundError(
                f"there is no {told}", next_step=f"Install Traefik, where it is not there yet. {GIVE_IT}"
            )
        kind = str(found["spec"].get("type") or "ClusterIP")
        if kind != "LoadBalancer":
            raise EnvironmentFailedError(
                f"{told} does not say where users reach it", why=f"its type is {kind}", next_step=GIVE_IT
            )
        number = _port(found, port, told)
        host = _host(found)
        if host:
            return f"http://{host}" if number == HTTP else f"http://{host}:{number}"
        if monotonic() >= deadline:
            raise EnvironmentFailedError(
                f"{told} has had no load balancer for {timeout_s:g} s",
                why="its status names none",
                next_step=f"Look at its events (`kubectl describe service {service} -n {namespace}`): "
                "the controller that makes load balancers writes there what is in its way.",
            )
        sleep(POLL_S)


def _port(service: Manifest, wanted: int | None, told: str) -> int:
    ports: Sequence[Any] = service["spec"].get("ports") or ()
    numbers = [int(each["port"]) for each in ports]
    named = next((int(each["port"]) for each in ports if each.get("name") == ENTRY_POINT), HTTP)
    number = named if wanted is None else wanted
    if number not in numbers:
        raise EnvironmentFailedError(
            f"{told} has no port {number}",
            why=f"its ports are {', '.join(map(str, numbers)) or 'none'}",
            next_step=GIVE_IT,
        )
    return number


def _host(service: Manifest) -> str:
    """The load balancer's first name, else its first IP (in brackets where it is of version 6); or empty."""
    points: Sequence[Any] = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    name = next((str(each["hostname"]) for each in points if each.get("hostname")), "")
    if name:
        return name
    ip = next((str(each["ip"]) for each in points if each.get("ip")), "")
    return f"[{ip}]" if ip and ipaddress.ip_address(ip).version == 6 else ip
