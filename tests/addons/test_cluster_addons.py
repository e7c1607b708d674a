"""All add-ons of a cluster: what is around each, their order, and that they go again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.addons.test_releases import Kept
from tests.addons.test_releases import addon as addon
from tests.addons.test_releases import kept as kept

from rollbook.errors import EnvironmentFailedError
from rollbook.helm.addons import AddOn
from rollbook.helm.cluster_addons import ClusterAddOns
from rollbook.helm.command import Access, Command
from rollbook.helm.releases import Helm
from rollbook.kubernetes import connect
from rollbook.kubernetes.cluster import KubernetesCluster
from rollbook.sandbox.api import Sandbox


def overlay(folder: Path, *objects: dict[str, object]) -> Path:
    """A kustomize overlay of these objects."""
    folder.mkdir()
    yaml = YAML(typ="safe")
    for number, one in enumerate(objects):
        with (folder / f"{number}.yaml").open("w") as file:
            yaml.dump(one, file)
    resources = [f"{number}.yaml" for number in range(len(objects))]
    with (folder / "kustomization.yaml").open("w") as file:
        yaml.dump({"resources": resources}, file)
    return folder


@pytest.fixture
def cluster(sandbox: Sandbox) -> KubernetesCluster:
    """The sandbox's."""
    return connect(sandbox.kubeconfig, kubectl=sandbox.kubectl)


@pytest.fixture
def surrounded(addon: AddOn, tmp_path: Path) -> AddOn:
    """The small chart with its namespace before it, and an object after it."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": addon.namespace}}
    after = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "after", "namespace": addon.namespace},
    }
    return replace(
        addon, before=overlay(tmp_path / "before", namespace), after=overlay(tmp_path / "after", after)
    )


def test_what_is_installed_goes_again(
    sandbox: Sandbox,
    helm_command: Command,
    cluster: KubernetesCluster,
    surrounded: AddOn,
    kept: Kept,
    tmp_path: Path,
) -> None:
    """Installed with the objects around it, told and recorded; removed without a trace, twice."""
    said: list[str] = []

    @contextmanager
    def helm() -> Iterator[Helm]:
        yield Helm(
            helm_command, Access.kubeconfig(sandbox.kubeconfig), charts=tmp_path / "charts", records=kept
        )

    addons = ClusterAddOns((surrounded,), cluster, helm, {})

    (done,) = addons.install({"region": "us-east-1"}, said.append)
    there = [cluster.get("ConfigMap", surrounded.namespace, name) is not None for name in ("small", "after")]
    removed = addons.remove(said.append)
    again = addons.remove(said.append)

    assert ("small", "1.2.3", "deployed") == (done.name, done.version, done.status)
    assert [True, True] == there
    assert (("small",), ()) == (removed, again)
    assert None is cluster.get("Namespace", "", surrounded.namespace)
    assert ["small: small 1.2.3 is deployed", "small is removed"] == said


def test_without_a_cluster_there_is_nothing_to_open(cluster: KubernetesCluster, surrounded: AddOn) -> None:
    """Helm is opened only when it is needed: what that raises is what the caller sees."""

    @contextmanager
    def helm() -> Iterator[Helm]:
        raise EnvironmentFailedError("there is no cluster")
        yield

    with pytest.raises(EnvironmentFailedError, match="there is no cluster"):
        ClusterAddOns((surrounded,), cluster, helm, {}).install({"region": "us-east-1"}, print)
