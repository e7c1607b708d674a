"""Rendered add-ons against a real API server: objects are taken, pods pass their namespace's profile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tests.addons.charts import Objects, pod_specs
from tests.addons.conftest import PINNED

from rollbook.sandbox.api import Sandbox

pytestmark = pytest.mark.sandbox

MANIFESTS = [each for addon in PINNED for each in (addon.before, addon.after) if each]


def kubectl(sandbox: Sandbox, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sandbox.kubectl, "--kubeconfig", sandbox.kubeconfig, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def listed(objects: Objects) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def without_descriptions(value: Any) -> Any:
    """A schema without its prose: four fifths of a definition, which the API server would have to digest."""
    if isinstance(value, dict):
        return {
            key: without_descriptions(one)
            for key, one in value.items()
            if not (key == "description" and isinstance(one, str))
        }
    return [without_descriptions(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def ours(sandbox: Sandbox) -> Objects:
    """What is applied before and after releases."""
    texts = [kubectl(sandbox, "kustomize", str(folder)).stdout for folder in MANIFESTS]
    return [each for text in texts for each in yaml.safe_load_all(text)]


@pytest.fixture(scope="module")
def prepared(sandbox: Sandbox, rendered: dict[str, Objects], ours: Objects) -> Iterator[None]:
    """Namespaces, and those definitions whose kinds are used and that the sandbox lacks; gone afterwards."""
    everything = [*ours, *(each for objects in rendered.values() for each in objects)]
    used = {(each["kind"], each["apiVersion"].rpartition("/")[0]) for each in everything}
    there = kubectl(sandbox, "get", "customresourcedefinitions,namespaces", "-o", "name").stdout.split()
    missing = [
        without_descriptions(each)
        for each in everything
        if each["kind"] == "CustomResourceDefinition"
        and (each["spec"]["names"]["kind"], each["spec"]["group"]) in used
    ] + [each for each in ours if each["kind"] == "Namespace"]
    missing = [
        each for each in missing if not any(name.endswith(f"/{each['metadata']['name']}") for name in there)
    ]
    done = kubectl(sandbox, "apply", "--server-side", "-f", "-", text=listed(missing))
    assert (0, "") == (done.returncode, done.stderr)
    definitions = [each for each in missing if each["kind"] == "CustomResourceDefinition"]
    waited = kubectl(sandbox, "wait", "--for=condition=Established", "-f", "-", text=listed(definitions))
    assert (0, "") == (waited.returncode, waited.stderr)
    yield
    kubectl(sandbox, "delete", "--wait=false", "-f", "-", text=listed(missing))


def dry_run(sandbox: Sandbox, objects: Objects) -> None:
    options = ["--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"]
    done = kubectl(sandbox, "apply", *options, "-f", "-", text=listed(objects))
    assert (0, "") == (done.returncode, done.stderr)
    assert len(objects) == len(done.stdout.splitlines())


@pytest.mark.parametrize("name", [each.name for each in PINNED])
@pytest.mark.usefixtures("prepared")
def test_the_api_server_takes_what_is_rendered(
    sandbox: Sandbox, rendered: dict[str, Objects], name: str
) -> None:
    """A server-side dry run with strict validation accepts every object, and warns of none."""
    objects = [each for each in rendered[name] if each["kind"] != "CustomResourceDefinition"]
    assert objects
    dry_run(sandbox, objects)


@pytest.mark.usefixtures("prepared")
def test_the_api_server_takes_what_is_around_releases(sandbox: Sandbox, ours: Objects) -> None:
    """Namespaces, Grafana's password, the edge's certificate: each object fits its definition."""
    assert len(ours) > len(MANIFESTS)
    dry_run(sandbox, ours)


@pytest.mark.parametrize("name", [each.name for each in PINNED if each.before])
@pytest.mark.usefixtures("prepared")
def test_the_namespaces_profile_admits_the_pods(
    sandbox: Sandbox, rendered: dict[str, Objects], name: str
) -> None:
    """Every pod template passes the pod security standard that its namespace enforces."""
    (addon,) = (each for each in PINNED if each.name == name)
    for number, (workload, _, spec) in enumerate(pod_specs(rendered[name])):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"probe-{number}", "namespace": addon.namespace},
            "spec": {**spec, "serviceAccountName": "default"},
        }
        pod["spec"].pop("serviceAccount", None)
        done = kubectl(sandbox, "create", "--dry-run=server", "-f", "-", text=json.dumps(pod))
        assert (0, "") == (done.returncode, done.stderr), workload
