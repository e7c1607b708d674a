"""Ports and subnets."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox import network


def test_all_ports_are_different() -> None:
    """They are held until all are found."""
    ports = network.free_ports(network.PORTS)
    assert len(network.PORTS) == len(set(ports.values()))


def test_wanted_ports_are_used_when_they_are_free() -> None:
    """A bookmark in the user's browser stays good."""
    first = network.free_ports(("a", "b"))
    assert first == network.free_ports(("a", "b"), first)


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    """Only the taken one changes."""
    first = network.free_ports(("a", "b"))
    with socket.create_server(("127.0.0.1", first["a"])):
        second = network.free_ports(("a", "b"), first)
    assert first["a"] != second["a"]
    assert first["b"] == second["b"]


@given(st.binary(min_size=5, max_size=5))
def test_every_home_gets_a_subnet_of_the_range(tag: bytes) -> None:
    """Whatever the hash of a home is, its subnet is one that belongs to sandboxes."""
    subnet = network.free_subnet(tag.hex())
    assert network.FIRST_SUBNET <= int(subnet.removeprefix("127.")) <= network.LAST_SUBNET


def test_a_subnet_in_use_is_passed_over() -> None:
    """Two homes with the same hash still are two sandboxes."""
    first = network.free_subnet("00")
    with socket.create_server((f"{first}.0.1", network.NODE_PORT)):
        second = network.free_subnet("00")
    assert first != second


def test_addresses_are_remembered(tmp_path: Path) -> None:
    """The next sandbox of the home has the ports of the last."""
    file = tmp_path / "ports.json"
    first = network.choose("00", file)
    network.remember(first, file)
    assert first == network.choose("00", file)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"subnet": "10.1", "ports": {}}',
        '{"subnet": "127.70", "ports": {"edge": 80}}',
        '{"subnet": "127.70", "ports": {"edge": "x"}}',
        '{"subnet": "127.70", "ports": []}',
    ],
)
def test_a_damaged_memory_is_ignored(tmp_path: Path, content: str) -> None:
    """Whatever the file holds, addresses that can be used are found."""
    file = tmp_path / "ports.json"
    file.write_text(content)
    found = network.choose("00", file)
    assert found.subnet.startswith("127.")
    assert min(found.ports.values()) >= 1024


def test_remembered_file_is_closed_to_others(tmp_path: Path) -> None:
    """Files of a home are the user's own."""
    file = tmp_path / "ports.json"
    network.remember(network.Addresses("127.70", {"edge": 8080}), file)
    assert 0o600 == file.stat().st_mode & 0o777
    assert {"subnet": "127.70", "ports": {"edge": 8080}} == json.loads(file.read_text())


def test_no_free_subnet_is_an_error_that_says_so() -> None:
    """A machine on which every subnet is in use is told so."""
    with ExitStack() as held:
        for number in range(network.FIRST_SUBNET, network.LAST_SUBNET + 1):
            # Those that cannot be bound belong to other sandboxes.
            with suppress(OSError):
                address = (f"127.{number}.0.1", network.NODE_PORT)
                held.enter_context(socket.create_server(address))
        with pytest.raises(EnvironmentFailedError, match="is free"):
            network.free_subnet("00")
