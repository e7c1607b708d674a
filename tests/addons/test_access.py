"""What the deploy role's group may do: every call of a release, and little else. On a real API server."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.addons.conftest import ROOT

from rollbook.errors import EnvironmentFailedError
from rollbook.kubernetes import KubernetesCluster, connect
from rollbook.kubernetes.leases import KubernetesLeases
from rollbook.kubernetes.rest import ApiServer
from rollbook.sandbox.api import Sandbox
from rollbook.sandbox.pki import kubeconfig_json

OVERLAY = ROOT / "k8s" / "overlays" / "eks"
NOT_IN_THE_SANDBOX = {"ExternalSecret", "SecretStore"}


@dataclass(frozen=True)
class Deployer:
    """A member of the group, in a namespace of the test's own in place of `hello`."""

    kubeconfig: Path
    cluster: KubernetesCluster
    leases: KubernetesLeases
    namespace: str
    lease: str
    objects: list[dict[str, Any]]


def kubectl(sandbox: Sandbox, *arguments: str, text: str = "", who: Path | None = None) -> str:
    done = subprocess.run(
        [sandbox.kubectl, "--kubeconfig", who or sandbox.kubeconfig, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr if done.returncode else ""), arguments
    return done.stdout


@pytest.fixture(scope="module")
def deployer(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """A service account as a member: every one is in the group of its namespace, and gets a real token."""
    namespace = f"access-{secrets.token_hex(4)}"
    group = f"system:serviceaccounts:{namespace}-ci"
    lease = f"rollbook-{namespace}-hello"

    def moved(text: str) -> list[dict[str, Any]]:
        text = text.replace("ROLLBOOK_DEPLOYERS_GROUP", group).replace("rollbook-hello-hello", lease)
        text = text.replace("rollbook-hello-deployers", f"rollbook-{namespace}")
        text = text.replace("namespace: hello", f"namespace: {namespace}")
        objects = list(yaml.safe_load_all(text))
        for each in objects:
            if each["kind"] == "Namespace":
                each["metadata"]["name"] = namespace
            for rule in each.get("rules", ()):
                if rule.get("resourceNames") == ["hello"]:
                    rule["resourceNames"] = [namespace]
            if each["metadata"]["name"] == "hello-deployers":
                each["metadata"]["name"] = namespace
                if "roleRef" in each:
                    each["roleRef"]["name"] = namespace
        return objects

    access = yaml.safe_dump_all(moved(kubectl(sandbox, "kustomize", str(OVERLAY / "access"))))
    kubectl(sandbox, "apply", "-f", "-", text=access)
    kubectl(sandbox, "create", "namespace", f"{namespace}-ci")
    kubectl(sandbox, "create", "serviceaccount", "ci", "-n", f"{namespace}-ci")
    token = kubectl(sandbox, "create", "token", "ci", "-n", f"{namespace}-ci").strip()
    who = tmp_path_factory.mktemp("access") / "kubeconfig"
    admin = yaml.safe_load(sandbox.kubeconfig.read_text())
    authority = admin["clusters"][0]["cluster"]["certificate-authority-data"]
    config = yaml.safe_load(
        kubeconfig_json(admin["clusters"][0]["cluster"]["server"], ca=b"", cert=b"", key=b"", user="ci")
    )
    config["clusters"][0]["cluster"]["certificate-authority-data"] = authority
    config["users"] = [{"name": "ci", "user": {"token": token}}]
    who.write_text(yaml.safe_dump(config))
    rendered = moved(kubectl(sandbox, "kustomize", str(OVERLAY)))
    yield Deployer(
        kubeconfig=who,
        cluster=connect(who, kubectl=sandbox.kubectl),
        leases=KubernetesLeases(ApiServer.from_kubeconfig(who, None)),
        namespace=namespace,
        lease=lease,
        objects=[each for each in rendered if each["kind"] not in NOT_IN_THE_SANDBOX],
    )
    kubectl(sandbox, "delete", "-f", "-", "--wait=false", text=access)
    kubectl(sandbox, "delete", "namespace", f"{namespace}-ci", "--wait=false")


def test_the_namespace_is_that_of_the_service() -> None:
    """The copy that the access needs says what k8s/base says."""
    files = (OVERLAY / "access" / "namespace.yaml", ROOT / "k8s" / "base" / "namespace.yaml")
    copy, base = (yaml.safe_load(path.read_text()) for path in files)

    assert base == copy


def test_the_overlay_brings_no_rights() -> None:
    """Who deploys applies the overlay, so what gives rights is not in it."""
    named = yaml.safe_load((OVERLAY / "kustomization.yaml").read_text())["resources"]

    assert [] == [each for each in named if "access" in each]


def test_every_kind_of_the_overlay_may_be_applied() -> None:
    """Kinds of the overlay that the sandbox lacks have a rule with get, create and patch, too."""
    rules = [
        rule
        for each in yaml.safe_load_all((OVERLAY / "access" / "service.yaml").read_text())
        for rule in each.get("rules", ())
    ]
    may = {
        resource
        for rule in rules
        if {"get", "create", "patch"} <= set(rule["verbs"])
        for resource in rule["resources"]
    }

    assert {"externalsecrets", "secretstores"} <= may


@pytest.mark.sandbox
def test_a_release_is_allowed_all_that_it_asks(deployer: Deployer) -> None:
    """Apply, watch, read, promote, abort, take back, hold the Lease: the group's token is never refused."""
    cluster, namespace = deployer.cluster, deployer.namespace
    (rollout,) = (each for each in deployer.objects if each["kind"] == "Rollout")
    rollout["spec"]["replicas"] = 0  # the image is a placeholder

    assert len(deployer.objects) == len(cluster.apply(deployer.objects, dry_run=True))
    applied = cluster.apply(deployer.objects)
    assert {"Rollout", "AnalysisTemplate", "IngressRoute", "Namespace"} <= {each.kind for each in applied}

    assert {"kube-apiserver"} <= {each.name for each in cluster.components()}
    assert "hello" == next(iter(cluster.watch_rollout(namespace, "hello", timeout_s=5.0))).name
    assert cluster.strategy_steps(namespace, "hello")
    cluster.abort(namespace, "hello")
    cluster.promote_full(namespace, "hello")
    cluster.retry(namespace, "hello")
    assert cluster.undo(namespace, "hello") is False
    assert () == cluster.analysis_runs(namespace, "hello")
    assert () == cluster.pods(namespace, "app=hello")
    assert isinstance(cluster.events(namespace), tuple)
    assert "" == cluster.pod_log(namespace, "none")
    for kind in ("ReplicaSet", "AnalysisRun", "Pod"):
        assert cluster.get(kind, namespace, "none") is None

    now = datetime.now(UTC)
    held = deployer.leases.write(deployer.lease, "ci@here/1", 15.0, now, over=None)
    assert held is not None
    renewed = deployer.leases.write(deployer.lease, "ci@here/1", 15.0, now, over=held)
    assert renewed is not None
    deployer.leases.delete(renewed)
    assert deployer.leases.read(deployer.lease) is None


@pytest.mark.sandbox
def test_the_verbs_of_argo_are_allowed(sandbox: Sandbox, deployer: Deployer) -> None:
    """What only a Rollout under way asks for is allowed as well: status, logs, the stable ReplicaSet."""
    allowed = [
        ("patch", "rollouts.argoproj.io", "--subresource=status"),
        ("get", "pods", "--subresource=log"),
        ("list", "replicasets.apps", ""),
        ("list", "analysisruns.argoproj.io", ""),
    ]

    assert ["yes"] * len(allowed) == [_can(sandbox, deployer, *each) for each in allowed]


@pytest.mark.sandbox
def test_who_deploys_can_do_little_else(sandbox: Sandbox, deployer: Deployer) -> None:
    """No Secret is read, no pod entered, nothing deleted, no right given, and no other namespace touched."""
    refused = [
        ("get", "secrets", ""),
        ("list", "secrets", ""),
        ("create", "pods", ""),
        ("create", "pods", "--subresource=exec"),
        ("delete", "rollouts.argoproj.io", ""),
        ("delete", "namespaces", ""),
        ("create", "namespaces", ""),
        ("patch", "roles.rbac.authorization.k8s.io", ""),
        ("create", "rolebindings.rbac.authorization.k8s.io", ""),
        ("create", "serviceaccounts", "--subresource=token"),
        ("impersonate", "users", ""),
        ("patch", "rollouts.argoproj.io", "--namespace=default"),
        ("get", "leases.coordination.k8s.io/another", "--namespace=default"),
        ("list", "pods", "--all-namespaces"),
    ]

    assert ["no"] * len(refused) == [_can(sandbox, deployer, *each) for each in refused]


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "attempt",
    [
        lambda each: each.cluster.get("Secret", each.namespace, "hello"),
        lambda each: each.cluster.delete("Namespace", "", each.namespace),
        lambda each: each.leases.read("rollbook-another-hello"),
    ],
    ids=["secret", "teardown", "lease of another"],
)
def test_a_refusal_is_told(deployer: Deployer, attempt: Callable[[Deployer], object]) -> None:
    """What is not allowed ends with the API server's own words, and with whom to ask."""
    with pytest.raises(EnvironmentFailedError) as caught:
        attempt(deployer)
    assert "forbidden" in caught.value.why
    assert "permissions" in caught.value.next_step


def _can(sandbox: Sandbox, deployer: Deployer, verb: str, resource: str, option: str) -> str:
    place = [] if "namespace" in option else ["--namespace", deployer.namespace]
    done = subprocess.run(
        [
            *(sandbox.kubectl, "--kubeconfig", deployer.kubeconfig, "auth", "can-i", verb, resource),
            *(*place, *([option] if option else [])),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
