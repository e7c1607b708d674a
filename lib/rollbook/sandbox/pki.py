"""Keys and certificates of one sandbox: made new for each, valid for nothing else, readable by nobody else.

There are three authorities. The cluster's signs the API server and its clients; etcd's signs etcd and
the API server as its only client; the node's signs the one client that the node agent answers to. A
component's certificate is thus of no use at a door that is not its own.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rollbook.sandbox.files import write_private
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.manifests import ARGO_USER, PROMETHEUS_USER, TRAEFIK_USER

VALID_FOR = timedelta(days=365)
CLOCK_TOLERANCE = timedelta(minutes=5)
NODE_NAME = "sandbox"
ADMIN = "admin"

USERS: dict[str, tuple[str, str]] = {
    ADMIN: ("rollbook-admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "node-agent": (f"system:node:{NODE_NAME}", "system:nodes"),
    ARGO_USER: (ARGO_USER, ""),
    TRAEFIK_USER: (TRAEFIK_USER, ""),
    PROMETHEUS_USER: (PROMETHEUS_USER, ""),
}
"""Clients of the API server: file name, and the user and group that the certificate claims."""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority whose own key is never written down."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_TOLERANCE)
            .not_valid_after(now + VALID_FOR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        common_name: str,
        *,
        organization: str = "",
        addresses: Sequence[str] = (),
        names: Sequence[str] = (),
        server: bool = False,
        client: bool = False,
    ) -> tuple[bytes, bytes]:
        """A new certificate and its key, PEM. `addresses` and `names` are those a server is reached by."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if organization:
            subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
        usages = [ExtendedKeyUsageOID.SERVER_AUTH] * server + [ExtendedKeyUsageOID.CLIENT_AUTH] * client
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_TOLERANCE)
            .not_valid_after(now + VALID_FOR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)


@dataclass(frozen=True)
class Pki:
    """Files of the sandbox's keys and certificates, beneath the home's `pki` folder."""

    folder: Path

    @property
    def cluster_ca(self) -> Path:
        """Verifies the API server, controller-manager, scheduler and node agent, and their clients."""
        return self.folder / "cluster-ca.crt"

    @property
    def etcd_ca(self) -> Path:
        """Verifies etcd and its client."""
        return self.folder / "etcd-ca.crt"

    @property
    def node_client_ca(self) -> Path:
        """Verifies the node agent's one client, the API server."""
        return self.folder / "node-client-ca.crt"

    @property
    def service_account_key(self) -> Path:
        """Signs the tokens of ServiceAccounts."""
        return self.folder / "service-account.key"

    @property
    def service_account_public(self) -> Path:
        """Verifies the tokens of ServiceAccounts."""
        return self.folder / "service-account.pub"

    def pair(self, name: str) -> KeyPair:
        """One certificate and its key by name."""
        return KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")


def create_pki(
    home: SandboxHome,
    *,
    node_ip: str,
    apiserver_url: str,
    service_ip: str,
    more: Mapping[str, tuple[str, str]] | None = None,
) -> Pki:
    """Make all keys, certificates and kubeconfigs of a new sandbox; `more` are users beside `USERS`."""
    pki = Pki(home.pki)
    cluster, etcd, node_client = (
        Authority(f"rollbook {name}") for name in ("cluster", "etcd", "node client")
    )
    write_private(pki.cluster_ca, cluster.pem)
    write_private(pki.etcd_ca, etcd.pem)
    write_private(pki.node_client_ca, node_client.pem)
    loopback = ["127.0.0.1"]
    _write(
        pki,
        "apiserver",
        cluster.issue(
            "kube-apiserver",
            addresses=["127.0.0.1", node_ip, service_ip],
            names=["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
            server=True,
        ),
    )
    for name in ("kube-controller-manager-server", "kube-scheduler-server"):
        _write(pki, name, cluster.issue(name, addresses=loopback, names=["localhost"], server=True))
    _write(pki, "node-server", cluster.issue(f"system:node:{NODE_NAME}", addresses=[node_ip], server=True))
    _write(pki, "etcd", etcd.issue("etcd", addresses=loopback, server=True, client=True))
    _write(pki, "etcd-client", etcd.issue("kube-apiserver", client=True))
    _write(pki, "node-client", node_client.issue("kube-apiserver", client=True))
    for name, (user, group) in {**USERS, **(more or {})}.items():
        pair = cluster.issue(user, organization=group, client=True)
        _write(pki, name, pair)
        kubeconfig = kubeconfig_json(apiserver_url, ca=cluster.pem, cert=pair[0], key=pair[1], user=user)
        write_private(home.kubeconfig(name), kubeconfig)
    signer = ec.generate_private_key(ec.SECP256R1())
    write_private(pki.service_account_key, _key_pem(signer))
    public = signer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(pki.service_account_public, public)
    return pki


def kubeconfig_json(server: str, *, ca: bytes, cert: bytes, key: bytes, user: str) -> bytes:
    """A kubeconfig that needs no other file; JSON, which is YAML too."""

    def encoded(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    value = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "rollbook", "cluster": {"server": server, "certificate-authority-data": encoded(ca)}}
        ],
        "users": [
            {
                "name": user,
                "user": {"client-certificate-data": encoded(cert), "client-key-data": encoded(key)},
            }
        ],
        "contexts": [{"name": "rollbook", "context": {"cluster": "rollbook", "user": user}}],
        "current-context": "rollbook",
    }
    return json.dumps(value, indent=1).encode() + b"\n"


def _write(pki: Pki, name: str, pair: tuple[bytes, bytes]) -> None:
    files = pki.pair(name)
    write_private(files.cert, pair[0])
    write_private(files.key, pair[1])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    # SEC1 ("EC PRIVATE KEY"): the one form that all of Kubernetes' readers of keys accept.
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
