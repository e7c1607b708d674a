"""Our values in the pinned charts: known to them, accepted by their schemas, and rendered to what we want."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.addons.charts import Objects, number, objects_of, pod_specs, unknown
from tests.addons.conftest import FOLDER, PINNED

from rollbook.helm.addons import AddOn
from rollbook.sandbox.rendering import LATENCY_BUCKETS

NAMES = [each.name for each in PINNED]
ACCESS = FOLDER.parent / "overlays" / "eks" / "access"
ON_TWO_T4G_MEDIUM = {"cpu": 2 * 1.93, "memory": 2 * 3.2 * 2**30}
"""Cores and bytes that EKS leaves for pods on two nodes of this type, rounded down."""
BESIDE = {"cpu": 2 * 0.2 + 0.2 + 8 * 0.05, "memory": 2 * 0 + 2 * 70 * 2**20 + 8 * 64 * 2**20}
"""CNI and proxy on each node, two coredns, and the service twice: a canary is beside stable."""
NOT_LISTED = {
    "aws-load-balancer-controller": ["securityContext.capabilities", "podSecurityContext.seccompProfile"],
    "cert-manager": ["webhook.podDisruptionBudget.maxUnavailable"],
}
"""Values that a chart takes without having a default for them: what they do is asserted below."""
ARM = {"docker.io", "ghcr.io", "public.ecr.aws", "quay.io", "registry.k8s.io"}


def own_values(charts: Path, addon: AddOn) -> dict[str, Any]:
    """The chart's own values.yaml, from its package or its folder."""
    package = charts / f"{addon.chart}-{addon.version}.tgz"
    if not package.is_file():
        return dict(yaml.safe_load((charts / addon.chart / "values.yaml").read_text()))
    with tarfile.open(package) as archive:
        member = archive.extractfile(f"{addon.chart}/values.yaml")
        assert member is not None
        return dict(yaml.safe_load(member.read()))


def one(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


@pytest.mark.parametrize("addon", PINNED, ids=NAMES)
def test_the_chart_knows_our_values(charts: Path, addon: AddOn) -> None:
    """No value is misspelt: each is one that the chart's own values.yaml has, sub-charts' values aside."""
    ours = yaml.safe_load(addon.values.read_text())
    of_subcharts = {"grafana", "kube-state-metrics", "prometheus-node-exporter"}
    ours = {key: value for key, value in ours.items() if key not in of_subcharts}

    assert NOT_LISTED.get(addon.name, []) == list(unknown(ours, own_values(charts, addon)))


@pytest.mark.parametrize("name", NAMES)
def test_every_container_has_bounds(rendered: dict[str, Objects], name: str) -> None:
    """CPU and memory are asked for, memory is limited, and CPU is not: it would slow what is in a hurry."""
    wrong = [
        f"{workload}: {container['name']}"
        for workload, _, spec in pod_specs(rendered[name])
        for container in [*spec["containers"], *spec.get("initContainers", [])]
        if {"cpu", "memory"} != set((container.get("resources") or {}).get("requests", {}))
        or {"memory"} != set((container.get("resources") or {}).get("limits", {}))
    ]

    assert list(pod_specs(rendered[name]))
    assert [] == wrong


def test_all_of_it_fits_the_default_nodes(rendered: dict[str, Objects]) -> None:
    """What add-ons, system and a canary ask for is there on two t4g.medium, Terraform's default."""
    specs = [(pods, spec) for objects in rendered.values() for _, pods, spec in pod_specs(objects)]
    asked = {
        unit: sum(
            pods * sum(number(each["resources"]["requests"][unit]) for each in spec["containers"])
            for pods, spec in specs
        )
        for unit in ("cpu", "memory")
    }
    stack = rendered["kube-prometheus-stack"]
    for kind in ("Prometheus", "Alertmanager"):  # the operator makes their pods
        (made,) = (each for each in stack if each["kind"] == kind)
        for unit in asked:
            asked[unit] += number(made["spec"]["resources"]["requests"][unit])

    assert dict.fromkeys(asked, True) == {
        unit: asked[unit] + BESIDE[unit] < ON_TWO_T4G_MEDIUM[unit] for unit in asked
    }


@pytest.mark.parametrize("name", NAMES)
def test_images_are_pinned_and_of_public_registries(rendered: dict[str, Objects], name: str) -> None:
    """Each image has a tag that is a version, of a registry that serves arm64."""
    images = {each["image"] for _, _, spec in pod_specs(rendered[name]) for each in spec["containers"]}

    assert images
    assert [] == [image for image in images if image.partition("/")[0] not in ARM]
    assert [] == [image for image in images if not image.rpartition(":")[2].lstrip("v")[:1].isdigit()]


@pytest.mark.parametrize("name", NAMES)
def test_no_pod_is_privileged(rendered: dict[str, Objects], name: str) -> None:
    """No container may gain privileges; only the node exporter sees its node."""
    for workload, _, spec in pod_specs(rendered[name]):
        seen = {key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)}
        paths = [each["hostPath"]["path"] for each in spec.get("volumes", []) if "hostPath" in each]
        if "node-exporter" in workload:
            continue
        assert (set(), []) == (seen, paths), workload
        for container in spec["containers"]:
            context = container.get("securityContext") or {}
            assert (False, ["ALL"]) == (
                context.get("allowPrivilegeEscalation"),
                (context.get("capabilities") or {}).get("drop"),
            ), f"{workload}: {container['name']}"


def test_what_is_doubled_may_be_drained_one_by_one(rendered: dict[str, Objects]) -> None:
    """Every Deployment of two pods has a disruption budget that lets one go."""
    for name, objects in rendered.items():
        doubled = [
            each for each in objects if each["kind"] == "Deployment" and each["spec"].get("replicas", 1) > 1
        ]
        budgets = [each["spec"] for each in objects if each["kind"] == "PodDisruptionBudget"]
        for each in doubled:
            labels = each["spec"]["template"]["metadata"]["labels"].items()
            covering = [
                budget
                for budget in budgets
                if budget["selector"]["matchLabels"].items() <= labels and budget.get("maxUnavailable") == 1
            ]
            assert 1 == len(covering), f"{name}: {each['metadata']['name']}"


def test_the_edge_is_a_network_load_balancer_with_pods_as_targets(rendered: dict[str, Objects]) -> None:
    """The Service has Terraform's class, TCP ports only, and a health check that Traefik answers."""
    service = one(rendered["traefik"], "Service", "traefik")
    prefix = "service.beta.kubernetes.io/aws-load-balancer-"
    told = {key.removeprefix(prefix): value for key, value in service["metadata"]["annotations"].items()}
    (container,) = one(rendered["traefik"], "Deployment", "traefik")["spec"]["template"]["spec"]["containers"]
    probe = container["readinessProbe"]["httpGet"]

    assert ("LoadBalancer", "service.k8s.aws/nlb") == (
        service["spec"]["type"],
        service["spec"]["loadBalancerClass"],
    )
    assert [("web", 80, "TCP"), ("websecure", 443, "TCP")] == [
        (port["name"], port["port"], port["protocol"]) for port in service["spec"]["ports"]
    ]
    assert ("ip", str(probe["port"]), probe["path"]) == (
        told["nlb-target-type"],
        told["healthcheck-port"],
        told["healthcheck-path"],
    )


def test_what_comes_in_by_https_is_https(rendered: dict[str, Objects]) -> None:
    """The entry point ends TLS for every route: the service's is on both, and says nothing of TLS itself."""
    (container,) = one(rendered["traefik"], "Deployment", "traefik")["spec"]["template"]["spec"]["containers"]

    assert "--entryPoints.websecure.http.tls=true" in container["args"]


def test_prometheus_and_alertmanager_are_where_releases_ask_for_them(rendered: dict[str, Objects]) -> None:
    """Service, namespace and port are those that the deploy role may ask through the API server."""
    objects = rendered["kube-prometheus-stack"]
    (role,) = (
        each for each in yaml.safe_load_all((ACCESS / "metrics.yaml").read_text()) if each["kind"] == "Role"
    )
    for place in role["rules"][0]["resourceNames"]:
        scheme, name, port = place.split(":")
        service = one(objects, "Service", name)
        assert ("http", "monitoring") == (scheme, service["metadata"]["namespace"])
        assert int(port) in {each["port"] for each in service["spec"]["ports"]}
    assert role["metadata"]["namespace"] == "monitoring"


def test_a_pod_of_the_edge_outlives_its_place_among_the_targets(rendered: dict[str, Objects]) -> None:
    """It serves on while the load balancer takes it out, and has time left to end."""
    deployment = one(rendered["traefik"], "Deployment", "traefik")["spec"]["template"]["spec"]
    annotations = one(rendered["traefik"], "Service", "traefik")["metadata"]["annotations"]
    prefix = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes"
    drained_s = int(annotations[prefix].rpartition("=")[2])
    waits_s = deployment["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert drained_s < waits_s < deployment["terminationGracePeriodSeconds"]


def test_the_edge_counts_as_in_the_sandbox(rendered: dict[str, Objects]) -> None:
    """Traefik's histogram has the same steps, so that one query means one thing."""
    (container,) = one(rendered["traefik"], "Deployment", "traefik")["spec"]["template"]["spec"]["containers"]
    (option,) = (each for each in container["args"] if each.startswith("--metrics.prometheus.buckets="))

    assert list(LATENCY_BUCKETS) == [float(each) for each in option.partition("=")[2].split(",")]


def test_prometheus_takes_every_rule_and_monitor(rendered: dict[str, Objects]) -> None:
    """It scrapes and evaluates every 15 s, as k8s/overlays/eks counts on, and picks all releases' objects."""
    (prometheus,) = (each for each in rendered["kube-prometheus-stack"] if each["kind"] == "Prometheus")
    spec = prometheus["spec"]
    selectors = (
        "ruleSelector",
        "ruleNamespaceSelector",
        "serviceMonitorSelector",
        "serviceMonitorNamespaceSelector",
    )

    assert ("15s", "15s") == (spec["scrapeInterval"], spec["evaluationInterval"])
    assert [{}, {}, {}, {}] == [spec[each] for each in selectors]


def test_the_services_rules_are_loaded(
    rendered: dict[str, Objects], rules: dict[str, dict[str, Any]]
) -> None:
    """Every group of monitoring/rules is in a PrometheusRule, as it is written."""
    groups = [
        group
        for each in rendered["kube-prometheus-stack"]
        if each["kind"] == "PrometheusRule"
        for group in each["spec"]["groups"]
    ]
    written = [group for content in rules.values() for group in content["groups"]]

    assert written
    assert [] == [group["name"] for group in written if group not in groups]


def test_nothing_is_scraped_that_eks_hides(rendered: dict[str, Objects]) -> None:
    """No monitor is about the control plane's own parts: a target that is always down would fail each run."""
    monitors = {
        each["metadata"]["name"]
        for each in rendered["kube-prometheus-stack"]
        if each["kind"] == "ServiceMonitor"
    }

    assert {"monitoring-apiserver", "monitoring-kubelet", "monitoring-coredns"} <= monitors
    assert set() == {
        name
        for name in monitors
        if any(part in name for part in ("etcd", "scheduler", "controller-manager", "proxy"))
    }


def test_no_controller_reads_secrets_that_needs_none(rendered: dict[str, Objects]) -> None:
    """Grafana and kube-state-metrics may not list Secrets; those that may are named here."""
    may = {
        role["metadata"]["name"]
        for objects in rendered.values()
        for role in objects
        if role["kind"] == "ClusterRole"
        for rule in role["rules"] or ()
        if {"secrets", "*"} & set(rule.get("resources", ()))
        and {"list", "watch", "*"} & set(rule.get("verbs", ()))
    }

    assert SECRET_READERS == may


SECRET_READERS = {
    "argo-rollouts",
    "cert-manager-cainjector",
    "cert-manager-controller-certificates",
    "cert-manager-controller-challenges",
    "cert-manager-controller-clusterissuers",
    "cert-manager-controller-issuers",
    "cert-manager-controller-orders",
    "external-secrets-cert-controller",
    "external-secrets-controller",
    "monitoring-operator",
    "traefik-traefik",
}
"""ClusterRoles that may list or watch the cluster's Secrets."""


def test_grafana_takes_its_password_from_a_secret(rendered: dict[str, Objects]) -> None:
    """The Secret is the one that is made before, and no release renders one with a password."""
    stack = rendered["kube-prometheus-stack"]
    (spec,) = (spec for workload, _, spec in pod_specs(stack) if "grafana" in workload)
    (grafana,) = (each for each in spec["containers"] if each["name"] == "grafana")
    named = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in grafana["env"]
        if each["name"].startswith("GF_SECURITY_ADMIN_")
    }
    made = objects_of((FOLDER / "kube-prometheus-stack/before/grafana.yaml").read_text())[1]["spec"]["target"]

    assert {
        "GF_SECURITY_ADMIN_USER": {"name": made["name"], "key": "admin-user"},
        "GF_SECURITY_ADMIN_PASSWORD": {"name": made["name"], "key": "admin-password"},
    } == named
    assert {"admin-user", "admin-password"} == set(made["template"]["data"])
    assert [] == [
        each["metadata"]["name"] for each in stack if each["kind"] == "Secret" and "grafana" in str(each)
    ]
