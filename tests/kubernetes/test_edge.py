"""Where users reach the edge: Services of the sandbox's real cluster, whose status a test writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.kubernetes import sandboxed

from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.kubernetes.edge import edge_url
from rollbook.kubernetes.rest import ApiServer
from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def server(sandbox: Sandbox) -> ApiServer:
    return sandboxed.admin(sandbox)


@pytest.fixture(scope="module")
def place(server: ApiServer) -> Iterator[str]:
    with sandboxed.namespace(server, "edge") as name:
        yield name


def _service(
    server: ApiServer,
    place: str,
    name: str,
    *,
    kind: str = "LoadBalancer",
    ports: Mapping[str, int] | None = None,
) -> str:
    given = [{"name": each, "port": port} for each, port in (ports or {"web": 80}).items()]
    spec = {"type": kind, "ports": given, "allocateLoadBalancerNodePorts": False}
    if kind != "LoadBalancer":
        del spec["allocateLoadBalancerNodePorts"]
    path = f"/api/v1/namespaces/{place}/services"
    sandboxed.create(server, path, {"metadata": {"name": name}, "spec": spec})
    return f"{path}/{name}"


def _balance(server: ApiServer, path: str, ingress: Sequence[Mapping[str, Any]]) -> None:
    """What a controller of load balancers writes."""
    status = {"status": {"loadBalancer": {"ingress": list(ingress)}}}
    server.request("PATCH", f"{path}/status", body=status, content_type="application/merge-patch+json")


@pytest.mark.parametrize(
    ("name", "ports", "ingress", "port", "expected"),
    [
        (
            "by-name",
            {"web": 80},
            [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}],
            None,
            "http://lb.example.com",
        ),
        ("by-ip", {"web": 80}, [{"ip": "192.0.2.1"}], None, "http://192.0.2.1"),
        ("by-ip6", {"web": 8000}, [{"ip": "2001:db8::1"}], None, "http://[2001:db8::1]:8000"),
        ("by-entry", {"websecure": 443, "web": 8000}, [{"ip": "192.0.2.1"}], None, "http://192.0.2.1:8000"),
        ("unnamed", {"http": 80, "other": 81}, [{"ip": "192.0.2.1"}], None, "http://192.0.2.1"),
        ("wanted", {"web": 80, "other": 81}, [{"ip": "192.0.2.1"}], 81, "http://192.0.2.1:81"),
    ],
)
def test_the_address_of_the_load_balancer(
    server: ApiServer,
    place: str,
    name: str,
    ports: Mapping[str, int],
    ingress: Sequence[Mapping[str, Any]],
    port: int | None,
    expected: str,
) -> None:
    """A name rather than an IP; the port of Traefik's entry point `web`, 80, or the one that is wanted."""
    _balance(server, _service(server, place, name, ports=ports), ingress)
    assert expected == edge_url(server, place, name, timeout_s=0.0, port=port)


def test_a_load_balancer_that_is_being_made_is_waited_for(server: ApiServer, place: str) -> None:
    """Its name is taken as soon as it is there."""
    path = _service(server, place, "slow")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            _balance(server, path, [{"hostname": "lb.example.com"}])

    assert "http://lb.example.com" == edge_url(server, place, "slow", timeout_s=60.0, sleep=sleep)
    assert 2 == len(waited)


def test_a_load_balancer_that_does_not_come(server: ApiServer, place: str) -> None:
    """The wait ends, and says where the reason is written."""
    _service(server, place, "never")
    times = iter((0.0, 29.0, 31.0))
    with pytest.raises(EnvironmentFailedError, match="no load balancer for 30 s") as caught:
        edge_url(
            server, place, "never", timeout_s=30.0, monotonic=lambda: next(times), sleep=lambda _seconds: None
        )
    assert f"kubectl describe service never -n {place}" in caught.value.next_step


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_a_service_without_a_load_balancer(server: ApiServer, place: str, kind: str) -> None:
    """It cannot say where users are: its type is named, and where to write the address."""
    name = kind.lower()
    _service(server, place, name, kind=kind)
    with pytest.raises(EnvironmentFailedError, match=f"its type is {kind}") as caught:
        edge_url(server, place, name, timeout_s=60.0)
    assert "`edge`" in caught.value.next_step


def test_a_service_without_plain_http(server: ApiServer, place: str) -> None:
    """A port that it does not have is told with those that it has, without a wait."""
    _service(server, place, "secure", ports={"websecure": 443})
    with pytest.raises(EnvironmentFailedError, match="no port 80: its ports are 443"):
        edge_url(server, place, "secure", timeout_s=60.0)


def test_a_service_that_is_not_there(server: ApiServer, place: str) -> None:
    """No Service is not waited for: Traefik is installed before a release."""
    with pytest.raises(NotFoundError, match=f"no Service {place}/nowhere"):
        edge_url(server, place, "nowhere", timeout_s=60.0)
