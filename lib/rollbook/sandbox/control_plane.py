"""Command lines of Kubernetes itself: etcd, API server, controllers, scheduler, node."""

from __future__ import annotations

import sys

from rollbook import __version__
from rollbook.sandbox.network import NODE_PORT
from rollbook.sandbox.parts import LEAN, Parts
from rollbook.sandbox.pki import ADMIN
from rollbook.sandbox.units import Probe, Unit

SERVICE_RANGE = "10.96.0.0/16"
SERVICE_IP = "10.96.0.1"
"""Address of the API server's own Service; nothing routes it, certificates name it all the same."""

CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "job-controller",
    "endpointslice-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "pod-garbage-collector-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "taint-eviction-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
)
"""Those that a release meets; the others cost memory and find nothing to do here."""


def admin_probe(parts: Parts, path: str = "/readyz") -> Probe:
    """A question to the API server, asked as the administrator: anonymous requests are refused."""
    pair = parts.pki.pair(ADMIN)
    url = parts.addresses.url("kube-apiserver", scheme="https")
    return Probe(f"{url}{path}", str(parts.pki.cluster_ca), str(pair.cert), str(pair.key))


def etcd(parts: Parts) -> Unit:
    """The cluster's store, with TLS on both sides; nothing is fsynced, since `down` throws it away."""
    pair = parts.pki.pair("etcd")
    client = parts.addresses.url("etcd", scheme="https")
    peer = parts.addresses.url("etcd-peer", scheme="https")
    metrics = parts.addresses.url("etcd-metrics")
    argv = [
        str(parts.binaries.path("server")),
        "--name=sandbox",
        f"--data-dir={parts.home.data / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=sandbox={peer}",
        f"--listen-metrics-urls={metrics}",
        "--client-cert-auth",
        f"--trusted-ca-file={parts.pki.etcd_ca}",
        f"--cert-file={pair.cert}",
        f"--key-file={pair.key}",
        "--peer-client-cert-auth",
        f"--peer-trusted-ca-file={parts.pki.etcd_ca}",
        f"--peer-cert-file={pair.cert}",
        f"--peer-key-file={pair.key}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        "--auto-compaction-retention=10m",
    ]
    return parts.unit(
        "etcd",
        parts.binaries.versions["etcd"],
        argv,
        Probe(f"{metrics}/health"),
        endpoint=client,
        environment=LEAN,
    )


def apiserver(parts: Parts) -> Unit:
    """The API server: certificates only, Node and RBAC authorisation, ServiceAccounts on."""
    pki = parts.pki
    serving, etcd_client, node_client = (pki.pair(n) for n in ("apiserver", "etcd-client", "node-client"))
    argv = [
        str(parts.binaries.path("kube-apiserver")),
        f"--etcd-servers={parts.addresses.url('etcd', scheme='https')}",
        f"--etcd-cafile={pki.etcd_ca}",
        f"--etcd-certfile={etcd_client.cert}",
        f"--etcd-keyfile={etcd_client.key}",
        "--bind-address=127.0.0.1",
        f"--advertise-address={parts.addresses.node_ip}",
        # No Service has a route here, so nothing would read the endpoints of `kubernetes`.
        "--endpoint-reconciler-type=none",
        f"--secure-port={parts.addresses.ports['kube-apiserver']}",
        f"--tls-cert-file={serving.cert}",
        f"--tls-private-key-file={serving.key}",
        f"--client-ca-file={pki.cluster_ca}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={pki.service_account_key}",
        f"--service-account-key-file={pki.service_account_public}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--kubelet-certificate-authority={pki.cluster_ca}",
        f"--kubelet-client-certificate={node_client.cert}",
        f"--kubelet-client-key={node_client.key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--enable-priority-and-fairness=false",
        "--profiling=false",
        "--event-ttl=24h",
        "--shutdown-delay-duration=0s",
    ]
    return parts.unit(
        "kube-apiserver",
        parts.binaries.versions["kubernetes"],
        argv,
        admin_probe(parts),
        endpoint=parts.addresses.url("kube-apiserver", scheme="https"),
        needs=("etcd",),
        environment=LEAN,
    )


def controller_manager(parts: Parts) -> Unit:
    """Kubernetes' controllers, those that a release meets."""
    name = "kube-controller-manager"
    argv = [
        *_kubernetes_client(parts, name),
        f"--controllers={','.join(CONTROLLERS)}",
        f"--root-ca-file={parts.pki.cluster_ca}",
        f"--service-account-private-key-file={parts.pki.service_account_key}",
        # Each controller acts as its own ServiceAccount: only those have the rights to delete and to create.
        "--use-service-account-credentials=true",
        "--enable-dynamic-provisioning=false",
        # Each controller acts as its own ServiceAccount: the shared user may not create pods.
        "--use-service-account-credentials=true",
    ]
    return _kubernetes_unit(parts, name, argv)


def scheduler(parts: Parts) -> Unit:
    """The scheduler."""
    return _kubernetes_unit(parts, "kube-scheduler", _kubernetes_client(parts, "kube-scheduler"))


def _kubernetes_client(parts: Parts, name: str) -> list[str]:
    serving = parts.pki.pair(f"{name}-server")
    kubeconfig = parts.home.kubeconfig(name)
    return [
        str(parts.binaries.path(name)),
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={parts.addresses.ports[name]}",
        f"--tls-cert-file={serving.cert}",
        f"--tls-private-key-file={serving.key}",
        "--profiling=false",
    ]


def _kubernetes_unit(parts: Parts, name: str, argv: list[str]) -> Unit:
    url = parts.addresses.url(name, scheme="https")
    return parts.unit(
        name,
        parts.binaries.versions["kubernetes"],
        argv,
        Probe(f"{url}/healthz", str(parts.pki.cluster_ca)),
        endpoint=url,
        needs=("kube-apiserver",),
        environment=LEAN,
    )


def node_agent(parts: Parts) -> Unit:
    """The node: it runs the pods as processes of this machine."""
    pki = parts.pki
    pair = pki.pair("node-client")
    endpoint = f"https://{parts.addresses.node_ip}:{NODE_PORT}"
    # Its one client is the API server, so its health is asked for with the API server's certificate.
    probe = Probe(f"{endpoint}/healthz", str(pki.cluster_ca), str(pair.cert), str(pair.key))
    argv = [sys.executable, "-m", "rollbook.sandbox.agent", "--config", str(parts.home.config / "agent.json")]
    return parts.unit("node-agent", __version__, argv, probe, endpoint=endpoint, needs=("kube-apiserver",))
