"""Configuration files and command lines: what must be in each, and what must not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollbook.errors import BadInputError
from rollbook.sandbox.binaries import Binaries
from rollbook.sandbox.components import all_units
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.manifests import custom_resource_paths, own_manifests
from rollbook.sandbox.network import PORTS, Addresses
from rollbook.sandbox.parts import Parts
from rollbook.sandbox.pki import Pki
from rollbook.sandbox.recipe import recipe
from rollbook.sandbox.reloading import fingerprint
from rollbook.sandbox.rendering import (
    agent_config,
    prometheus_config,
    render_all,
    render_monitoring,
    traefik_config,
)
from rollbook.sandbox.units import BOOTSTRAP, MARKER


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    """Parts of a sandbox that nobody starts."""
    home = SandboxHome(tmp_path / "home")
    home.create()
    ports = {name: 20000 + number for number, name in enumerate(PORTS)}
    binaries = Binaries(tmp_path / "bin", "key", recipe().versions())
    return Parts(
        home=home,
        sandbox=f"{home.tag}-1",
        addresses=Addresses("127.70", ports),
        pki=Pki(home.pki),
        binaries=binaries,
        traefik=tmp_path / "traefik",
        ministack=tmp_path / "ministack",
    )


def test_nothing_listens_on_all_addresses(parts: Parts, tmp_path: Path) -> None:
    """No command line and no configuration names every interface, or a port without an address."""
    (tmp_path / "monitoring").mkdir()
    render_all(parts, tmp_path / "monitoring")
    rendered = [file.read_text() for file in parts.home.config.rglob("*") if file.is_file()]
    lines = [" ".join(unit.argv) for unit in all_units(parts)]
    everywhere = ".".join("0000")
    assert not any(everywhere in text for text in rendered + lines)
    assert not any('":2' in text for text in rendered)


def test_no_component_skips_the_verification_of_tls(parts: Parts) -> None:
    """No flag of the kind is used."""
    assert not any("insecure" in " ".join(unit.argv) for unit in all_units(parts))


def test_every_process_carries_the_marker_and_nothing_of_the_user(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials of the user's own never reach a component."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    for unit in all_units(parts):
        assert parts.sandbox == unit.environment[MARKER]
        assert "AWS_PROFILE" not in unit.environment


def test_needs_name_units_that_exist(parts: Parts) -> None:
    """No unit waits for something that never comes."""
    units = all_units(parts)
    names = {unit.name for unit in units} | {BOOTSTRAP}
    assert {need for unit in units for need in unit.needs} <= names
    assert len(units) == len({unit.name for unit in units})


def test_the_emulated_cloud_sees_no_docker_and_other_libraries(parts: Parts) -> None:
    """It would start containers where it found Docker, and it pins its own botocore."""
    unit = next(unit for unit in all_units(parts) if unit.name == "ministack")
    assert "no-docker" in unit.environment["DOCKER_HOST"]
    assert "127.0.0.1" == unit.environment["BIND_HOST"]
    assert str(parts.ministack) == unit.environment["PYTHONPATH"]


def test_the_edge_serves_stable_when_canary_is_empty(parts: Parts) -> None:
    """Traefik must take empty services, follow changes at once and measure finely."""
    config = traefik_config(parts)
    assert config["providers"]["kubernetesCRD"]["allowEmptyServices"]
    assert "200ms" == config["providers"]["providersThrottleDuration"]
    assert {0.1, 0.3, 0.5} <= set(config["metrics"]["prometheus"]["buckets"])


def test_prometheus_labels_pods_as_queries_expect(parts: Parts) -> None:
    """Namespace, pod, container, hash and app are the labels that signals use."""
    config = prometheus_config(parts)
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert {"pods", "traefik", "argo-rollouts", "prometheus"} == set(jobs)
    labels = {rule.get("target_label") for rule in jobs["pods"]["relabel_configs"]}
    assert {"namespace", "pod", "container", "pod_template_hash", "app"} <= labels
    assert "1s" == config["global"]["scrape_interval"]


def test_the_agent_learns_all_that_it_needs(parts: Parts) -> None:
    """The node's address lies in its subnet, and files are named absolutely."""
    config = agent_config(parts)
    assert ("127.70", "127.70.0.1", 10250) == (config["subnet"], config["node_ip"], config["port"])
    files = ("ca", "cert", "key", "serving_cert", "serving_key", "client_ca", "images", "state")
    assert all(Path(config[name]).is_absolute() for name in files)


def rule_names(parts: Parts) -> list[str]:
    """Names of the loaded rule files, without the prefix that tells the folder."""
    return sorted(file.name.partition("-")[2] for file in (parts.home.config / "rules").iterdir())


def test_rules_of_another_service_stay(parts: Parts, tmp_path: Path) -> None:
    """Two services have their rules loaded at once, also when their files have one name; None adds none."""
    for service in ("one", "two"):
        (tmp_path / service / "rules").mkdir(parents=True)
        (tmp_path / service / "rules" / "a.yaml").write_text("groups: []\n")
        render_monitoring(parts, tmp_path / service)
    render_monitoring(parts, None)
    assert ["a.yaml", "a.yaml"] == rule_names(parts)


def test_rules_are_copied_and_old_ones_leave(parts: Parts, tmp_path: Path) -> None:
    """The home has the rules as they are now, and its fingerprint tells a change."""
    monitoring = tmp_path / "monitoring"
    (monitoring / "rules").mkdir(parents=True)
    (monitoring / "rules" / "a.yaml").write_text("groups: []\n")
    render_monitoring(parts, monitoring)
    first = fingerprint(parts.home.config)
    (monitoring / "rules" / "a.yaml").rename(monitoring / "rules" / "b.yaml")
    render_monitoring(parts, monitoring)
    assert ["b.yaml"] == rule_names(parts)
    assert first != fingerprint(parts.home.config)


def test_alerts_go_to_nobody_unless_said_otherwise(parts: Parts, tmp_path: Path) -> None:
    """The project's Alertmanager configuration is used when there is one."""
    monitoring = tmp_path / "monitoring"
    monitoring.mkdir()
    render_monitoring(parts, monitoring)
    file = parts.home.config / "alertmanager.yml"
    assert "nobody" == json.loads(file.read_text())["route"]["receiver"]
    (monitoring / "alertmanager").mkdir()
    (monitoring / "alertmanager" / "alertmanager.yaml").write_text("route: {receiver: me}\n")
    render_monitoring(parts, monitoring)
    assert "route: {receiver: me}\n" == file.read_text()


def test_a_missing_monitoring_folder_is_the_users_to_name(parts: Parts, tmp_path: Path) -> None:
    """Nothing is started without the rules that were asked for."""
    with pytest.raises(BadInputError, match="there is no folder"):
        render_monitoring(parts, tmp_path / "missing")


def test_each_component_has_a_user_and_a_role_of_its_own() -> None:
    """No binding makes anybody an administrator."""
    bindings = [one for one in own_manifests() if one["kind"] == "ClusterRoleBinding"]
    assert 3 == len({one["subjects"][0]["name"] for one in bindings})
    assert "cluster-admin" not in {one["roleRef"]["name"] for one in bindings}


def test_custom_resources_are_asked_for_by_their_paths() -> None:
    """Group, version and plural make the path."""
    definition = {
        "kind": "CustomResourceDefinition",
        "spec": {
            "group": "example.test",
            "versions": [{"name": "v1"}],
            "names": {"plural": "things"},
        },
    }
    assert ("/apis/example.test/v1/things",) == custom_resource_paths([definition, {"kind": "ClusterRole"}])
