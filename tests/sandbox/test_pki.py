"""Keys and certificates: who may talk to whom."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.pki import USERS, Pki, create_pki


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> SandboxHome:
    """A home with keys."""
    made = SandboxHome(tmp_path_factory.mktemp("home"))
    made.create()
    create_pki(made, node_ip="127.70.0.1", apiserver_url="https://127.0.0.1:6443", service_ip="10.96.0.1")
    return made


def test_every_file_is_closed_to_others(home: SandboxHome) -> None:
    """Keys, certificates and kubeconfigs have mode 0600, their folders 0700."""
    files = [path for path in home.root.rglob("*") if path.is_file()]
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files}
    assert {0o700} == {folder.stat().st_mode & 0o777 for folder in (home.pki, home.config, home.root)}


@pytest.mark.parametrize("name", sorted(USERS))
def test_a_client_certificate_says_who_it_is(home: SandboxHome, name: str) -> None:
    """User and group are those that the API server authorises."""
    certificate = x509.load_pem_x509_certificate(Pki(home.pki).pair(name).cert.read_bytes())
    user, group = USERS[name]
    assert [user] == [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [group] * bool(group) == [one.value for one in groups]


def test_a_kubeconfig_needs_no_other_file(home: SandboxHome) -> None:
    """Certificates are inside, TLS is verified, nothing is skipped."""
    value = json.loads(home.kubeconfig("admin").read_text())
    cluster = value["clusters"][0]["cluster"]
    assert {"server", "certificate-authority-data"} == set(cluster)
    assert base64.b64decode(cluster["certificate-authority-data"]) == Pki(home.pki).cluster_ca.read_bytes()


def test_no_authority_key_is_written_down(home: SandboxHome) -> None:
    """Nobody can issue another certificate for this sandbox."""
    assert [] == [path.name for path in home.pki.glob("*ca*.key")]


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Empty when both sides are content, else what the client saw."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _address = listener.accept()
        try:
            with server.wrap_socket(connection, server_side=True) as stream:
                stream.sendall(b"x")
        except OSError:
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with (
            socket.create_connection(listener.getsockname(), timeout=60) as raw,
            client.wrap_socket(raw, server_hostname=name) as stream,
        ):
            return "" if stream.recv(1) == b"x" else "closed"
    except OSError as error:
        return str(error) or "refused"
    finally:
        thread.join()
        listener.close()


def contexts(
    pki: Pki, *, server: str, client_ca: Path, client: str, server_ca: Path
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts of a server that asks for certificates, and of a client that has one."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    serving.verify_mode = ssl.CERT_REQUIRED
    serving.load_cert_chain(pki.pair(server).cert, pki.pair(server).key)
    calling = ssl.create_default_context(cafile=server_ca)
    calling.load_cert_chain(pki.pair(client).cert, pki.pair(client).key)
    return serving, calling


@pytest.mark.parametrize(
    ("server", "authority", "client", "name", "works"),
    [
        ("apiserver", "cluster_ca", "admin", "127.0.0.1", True),
        ("apiserver", "cluster_ca", "admin", "127.70.0.1", True),
        ("apiserver", "cluster_ca", "admin", "127.71.0.1", False),
        ("apiserver", "cluster_ca", "etcd-client", "127.0.0.1", False),
        ("apiserver", "cluster_ca", "node-client", "127.0.0.1", False),
        ("etcd", "etcd_ca", "etcd-client", "127.0.0.1", True),
        ("etcd", "etcd_ca", "admin", "127.0.0.1", False),
        ("node-server", "node_client_ca", "node-client", "127.70.0.1", True),
        ("node-server", "node_client_ca", "admin", "127.70.0.1", False),
        ("node-server", "node_client_ca", "prometheus", "127.70.0.1", False),
    ],
)
def test_a_certificate_opens_its_own_door_only(
    home: SandboxHome, server: str, authority: str, client: str, name: str, *, works: bool
) -> None:
    """etcd and the node answer the API server alone, and no server is taken for another."""
    pki = Pki(home.pki)
    server_ca = pki.etcd_ca if server == "etcd" else pki.cluster_ca
    serving, calling = contexts(
        pki, server=server, client_ca=getattr(pki, authority), client=client, server_ca=server_ca
    )
    assert works == (handshake(serving, calling, name) == "")
