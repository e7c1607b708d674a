"""The admission policy in k8s/policies, heeded by a real API server; its name and label are of the tests."""

from __future__ import annotations

import copy
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.kubernetes import sandboxed

from rollbook.kubernetes.rest import ApiServer, ServerRefusedError
from rollbook.sandbox.api import Sandbox

ROOT = Path(__file__).parents[2]
LABEL = "rollbook.dev/admission"
REGISTRY = "registry.example/"
DIGEST = f"sha256:{'1' * 64}"
HEEDED_S = 60.0
OLDER = "older"
"""The ReplicaSet that was there before the policy."""

pytestmark = pytest.mark.sandbox

Change = Callable[[dict[str, Any]], object]


def pod_spec() -> dict[str, Any]:
    """The least that the policy takes."""
    bounds = {"cpu": "50m", "memory": "32Mi"}
    resources = {"requests": bounds, "limits": bounds}
    container = {"name": "one", "image": f"{REGISTRY}one@{DIGEST}", "resources": resources}
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True},
        "containers": [container],
    }


@dataclass(frozen=True)
class Place:
    """A namespace for which a copy of the policy holds."""

    server: ApiServer
    namespace: str

    def path(self, kind: str) -> str:
        """Of the list of a kind."""
        bases = {"pods": "/api/v1", "rollouts": "/apis/argoproj.io/v1alpha1", "cronjobs": "/apis/batch/v1"}
        return f"{bases.get(kind, '/apis/apps/v1')}/namespaces/{self.namespace}/{kind}"

    def create(self, kind: str, spec: dict[str, Any], *, dry: bool = True) -> str:
        """What the API server says against making it; empty when it takes it."""
        query = {"dryRun": "All"} if dry else {}
        body = document(kind, spec, "tried" if dry else OLDER)
        try:
            self.server.request("POST", self.path(kind), query=query, body=body)
        except ServerRefusedError as error:
            return error.message
        return ""


def document(kind: str, pod: dict[str, Any], name: str) -> dict[str, Any]:
    """An object of the kind with these pods in it; nothing of it would ever run."""
    metadata: dict[str, Any] = {"name": name}
    if kind == "pods":
        return {"metadata": metadata, "spec": pod}
    labels = {"app": "tried"}
    if kind == "cronjobs":
        template = {"spec": {**pod, "restartPolicy": "Never"}}
        return {
            "metadata": metadata,
            "spec": {
                "schedule": "0 0 1 1 *",
                "suspend": True,
                "jobTemplate": {"spec": {"template": template}},
            },
        }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    document: dict[str, Any] = {"metadata": metadata, "spec": spec}
    if kind == "rollouts":
        metadata["labels"] = {"argo-rollouts.argoproj.io/controller-instance-id": "another"}
        document |= {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    return document


def policy(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    """Policy and binding as EKS has them, but for their names, their label and the registry."""
    overlay = ROOT / "k8s" / "overlays" / "eks" / "policies"
    done = subprocess.run([sandbox.kubectl, "kustomize", overlay], capture_output=True, text=True, check=True)
    text = done.stdout.replace("ROLLBOOK_REGISTRIES", f"\"['{REGISTRY}']\"")
    objects = list(yaml.safe_load_all(text))
    for each in objects:
        each["metadata"]["name"] = name
        if each["kind"] == "ValidatingAdmissionPolicyBinding":
            each["spec"]["policyName"] = name
            each["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] = {LABEL: name}
    assert ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] == sorted(
        each["kind"] for each in objects
    )
    return objects


@pytest.fixture(scope="module")
def place(sandbox: Sandbox) -> Iterator[Place]:
    """A namespace with the policy in force, and a ReplicaSet that was there before it."""
    admin = sandboxed.admin(sandbox)
    base = "/apis/admissionregistration.k8s.io/v1"
    kinds = {
        "ValidatingAdmissionPolicy": f"{base}/validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": f"{base}/validatingadmissionpolicybindings",
    }
    with sandboxed.namespace(admin, "policies") as name:
        found = Place(admin, name)
        older = pod_spec()
        older["containers"][0]["image"] = "older:1"
        assert "" == found.create("replicasets", older, dry=False)
        admin.request(
            "PATCH",
            f"/api/v1/namespaces/{name}",
            body={"metadata": {"labels": {LABEL: name}}},
            content_type="application/merge-patch+json",
        )
        try:
            for each in policy(sandbox, name):
                sandboxed.create(admin, kinds[each["kind"]], each)
            deadline = time.monotonic() + HEEDED_S
            while not found.create("pods", older) and time.monotonic() < deadline:
                time.sleep(0.1)
            yield found
        finally:
            for path in kinds.values():
                admin.request("DELETE", f"{path}/{name}")


def in_container(**fields: Any) -> Change:
    return lambda pod: pod["containers"][0].update(fields)


def in_pod(**fields: Any) -> Change:
    return lambda pod: pod.update(fields)


REFUSED: dict[str, tuple[Change, str]] = {
    "tag": (in_container(image=f"{REGISTRY}one:1"), "digest"),
    "short digest": (in_container(image=f"{REGISTRY}one@sha256:abc"), "digest"),
    "registry": (in_container(image=f"elsewhere.example/one@{DIGEST}"), "registry"),
    "capability": (in_container(securityContext={"capabilities": {"add": ["NET_RAW"]}}), "capabilities"),
    "network": (in_pod(hostNetwork=True), "network, processes"),
    "processes": (in_pod(hostPID=True), "network, processes"),
    "memory": (in_pod(hostIPC=True), "network, processes"),
    "folder": (in_pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "folder of its node"),
    "root": (in_pod(securityContext={}), "runAsNonRoot"),
    "root in one": (in_container(securityContext={"runAsNonRoot": False}), "runAsNonRoot"),
    "no limits": (in_container(resources={"requests": {"cpu": "1", "memory": "1Mi"}}), "requests and limits"),
    "no cpu": (in_container(resources={"limits": {"memory": "1Mi"}}), "requests and limits"),
    "token": (in_pod(automountServiceAccountToken=True), "token"),
    "token unsaid": (lambda pod: pod.pop("automountServiceAccountToken"), "token"),
    "projected token": (
        in_pod(volumes=[{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]),
        "token",
    ),
    "in an init container": (
        in_pod(initContainers=[{"name": "first", "image": f"{REGISTRY}one:1"}]),
        "digest",
    ),
}


@pytest.mark.parametrize("kind", ["pods", "replicasets", "deployments", "rollouts", "cronjobs"])
def test_what_keeps_to_the_policy_is_taken(place: Place, kind: str) -> None:
    """Pods, and what makes pods, with images by digest, limits, no root and no token."""
    assert "" == place.create(kind, pod_spec())


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_forbidden_is_refused(place: Place, name: str) -> None:
    """By the policy and in its words, as a pod and in the template of a Rollout."""
    change, words = REFUSED[name]
    pod = pod_spec()
    change(pod)

    said = [place.create(kind, copy.deepcopy(pod)) for kind in ("pods", "rollouts")]

    assert [True, True] == [words in each and "ValidatingAdmissionPolicy" in each for each in said], said


def test_a_privileged_template_is_refused(place: Place) -> None:
    """A privileged pod is refused by this API server itself, in the template of a Rollout by the policy."""
    pod = pod_spec()
    pod["containers"][0]["securityContext"] = {"privileged": True}

    assert "privileged: Forbidden" in place.create("pods", pod)
    assert "no container may be privileged" in place.create("rollouts", pod)


def test_what_was_there_before_can_still_be_scaled(place: Place) -> None:
    """The way back stays open: another number of replicas is no other pod, another image is."""
    path = f"{place.path('replicasets')}/{OLDER}"
    merge = "application/merge-patch+json"
    query = {"dryRun": "All"}

    scaled = place.server.request(
        "PATCH", path, query=query, body={"spec": {"replicas": 1}}, content_type=merge
    )
    containers = [{**pod_spec()["containers"][0], "image": "newer:1"}]
    other = {"spec": {"template": {"spec": {"containers": containers}}}}
    with pytest.raises(ServerRefusedError, match="named by its digest"):
        place.server.request("PATCH", path, query=query, body=other, content_type=merge)

    assert 1 == scaled["spec"]["replicas"]


def test_another_namespace_is_left_alone(place: Place) -> None:
    """Without the label nothing of it holds."""
    pod = pod_spec()
    pod["containers"][0]["image"] = "any:1"
    other = Place(place.server, "default")

    assert "" == other.create("deployments", pod)
