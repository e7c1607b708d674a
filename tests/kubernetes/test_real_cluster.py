"""The adapter on the sandbox's real API server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from rollbook.errors import EnvironmentFailedError, ManifestRefusedError
from rollbook.kubernetes import KubernetesCluster, connect
from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.sandbox


@pytest.fixture
def cluster(sandbox: Sandbox) -> KubernetesCluster:
    return connect(sandbox.kubeconfig, kubectl=sandbox.kubectl)


@pytest.fixture
def namespace(cluster: KubernetesCluster) -> Iterator[str]:
    """The name of a namespace that is on its way out afterwards; the test makes it, or does not."""
    name = f"adapter-{uuid.uuid4().hex[:8]}"
    yield name
    with suppress(EnvironmentFailedError):  # five seconds later: nobody has to wait for it
        cluster.delete("Namespace", "", name, wait_s=0.0)


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _config(namespace: str, **data: str) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_what_an_apply_changed_is_told(cluster: KubernetesCluster, namespace: str) -> None:
    """Created, then unchanged, then configured; a field that is left out goes away."""
    manifests = [_config(namespace, a="1", b="2"), _namespace(namespace)]
    assert ["created", "created"] == [one.change for one in cluster.apply(manifests)]
    assert ["unchanged", "unchanged"] == [one.change for one in cluster.apply(manifests)]
    (applied,) = cluster.apply([_config(namespace, a="1")])
    assert "configured" == applied.change
    found = cluster.get("ConfigMap", namespace, "settings")
    assert found is not None
    assert {"a": "1"} == found["data"]


def test_a_dry_run_changes_nothing(cluster: KubernetesCluster, namespace: str) -> None:
    """The server says what would be, even for a namespace that is only in the same set."""
    applied = cluster.apply([_namespace(namespace), _config(namespace, a="1")], dry_run=True)
    assert [("Namespace", "", "created"), ("ConfigMap", namespace, "created")] == [
        (one.kind, one.namespace, one.change) for one in applied
    ]
    assert cluster.get("Namespace", "", namespace) is None


def test_deletion_waits_until_the_object_is_gone(cluster: KubernetesCluster, namespace: str) -> None:
    """What was deleted is gone when the call returns, and a second call says so."""
    cluster.apply([_namespace(namespace), _config(namespace, a="1")])
    assert [True, False] == [cluster.delete("ConfigMap", namespace, "settings") for _ in range(2)]


def test_a_manifest_that_breaks_the_schema(cluster: KubernetesCluster, namespace: str) -> None:
    """The refused object is named, with the server's reason."""
    broken = _config(namespace)
    broken["data"] = {"a": {"nested": True}}
    with pytest.raises(ManifestRefusedError, match=f"ConfigMap {namespace}/settings"):
        cluster.apply([_namespace(namespace), broken])


def test_a_kind_that_nobody_serves(cluster: KubernetesCluster, namespace: str) -> None:
    """A missing CustomResourceDefinition is told as such."""
    unknown = {"apiVersion": "nobody.test/v1", "kind": "Gadget", "metadata": {"name": "x"}}
    with pytest.raises(ManifestRefusedError, match="does not know the kind Gadget"):
        cluster.apply([unknown])


def test_a_namespace_that_is_not_there(cluster: KubernetesCluster, namespace: str) -> None:
    """The server's answer about the namespace is passed on."""
    with pytest.raises(ManifestRefusedError, match="not found"):
        cluster.apply([_config(namespace)])


def test_components_are_healthy(cluster: KubernetesCluster) -> None:
    """The API server and its node tell their versions."""
    server, *nodes = cluster.components()
    assert ("kube-apiserver", True) == (server.name, server.healthy)
    assert nodes
    assert all(node.healthy and node.version for node in nodes)


def test_a_rollout_that_is_not_there(cluster: KubernetesCluster, namespace: str) -> None:
    """Nothing is read as nothing, not as an error."""
    assert cluster.rollout(namespace, "hello") is None
    assert () == (*cluster.analysis_runs(namespace, "hello"), *cluster.pods(namespace, "a=b"))
    assert "" == cluster.pod_log(namespace, "hello")
