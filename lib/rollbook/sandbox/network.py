"""Addresses of a sandbox: its subnet of the loopback network, and free ports on 127.0.0.1."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.files import write_json

NODE_PORT = 10250
"""Where a kubelet listens, and our node agent too: on the node's own address, so it is free for each."""

FIRST_SUBNET = 64
LAST_SUBNET = 250

FIRST_PORT = 20000
LAST_PORT = 31999
"""Below those that the kernel gives to outgoing connections (from 32768): a component that is started again
must not find that somebody's connection has its port."""

PORTS = (
    "etcd",
    "etcd-peer",
    "etcd-metrics",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "argo-rollouts-metrics",
    "argo-rollouts-health",
    "edge",
    "traefik-metrics",
    "prometheus",
    "alertmanager",
    "alert-receiver",
    "judge",
    "ministack",
)


@dataclass(frozen=True)
class Addresses:
    """What a sandbox listens on. `subnet` holds the first two bytes, such as `127.71`."""

    subnet: str
    ports: Mapping[str, int]

    @property
    def node_ip(self) -> str:
        """Address of the node and its agent."""
        return f"{self.subnet}.0.1"

    def url(self, port: str, *, scheme: str = "http") -> str:
        """URL of one of the ports."""
        return f"{scheme}://127.0.0.1:{self.ports[port]}"


def choose(tag: str, remembered: Path, more: Sequence[str] = ()) -> Addresses:
    """Addresses for the home with that tag: the remembered ones that are free, new ones for the others.

    `more` names ports beside those that every sandbox has.
    """
    subnet, ports = _remembered(remembered)
    return Addresses(free_subnet(tag, subnet), free_ports((*PORTS, *more), ports, tag=tag))


def remember(addresses: Addresses, file: Path) -> None:
    """Write the addresses down for `choose`."""
    write_json(file, {"subnet": addresses.subnet, "ports": dict(addresses.ports)})


def remembered_ports(file: Path) -> frozenset[int]:
    """The port numbers that `remember` wrote down; none when there is no such file."""
    return frozenset(_remembered(file)[1].values())


def free_ports(
    names: Sequence[str], wanted: Mapping[str, int] | None = None, *, tag: str = ""
) -> dict[str, int]:
    """A free port of 127.0.0.1 for each name: the wanted one if it can be had, else one from the tag's on.

    All are held until all are found, so that no two are the same.
    """
    wanted = wanted or {}
    count = LAST_PORT - FIRST_PORT + 1
    first = (int(tag, 16) if tag else random.SystemRandom().randrange(count)) % count
    candidates = (FIRST_PORT + (first + offset) % count for offset in range(count))
    found: dict[str, int] = {}
    with ExitStack() as held:
        # The wanted ones first: no other name may take them.
        for name in (name for name in names if name in wanted):
            listener = _bound("127.0.0.1", wanted[name])
            if listener is not None:
                held.enter_context(closing(listener))
                found[name] = wanted[name]
        for name in (name for name in names if name not in found):
            for candidate in candidates:
                listener = _bound("127.0.0.1", candidate)
                if listener is not None:
                    held.enter_context(closing(listener))
                    found[name] = candidate
                    break
            else:
                raise EnvironmentFailedError(
                    f"no port of 127.0.0.1 between {FIRST_PORT} and {LAST_PORT} is free"
                )
    return found


def free_subnet(tag: str, wanted: str = "") -> str:
    """A subnet `127.X` whose node address is not in use: the wanted one, else the tag's, else the next."""
    count = LAST_SUBNET - FIRST_SUBNET + 1
    first = int(tag, 16) % count
    candidates = [f"127.{FIRST_SUBNET + (first + offset) % count}" for offset in range(count)]
    if wanted:
        candidates.insert(0, wanted)
    for candidate in candidates:
        listener = _bound(f"{candidate}.0.1", NODE_PORT)
        if listener is not None:
            listener.close()
            return candidate
    raise EnvironmentFailedError(
        f"no subnet between 127.{FIRST_SUBNET}.0.0 and 127.{LAST_SUBNET}.0.0 is free",
        why=f"port {NODE_PORT} cannot be bound on any of them",
        next_step="Run `rollbook doctor`.",
    )


def can_bind(address: str, port: int = 0) -> bool:
    """Whether a TCP port of that address can be listened on."""
    listener = _bound(address, port)
    if listener is None:
        return False
    listener.close()
    return True


def _bound(address: str, port: int) -> socket.socket | None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Ports of connections that were just closed are free again for servers; theirs set this option too.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(1)
    except OSError:
        listener.close()
        return None
    return listener


def _remembered(file: Path) -> tuple[str, dict[str, int]]:
    try:
        value = json.loads(file.read_text())
        ports = {name: int(port) for name, port in value["ports"].items() if 1024 <= int(port) <= 65535}
        subnet = str(value["subnet"])
        known = {f"127.{number}" for number in range(FIRST_SUBNET, LAST_SUBNET + 1)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", {}
    return (subnet if subnet in known else ""), ports
