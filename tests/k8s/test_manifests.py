"""The manifests in k8s/: what they hold, how the overlays differ, and that a real API server takes them."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollbook.sandbox.api import Sandbox

ROOT = Path(__file__).parents[2]
OVERLAYS = {
    "sandbox": ROOT / "k8s/overlays/sandbox",
    "eks": ROOT / "k8s/overlays/eks",
    "orders": ROOT / "tests/e2e/orders/k8s/sandbox",
}
NOT_IN_THE_SANDBOX = {"ExternalSecret", "SecretStore"}

Objects = list[dict[str, Any]]


@pytest.fixture(scope="module")
def render(sandbox: Sandbox) -> Callable[[str], Objects]:
    """Renders an overlay by its name."""

    def run(overlay: str) -> Objects:
        done = subprocess.run(
            [sandbox.kubectl, "kustomize", OVERLAYS[overlay]], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return list(yaml.safe_load_all(done.stdout))

    return run


def _one(objects: Objects, kind: str) -> dict[str, Any]:
    found = [each for each in objects if each["kind"] == kind]
    assert len(found) == 1
    return found[0]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _leaves(below, f"{path}[{number}]")
    else:
        yield path, value


def _by_path(objects: Objects) -> dict[str, object]:
    return {
        f"{each['kind']}/{each['metadata']['name']}{path}": value
        for each in objects
        for path, value in _leaves(each)
    }


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


@pytest.fixture(scope="module")
def namespace(sandbox: Sandbox) -> Iterator[str]:
    """A namespace that enforces the restricted profile, since a dry run cannot make the manifests' own."""
    name = f"manifests-{secrets.token_hex(4)}"
    document = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    created = _kubectl(sandbox, "create", "-f", "-", text=yaml.safe_dump(document))
    assert created.returncode == 0, created.stderr
    yield name
    _kubectl(sandbox, "delete", "namespace", name, "--wait=false")


def _kubectl(sandbox: Sandbox, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sandbox.kubectl, "--kubeconfig", sandbox.kubeconfig, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.sandbox
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_real_api_server_takes_the_manifests(
    sandbox: Sandbox, namespace: str, render, overlay: str
) -> None:
    """A server-side dry run with strict validation accepts every object whose kind the sandbox knows.

    The operator for external secrets is not there, so its two kinds cannot be tried. A release to the same
    sandbox may have applied what belongs to no namespace; a dry run takes it from nobody.
    """
    objects = [each for each in render(overlay) if each["kind"] not in NOT_IN_THE_SANDBOX]
    for each in objects:
        if each["kind"] != "Namespace":
            each["metadata"]["namespace"] = namespace
    options = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"]
    done = _kubectl(sandbox, "apply", *options, text=yaml.safe_dump_all(objects))
    assert done.returncode == 0, done.stderr
    assert len(objects) == len(done.stdout.splitlines())


@pytest.mark.sandbox
@pytest.mark.parametrize("overlay", ["sandbox", "eks"])
def test_the_restricted_profile_admits_the_pods(
    sandbox: Sandbox, namespace: str, render, overlay: str
) -> None:
    """The pod template passes the restricted pod security standard that its namespace enforces."""
    objects = render(overlay)
    label = _one(objects, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    template = _one(objects, "Rollout")["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "probe", "namespace": namespace},
        "spec": {**template["spec"], "serviceAccountName": "default"},
    }
    done = _kubectl(sandbox, "create", "--dry-run=server", "-f", "-", text=yaml.safe_dump(pod))
    assert ("restricted", 0, "") == (label, done.returncode, done.stderr)
    del pod["spec"]["securityContext"]
    refused = _kubectl(sandbox, "create", "--dry-run=server", "-f", "-", text=yaml.safe_dump(pod))
    assert "violates PodSecurity" in refused.stderr


@pytest.mark.sandbox
def test_the_overlays_differ_in_little(render) -> None:
    """EKS has other counts and durations, the external secret and HTTPS; nothing else may drift apart."""
    sandbox, eks = _by_path(render("sandbox")), _by_path(render("eks"))
    only_eks = {
        path: value
        for path, value in eks.items()
        if path not in sandbox and path.split("/")[0] not in NOT_IN_THE_SANDBOX
    }
    assert {"IngressRoute/hello.spec.entryPoints[1]": "websecure"} == only_eks
    only_sandbox = {path.split(".")[0] for path in sandbox.keys() - eks.keys()}
    # On EKS an administrator applies the policies, from an overlay of their own.
    policies = {f"ValidatingAdmissionPolicy{what}/rollbook-pods" for what in ("", "Binding")}
    assert {"AnalysisTemplate/hello-judge"} | policies == only_sandbox
    different = {path.split(".", 1)[1] for path in sandbox.keys() & eks.keys() if sandbox[path] != eks[path]}
    assert {
        "spec.replicas",
        "spec.progressDeadlineSeconds",
        "spec.strategy.canary.scaleDownDelaySeconds",
        "spec.strategy.canary.abortScaleDownDelaySeconds",
        "spec.strategy.canary.steps[1].pause.duration",
        "spec.strategy.canary.steps[3].pause.duration",
        "spec.strategy.canary.steps[5].pause.duration",
        "spec.template.spec.containers[0].lifecycle.preStop.sleep.seconds",
        "spec.args[3].value",
        "spec.args[4].value",
        "spec.args[5].value",
    } == different


@pytest.mark.sandbox
@pytest.mark.parametrize(("overlay", "scrape_interval_s"), [("sandbox", 1), ("eks", 15)])
def test_analysis_has_the_data_that_it_needs(render, overlay: str, scrape_interval_s: int) -> None:
    """Windows hold four scrapes and more, and a failing canary is seen within the first pause."""
    objects = render(overlay)
    templates = [each["spec"] for each in objects if each["kind"] == "AnalysisTemplate"]
    steps = _one(objects, "Rollout")["spec"]["strategy"]["canary"]["steps"]
    for spec in templates:
        arguments = {each["name"]: each.get("value", "") for each in spec["args"]}
        if "window" in arguments:
            assert _seconds(arguments["window"]) >= 4 * scrape_interval_s
        failures_allowed = int(spec["metrics"][0]["failureLimit"])
        to_abort_s = (failures_allowed + 2) * _seconds(arguments["interval"])
        assert to_abort_s < _seconds(steps[1]["pause"]["duration"])


@pytest.mark.sandbox
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_data_is_neither_success_nor_failure(render, overlay: str) -> None:
    """Every condition asks for a number first, and measures without one are limited."""
    metrics = [
        metric
        for each in render(overlay)
        if each["kind"] == "AnalysisTemplate"
        for metric in each["spec"]["metrics"]
        if "prometheus" in metric["provider"]
    ]
    assert metrics
    for metric in metrics:
        for condition in ("successCondition", "failureCondition"):
            assert metric[condition].startswith("len(result) > 0 && !isNaN(result[0]) && ")
        assert metric["inconclusiveLimit"] > 0


@pytest.mark.sandbox
@pytest.mark.parametrize("overlay", ["sandbox", "eks"])
def test_pods_have_time_to_end(render, overlay: str) -> None:
    """The grace period holds preStop and the 20 s that the service gives to requests in flight."""
    spec = _one(render(overlay), "Rollout")["spec"]["template"]["spec"]
    wait_s = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] >= wait_s + 20


@pytest.mark.sandbox
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_users_begin_on_stable(render, overlay: str) -> None:
    """All weight is on stable before Argo Rollouts moves any of it, and no placeholder is left."""
    objects = render(overlay)
    services = _one(objects, "TraefikService")["spec"]["weighted"]["services"]
    assert [100, 0] == [each["weight"] for each in services]
    assert "from k8s/overlays" not in _by_path(objects).values()
