"""What is looked at before a release into a cluster: on the sandbox's real one, and on scripted answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from tests.kubernetes import sandboxed
from tests.kubernetes.conftest import CUT, ScriptedServer

from rollbook.commands import doctor_aws, doctor_cluster
from rollbook.commands.findings import exit_code, told
from rollbook.domain.findings import Finding, State
from rollbook.domain.service import Addresses, Service
from rollbook.errors import ExitCode
from rollbook.kubernetes import controllers, rest
from rollbook.kubernetes.permissions import ACCESSES, Purpose
from rollbook.kubernetes.preflight import TESTED, Kinds, kinds, version
from rollbook.kubernetes.rest import ApiServer
from rollbook.sandbox.api import Sandbox
from rollbook.settings import service_file

ROOT = Path(__file__).parents[2]
NOT_IN_THE_SANDBOX = "not found as a Deployment"


@pytest.fixture
def service() -> Service:
    return service_file.load(ROOT / "service.yaml")


def _states(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {one.name: str(one.state) for one in findings}


def _named(findings: tuple[Finding, ...], name: str) -> Finding:
    return next(one for one in findings if one.name == name)


def _at(service: Service, sandbox: Sandbox) -> Service:
    """The service with the addresses of the sandbox's parts."""
    points = sandbox.endpoints
    places = Addresses(
        prometheus=points.prometheus_url, alertmanager=points.alertmanager_url, edge=points.edge_url
    )
    return replace(service, addresses=MappingProxyType({"kubeconfig": places}))


@pytest.mark.sandbox
def test_a_cluster_that_has_all(sandbox: Sandbox, service: Service) -> None:
    """Controllers that are no Deployments are warned of; nothing fails, and the exit code is 0."""
    found = doctor_cluster.diagnose(sandboxed.admin(sandbox), _at(service, sandbox))

    assert {
        "API server": "ok",
        "identity": "ok",
        "kinds of Argo Rollouts": "ok",
        "kinds of Traefik": "ok",
        "controller of Argo Rollouts": "warn",
        "Traefik": "warn",
        "permissions for release": "ok",
        "permissions for teardown": "ok",
        "prometheus": "ok",
        "alertmanager": "ok",
        "edge": "not checked",
    } == _states(found)
    assert NOT_IN_THE_SANDBOX in _named(found, "controller of Argo Rollouts").detail
    assert "rollbook-admin" in _named(found, "identity").detail
    assert ExitCode.OK is exit_code(found)
    assert "WARN  Traefik" in told(found, as_json=False)


@pytest.mark.sandbox
def test_a_cluster_without_add_ons(sandbox: Sandbox, service: Service) -> None:
    """Services that are looked for where the add-ons put them are named; so is how to give another place."""
    found = doctor_cluster.diagnose(sandboxed.admin(sandbox), service)

    assert ("fail", "fail", "fail") == tuple(
        str(_named(found, name).state) for name in ("prometheus", "alertmanager", "edge")
    )
    assert 'services "monitoring-prometheus" not found' in _named(found, "prometheus").detail
    assert "`addresses`" in _named(found, "prometheus").next_step
    assert "no Service traefik/traefik" in _named(found, "edge").detail
    assert ExitCode.ENVIRONMENT_FAILED is exit_code(found)


@pytest.fixture(scope="module")
def nobody(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A service account without any rights but those that everybody has."""
    admin = sandboxed.admin(sandbox)
    with sandboxed.namespace(admin, "preflight") as place:
        folder = tmp_path_factory.mktemp("preflight")
        kubeconfig = sandboxed.account(sandbox, admin, place, "nobody", folder)
        yield ApiServer.from_kubeconfig(kubeconfig, None)


@pytest.mark.sandbox
def test_each_missing_permission_is_named(sandbox: Sandbox, service: Service, nobody: ApiServer) -> None:
    """Verb, resource and namespace of all that a user without rights lacks, and nothing that they have."""
    found = doctor_cluster.diagnose(nobody, _at(service, sandbox))

    release, teardown = (_named(found, f"permissions for {purpose}") for purpose in Purpose)
    assert (State.FAIL, State.WARN) == (release.state, teardown.state)
    assert _accesses_of(service) == _told(release) | _told(teardown)
    assert ":nobody may not: " in release.detail
    assert "k8s/overlays/eks/access" in release.next_step
    assert ExitCode.ENVIRONMENT_FAILED is exit_code(found)


@pytest.mark.sandbox
def test_what_may_not_be_asked_is_not_checked(sandbox: Sandbox, service: Service, nobody: ApiServer) -> None:
    """It is taken neither for well nor for missing; what everybody may ask is checked."""
    states = _states(doctor_cluster.diagnose(nobody, _at(service, sandbox)))

    assert {"controller of Argo Rollouts": "not checked", "Traefik": "not checked"} == {
        name: state for name, state in states.items() if name in {"controller of Argo Rollouts", "Traefik"}
    }
    assert {"ok"} == {
        states[name] for name in ("API server", "identity", "kinds of Argo Rollouts", "kinds of Traefik")
    }


@pytest.mark.sandbox
def test_a_user_who_may_not_reach_the_add_ons(service: Service, nobody: ApiServer) -> None:
    """A release needs these answers, so that a refusal is a failure, and names what was refused."""
    found = doctor_cluster.diagnose(nobody, service)

    prometheus, alertmanager, edge = (_named(found, name) for name in ("prometheus", "alertmanager", "edge"))
    assert {State.FAIL} == {prometheus.state, alertmanager.state, edge.state}
    assert 'cannot get resource "services/proxy"' in prometheus.detail
    assert 'cannot get resource "services"' in edge.detail
    assert "`get`" in edge.next_step


def _accesses_of(service: Service) -> set[tuple[str, str, str]]:
    places = {"rollouts": service.namespace, "leases": "default"}
    whole = {"nodes", "deployments"}
    told = set()
    for one in ACCESSES:
        main, slash, subresource = one.resource.partition("/")
        resource = (f"{main}.{one.group}" if one.group else main) + slash + subresource
        everywhere = one.resource in whole or (one.verb, one.resource) == ("create", "namespaces")
        place = "the whole cluster" if everywhere else places.get(one.resource, service.namespace)
        told.add((one.verb, resource, place))
    return told


def _told(finding: Finding) -> set[tuple[str, str, str]]:
    """Verb, resource and place of each permission that a finding names."""
    parts = finding.detail.partition(" may not: ")[2].split("; ")
    found = set()
    for part in parts:
        matched = re.fullmatch(r"([a-z, ]+) (\S+) in (.+)", part)
        assert matched, part
        found |= {(verb, matched[2], matched[3]) for verb in matched[1].split(", ")}
    return found


@pytest.mark.sandbox
def test_kinds_that_are_not_there(sandbox: Sandbox) -> None:
    """A group that is not served, and a resource that its group lacks, are named with what installs them."""
    server = sandboxed.admin(sandbox)
    group = kinds(server, Kinds("kinds", "argoproj.example/v1alpha1", ("rollouts",), "Install it."))
    lacking = kinds(server, Kinds("kinds", "argoproj.io/v1alpha1", ("rollouts", "rollbacks"), "Install it."))

    assert Finding("kinds", State.FAIL, "argoproj.example/v1alpha1 is not served", "Install it.") == group
    assert Finding("kinds", State.FAIL, "argoproj.io/v1alpha1 lacks rollbacks", "Install it.") == lacking


@pytest.mark.sandbox
def test_kinds_and_plugins_of_the_overlay(sandbox: Sandbox, service: Service, nobody: ApiServer) -> None:
    """Kinds that only this service has are looked for, with the right to apply them; so are its plugins."""
    manifests = (
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "x"}},
        {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "x"}},
        _routed_by("acme/router"),
    )
    admins = doctor_cluster.diagnose(sandboxed.admin(sandbox), _at(service, sandbox), manifests=manifests)
    overlay = _named(admins, "kinds of the overlay")
    assert "unknown to the cluster: ExternalSecret (external-secrets.io/v1)" == overlay.detail
    assert "not configured: acme/router" == _named(admins, "traffic router plugins").detail

    found = doctor_cluster.diagnose(nobody, _at(service, sandbox), manifests=manifests)
    lacks = _told(_named(found, "permissions for release"))
    assert {(verb, "cronjobs.batch", service.namespace) for verb in ("get", "create", "patch")} <= lacks


def _routed_by(*plugins: str) -> dict[str, Any]:
    routing = {"plugins": {name: {} for name in plugins}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "x"},
        "spec": {"strategy": {"canary": {"trafficRouting": routing}}},
    }


def test_a_cluster_that_is_not_there(
    api: ApiServer, scripted: ScriptedServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, and nothing else is asked."""
    monkeypatch.setattr(rest, "RETRY_DELAYS_S", ())
    scripted.answers = [CUT]
    found = doctor_cluster.diagnose(api, service)

    assert {"API server": "fail", "everything else": "not checked"} == _states(found)
    assert ["GET /version"] == scripted.asked


def test_a_user_who_is_not_known(api: ApiServer, scripted: ScriptedServer, service: Service) -> None:
    """Credentials that are refused are told as such."""
    scripted.answers = [(401, {"kind": "Status", "message": "Unauthorized"})]
    found = doctor_cluster.diagnose(api, service)

    assert State.FAIL is found[0].state
    assert "Unauthorized" in found[0].detail


@pytest.mark.parametrize(
    ("told", "state", "detail"),
    [
        ("v1.36.3", State.OK, "v1.36.3"),
        ("v1.34.1-eks-1a2b3c", State.OK, "v1.34.1-eks-1a2b3c; rollbook's tests run with 1.36"),
        ("v1.30.0", State.OK, "v1.30.0; rollbook's tests run with 1.36"),
        ("v1.29.9", State.FAIL, "v1.29.9"),
        ("v1.37.0", State.WARN, "v1.37.0; rollbook's tests run with 1.36"),
        ("", State.NOT_CHECKED, "its version is not told"),
    ],
)
def test_the_version_of_the_api_server(told: str, state: State, detail: str) -> None:
    """Too old is refused, newer than what is tested is warned of, and what was tested is always said."""
    found = version({"gitVersion": told})
    assert (state, detail) == (found.state, found.detail)


def test_the_tested_version_is_the_one_of_the_sandbox() -> None:
    """It is that of the sandbox's module, and that which terraform/ installs."""
    gomod = (ROOT / "lib" / "rollbook" / "sandbox" / "gomod" / "go.mod").read_text()
    assert f"k8s.io/kubernetes v{TESTED[0]}.{TESTED[1]}." in gomod
    assert doctor_aws.KUBERNETES_VERSION == f"{TESTED[0]}.{TESTED[1]}"


def _deployment(
    namespace: str, available: int, *args: str, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    container = {"image": "example.com/argo-rollouts:v1.10.2", "args": list(args)}
    name = {"app.kubernetes.io/name": "argo-rollouts"}
    return {
        "metadata": {"namespace": namespace, "name": "argo", "labels": {**name, **(labels or {})}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}},
        "status": {"availableReplicas": available},
    }


DASHBOARD = {"app.kubernetes.io/component": "rollouts-dashboard"}


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        ([_deployment("argo", 1)], State.OK, "argo/argo v1.10.2, 1 of 2 pods available"),
        ([_deployment("argo", 0)], State.FAIL, "0 of 2 pods available"),
        ([_deployment("argo", 2, "--namespaced")], State.FAIL, "of its own namespace only"),
        ([_deployment("hello", 2, "--namespaced")], State.OK, "hello/argo"),
        ([_deployment("argo", 2, "--namespaced"), _deployment("all", 2)], State.OK, "all/argo"),
        ([_deployment("argo", 2, labels=DASHBOARD)], State.WARN, NOT_IN_THE_SANDBOX),
        ([], State.WARN, NOT_IN_THE_SANDBOX),
    ],
)
def test_a_controller_of_argo_rollouts(
    api: ApiServer, scripted: ScriptedServer, found: list[Any], state: State, words: str
) -> None:
    """One that is available and looks after the service's namespace; the dashboard is none."""
    scripted.answers = [(200, {"items": found})]
    finding = controllers.argo(api, "hello")

    assert state is finding.state
    assert words in finding.detail
    assert (state is State.OK) == (finding.next_step == "")


def test_traefik_as_a_daemon_set(api: ApiServer, scripted: ScriptedServer) -> None:
    """It may have a pod on each node instead of a Deployment."""
    daemons = _deployment("traefik", 0)
    daemons["status"] = {"desiredNumberScheduled": 3, "numberAvailable": 2}
    del daemons["spec"]["replicas"]
    scripted.answers = [(200, {"items": []}), (200, {"items": [daemons]})]
    finding = controllers.traefik(api)

    assert (State.OK, True) == (finding.state, "2 of 3 pods available" in finding.detail)
    assert ["deployments", "daemonsets"] == [re.findall(r"v1/(\w+)\?", one)[0] for one in scripted.asked]


@pytest.mark.parametrize(
    ("config", "state"),
    [
        ('- name: "acme/router"\n  location: file:///plugin\n', State.OK),
        ("- name: other/router\n", State.FAIL),
        ("neither: a list", State.FAIL),
        ("[", State.FAIL),
    ],
)
def test_a_plugin_that_routes(api: ApiServer, scripted: ScriptedServer, config: str, state: State) -> None:
    """It has to be named in the ConfigMap beside the controller, where that is."""
    wanted = controllers.plugins_of((_routed_by("acme/router"),))
    scripted.answers = [
        (200, {"items": [_deployment("argo", 1)]}),
        (200, {"data": {"trafficRouterPlugins": config}}),
    ]
    assert state is controllers.plugins(api, wanted).state
    assert scripted.asked[1].endswith("/api/v1/namespaces/argo/configmaps/argo-rollouts-config")


def test_our_own_overlay_needs_no_plugin() -> None:
    """Weights of a TraefikService are moved by Argo Rollouts itself."""
    rollout = yaml.safe_load((ROOT / "k8s" / "rollouts" / "rollout.yaml").read_text())
    assert () == controllers.plugins_of((rollout,))


def test_findings_as_json(api: ApiServer, scripted: ScriptedServer, service: Service) -> None:
    """The same for a program: ok, state and next step of each."""
    scripted.answers = [(401, {"message": "Unauthorized"})]
    found = json.loads(told(doctor_cluster.diagnose(api, service), as_json=True))
    assert (False, ["fail", "not checked"]) == (found["ok"], [one["state"] for one in found["checks"]])
