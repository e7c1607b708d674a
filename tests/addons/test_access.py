"""What the deploy role's group may do: every call of a release, and little else. On a real API server."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from tests.addons.conftest import ROOT
from tests.evidence.kept import Kept

from rollbook.errors import EnvironmentFailedError
from rollbook.kubernetes import KubernetesCluster
from rollbook.kubernetes.leases import KubernetesLeases
from rollbook.kubernetes.permissions import ACCESSES, Purpose, Where
from rollbook.kubernetes.rest import ApiServer, ServerRefusedError
from rollbook.kubernetes.rollouts import HASH_LABEL
from rollbook.sandbox.api import Sandbox
from rollbook.sandbox.pki import kubeconfig_json
from rollbook.targets.parts import ALERTMANAGER, PROMETHEUS

OVERLAY = ROOT / "k8s" / "overlays" / "eks"
NOT_IN_THE_SANDBOX = {"ExternalSecret", "SecretStore"}
OF_OTHERS = ("monitoring", "traefik")
"""Namespaces of add-ons, in which the deploy role may read something."""
ONLY_ON_EKS = {("external-secrets.io", "externalsecrets"), ("external-secrets.io", "secretstores")}
HTTPS_ONLY = {("traefik.io", "middlewares")}
METRICS = tuple(f"http:{place.removeprefix('monitoring/')}" for place in (PROMETHEUS, ALERTMANAGER))
"""Where a release asks for Prometheus and Alertmanager, as the API server names them."""


class May(NamedTuple):
    """What a rule allows, or what a call needs: in which namespace, on what, by which verb."""

    namespace: str
    group: str
    resource: str
    verb: str


@dataclass(frozen=True)
class Deployer:
    """A member of the group, in a namespace of the test's own in place of `hello`."""

    kubeconfig: Path
    server: ApiServer
    cluster: KubernetesCluster
    leases: KubernetesLeases
    namespace: str
    lease: str
    objects: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    kept: Kept = field(default_factory=Kept)


def allowed(objects: Iterable[dict[str, Any]]) -> set[May]:
    """What Roles and ClusterRoles allow, each verb on each resource."""
    return {
        May(each["metadata"].get("namespace", ""), group, resource, verb)
        for each in objects
        for rule in each.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(call: str, watches: bool) -> May | None:
    """What the API server asks RBAC for `METHOD /path`; None for what everybody may ask."""
    method, path = call.split()
    parts = path.strip("/").split("/")
    if parts[0] not in {"api", "apis"} or len(parts) < 3:
        return None
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name = rest[0], len(rest) > 1
    reads = "get" if name else "watch" if watches else "list"
    verbs = {"GET": reads, "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
    return May(namespace, group, "/".join([resource, *rest[2:3]]), verbs[method])


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


def moved(text: str, namespace: str) -> list[dict[str, Any]]:
    """Objects for `hello`, as they would be for a service, its Lease and its group named by `namespace`."""
    text = text.replace("ROLLBOOK_DEPLOYERS_GROUP", f"system:serviceaccounts:{namespace}-ci")
    text = text.replace("rollbook-hello-hello", f"rollbook-{namespace}-hello")
    text = text.replace("rollbook-hello-deployers", f"rollbook-{namespace}")
    text = text.replace("name: hello-deployers", f"name: {namespace}")
    text = text.replace("namespace: hello", f"namespace: {namespace}")
    for other in OF_OTHERS:
        text = text.replace(f"namespace: {other}", f"namespace: {namespace}-{other}")
    objects = list(yaml.safe_load_all(text))
    for each in objects:
        if each["kind"] == "Namespace":
            each["metadata"]["name"] = namespace
            # Its pods have placeholders for images; the policies are tried in tests/k8s.
            del each["metadata"]["labels"]["rollbook.dev/admission"]
        for rule in each.get("rules", ()):
            if rule.get("resourceNames") == ["hello"]:
                rule["resourceNames"] = [namespace]
    return objects


@pytest.fixture(scope="module")
def deployer(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """A service account as a member: every one is in the group of its namespace, and gets a real token."""
    namespace = f"access-{secrets.token_hex(4)}"
    for other in ("ci", *OF_OTHERS):
        kubectl(sandbox, "create", "namespace", f"{namespace}-{other}")
    rules = moved(kubectl(sandbox, "kustomize", str(OVERLAY / "access")), namespace)
    access = yaml.safe_dump_all(rules)
    kubectl(sandbox, "apply", "-f", "-", text=access)
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
    rendered = moved(kubectl(sandbox, "kustomize", str(OVERLAY)), namespace)
    rendered += moved((ROOT / "k8s" / "https-only" / "middleware.yaml").read_text(), namespace)
    kept = Kept()
    server = ApiServer.from_kubeconfig(who, None, kept)
    yield Deployer(
        kubeconfig=who,
        server=server,
        cluster=KubernetesCluster(server, kubectl=sandbox.kubectl),
        leases=KubernetesLeases(server),
        namespace=namespace,
        lease=f"rollbook-{namespace}-hello",
        objects=[each for each in rendered if each["kind"] not in NOT_IN_THE_SANDBOX],
        rules=rules,
        kept=kept,
    )
    kubectl(sandbox, "delete", "-f", "-", "--wait=false", text=access)
    for other in ("ci", *OF_OTHERS):
        kubectl(sandbox, "delete", "namespace", f"{namespace}-{other}", "--wait=false")


def test_the_namespace_is_that_of_the_service() -> None:
    """The copy that the access needs says what k8s/base says."""
    files = (OVERLAY / "access" / "namespace.yaml", ROOT / "k8s" / "base" / "namespace.yaml")
    copy, base = (yaml.safe_load(path.read_text()) for path in files)

    assert base == copy


def test_the_overlay_brings_no_rights() -> None:
    """Who deploys applies the overlay, so what gives rights is not in it."""
    named = yaml.safe_load((OVERLAY / "kustomization.yaml").read_text())["resources"]

    assert [] == [each for each in named if "access" in each]


def test_the_rules_are_those_that_the_preflight_asks_for() -> None:
    """`rollbook doctor` asks for each right of the role in namespace, Lease and cluster, and for no other."""
    texts = [path.read_text() for path in sorted((OVERLAY / "access").glob("*.yaml"))]
    rules = allowed(each for text in texts for each in yaml.safe_load_all(text))
    place = {Where.SERVICE: "hello", Where.LEASES: "default", Where.CLUSTER: ""}
    asked = {
        May(place[one.where], one.group, one.resource, one.verb)
        for one in ACCESSES
        if one.purpose is Purpose.RELEASE and (one.verb, one.resource) != ("create", "namespaces")
    }
    besides = {
        May("hello", group, resource, verb)
        for group, resource in ONLY_ON_EKS | HTTPS_ONLY
        for verb in ("get", "create", "patch")
    }
    besides |= {May("monitoring", "", "services/proxy", "get"), May("traefik", "", "services", "get")}

    assert asked | besides == rules


def steered(sandbox: Sandbox, deployer: Deployer, rollout: dict[str, Any]) -> None:
    """A Rollout that looks as if it were under way; the controller leaves it alone, for it is another's."""
    place = ("--namespace", deployer.namespace)
    uid = kubectl(sandbox, "get", "rollout", "hello", *place, "-o", "jsonpath={.metadata.uid}")
    status = {"observedGeneration": "1000", "stableRS": "aaa", "currentPodHash": "bbb"}
    kubectl(
        *(sandbox, "patch", "rollout", "hello", *place, "--subresource=status", "--type=merge"),
        *("-p", json.dumps({"status": status})),
    )
    template = rollout["spec"]["template"]
    labels = {**template["metadata"]["labels"], HASH_LABEL: "aaa"}
    owner = {"apiVersion": rollout["apiVersion"], "kind": "Rollout", "name": "hello", "uid": uid}
    stable = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "hello-aaa", "labels": labels, "ownerReferences": [owner]},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {HASH_LABEL: "aaa"}},
            "template": {**template, "metadata": {"labels": labels}},
        },
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": template["spec"]}
    kubectl(sandbox, "create", *place, "-f", "-", text=yaml.safe_dump_all([stable, pod]))


@pytest.mark.sandbox
def test_a_release_is_allowed_all_that_it_asks_and_nothing_else(sandbox: Sandbox, deployer: Deployer) -> None:
    """Each call of the adapters is made by the group's token and never refused; no rule is without a call."""
    cluster, namespace = deployer.cluster, deployer.namespace
    (rollout,) = (each for each in deployer.objects if each["kind"] == "Rollout")
    rollout["spec"]["replicas"] = 0  # the image is a placeholder
    rollout["metadata"]["labels"]["argo-rollouts.argoproj.io/controller-instance-id"] = "another"

    assert len(deployer.objects) == len(cluster.apply(deployer.objects, dry_run=True))
    applied = cluster.apply(deployer.objects)
    assert {"Rollout", "AnalysisTemplate", "IngressRoute", "Middleware", "Namespace"} <= {
        each.kind for each in applied
    }
    steered(sandbox, deployer, rollout)

    assert {"kube-apiserver"} <= {each.name for each in cluster.components()}
    statuses = cluster.watch_rollout(namespace, "hello", timeout_s=20.0)
    before = next(statuses)
    kubectl(
        *(sandbox, "patch", "rollout", "hello", "--namespace", namespace, "--type=merge"),
        *("-p", json.dumps({"spec": {"revisionHistoryLimit": 2}})),
    )
    assert before.generation + 1 == next(statuses).generation
    assert cluster.strategy_steps(namespace, "hello")
    cluster.abort(namespace, "hello")
    cluster.retry(namespace, "hello")
    cluster.promote_full(namespace, "hello")
    assert cluster.undo(namespace, "hello") is True
    assert () == cluster.analysis_runs(namespace, "hello")
    assert ["one"] == [pod.name for pod in cluster.pods(namespace, "")]
    assert isinstance(cluster.events(namespace), tuple)
    assert "" == cluster.pod_log(namespace, "one")
    for kind in ("ReplicaSet", "AnalysisRun"):
        assert cluster.get(kind, namespace, "none") is None

    now = datetime.now(UTC)
    held = deployer.leases.write(deployer.lease, "ci@here/1", 15.0, now, over=None)
    assert held is not None
    renewed = deployer.leases.write(deployer.lease, "ci@here/1", 15.0, now, over=held)
    assert renewed is not None
    deployer.leases.delete(renewed)
    assert deployer.leases.read(deployer.lease) is None

    assert cluster.get("Service", f"{namespace}-traefik", "traefik") is None
    for service in METRICS:
        with pytest.raises(ServerRefusedError) as caught:  # allowed, but there is no such Service here
            deployer.server.request(
                "GET", f"/api/v1/namespaces/{namespace}-monitoring/services/{service}/proxy/-/ready"
            )
        assert 404 == caught.value.code

    made = {needed(call, "watch" in parameters) for call, parameters, *_ in deployer.kept.all} - {None}
    # An apply that makes its object has to be allowed to create it, too.
    made |= {
        one._replace(verb="create")
        for one in made
        if one and one.namespace == namespace and one.verb == "patch" and "/" not in one.resource
    }
    rules = {one for one in allowed(deployer.rules) if (one.group, one.resource) not in ONLY_ON_EKS}
    assert rules == made
    assert [] == [call for call, _, status, _ in deployer.kept.all if status == "403"]


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
        (
            "create",
            f"services/{METRICS[0]}",
            f"--subresource=proxy --namespace={deployer.namespace}-monitoring",
        ),
        ("get", "services/another", f"--subresource=proxy --namespace={deployer.namespace}-monitoring"),
        ("get", "services/another", f"--namespace={deployer.namespace}-traefik"),
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
            *(*place, *option.split()),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
