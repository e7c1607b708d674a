from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.kubernetes.argo_fields import with_argo_fields
from rollbook.kubernetes.manifests import in_order, parse, render
from rollbook.kubernetes.rollouts import HASH_LABEL

SERVICE = {"kind": "Service", "metadata": {"name": "stable"}, "spec": {"selector": {"app": "hello"}}}
SPLIT = {
    "kind": "TraefikService",
    "metadata": {"name": "hello"},
    "spec": {"weighted": {"services": [{"name": "s", "port": 80}, {"name": "c", "port": 80, "weight": 0}]}},
}


def _kubectl(folder: Path, script: str) -> Path:
    """A kubectl that does what `script` says."""
    kubectl = folder / "kubectl"
    kubectl.write_text(f"#!/bin/sh\n{script}\n")
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    return kubectl


def test_namespaces_and_definitions_come_first() -> None:
    """What others need is applied before them, and the rest keeps its order."""
    kinds = ["Service", "CustomResourceDefinition", "Rollout", "Namespace", "ConfigMap"]
    ordered = in_order([{"kind": kind} for kind in kinds])
    assert ["Namespace", "CustomResourceDefinition", "Service", "Rollout", "ConfigMap"] == [
        one["kind"] for one in ordered
    ]


@pytest.mark.parametrize("text", ["a: [", "- 1", "kind: Service", "apiVersion: v1", "x"])
def test_what_is_no_object_is_refused(text: str) -> None:
    """A stream with anything but objects is bad input that names its source."""
    with pytest.raises(BadInputError, match="the overlay"):
        parse(text, source="the overlay")


def test_empty_documents_are_nothing() -> None:
    """Separators without content do not count."""
    (service,) = parse("---\n---\nkind: Service\napiVersion: v1\n---\n", source="x")
    assert service["kind"] == "Service"


def test_a_refusal_of_kustomize_is_told(tmp_path: Path) -> None:
    """The last line of kustomize says why."""
    kubectl = _kubectl(tmp_path, "echo noise >&2; echo 'error: no such file' >&2; exit 1")
    with pytest.raises(BadInputError, match="no such file"):
        render(kubectl, tmp_path)


def test_an_overlay_that_is_not_there(tmp_path: Path) -> None:
    """A missing folder is bad input; nothing is run."""
    with pytest.raises(BadInputError, match="no kustomize overlay"):
        render(tmp_path / "kubectl", tmp_path / "overlay")


def test_a_kubectl_that_is_not_there(tmp_path: Path) -> None:
    """A missing kubectl is not the overlay's fault."""
    with pytest.raises(EnvironmentFailedError, match="kubectl cannot render"):
        render(tmp_path / "kubectl", tmp_path)


def test_a_service_keeps_the_hash_that_argo_set() -> None:
    """An apply does not send stable traffic to every pod for a moment."""
    live = {
        "metadata": {"resourceVersion": "7"},
        "spec": {"selector": {"app": "old", HASH_LABEL: "abc"}},
    }
    sent = with_argo_fields(SERVICE, live)
    assert {"app": "hello", HASH_LABEL: "abc"} == sent["spec"]["selector"]
    assert "7" == sent["metadata"]["resourceVersion"]


def test_a_split_keeps_the_weights_that_argo_set() -> None:
    """An apply in the middle of a rollout does not move users."""
    services = [{"name": "s", "weight": 80}, {"name": "c", "weight": 20}]
    live = {"metadata": {"resourceVersion": "7"}, "spec": {"weighted": {"services": services}}}
    sent = with_argo_fields(SPLIT, live)["spec"]["weighted"]["services"]
    assert [("s", 80, 80), ("c", 20, 80)] == [(one["name"], one["weight"], one["port"]) for one in sent]


@pytest.mark.parametrize(
    ("manifest", "live"),
    [
        (SERVICE, None),
        (SERVICE, {"metadata": {}, "spec": {"selector": {"app": "hello"}}}),
        (SPLIT, {"metadata": {}, "spec": {"weighted": {"services": [{"name": "other", "weight": 1}]}}}),
        ({"kind": "ConfigMap", "metadata": {"name": "x"}}, {"metadata": {"resourceVersion": "1"}}),
    ],
)
def test_nothing_else_is_carried_over(manifest: dict[str, object], live: dict[str, object] | None) -> None:
    """Objects that Argo does not steer are sent as they are written, without a version."""
    assert manifest == with_argo_fields(manifest, live)
