"""Configuration files and command lines: what must be in each, and what must not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

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

PROJECT = Path(__file__).parents[2]


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
    assert {"pods", "traefik", "argo-rollouts", "prometheus", "alertmanager"} == set(jobs)
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


def alertmanager_of(parts: Parts) -> dict[str, Any]:
    """Alertmanager's configuration as it was written."""
    loaded = json.loads((parts.home.config / "alertmanager.yml").read_text())
    assert isinstance(loaded, dict)
    return loaded


def place_of(config: dict[str, Any], receiver: str) -> str:
    """The URL that a receiver sends to, out of its file."""
    (found,) = (one for one in config["receivers"] if one["name"] == receiver)
    return Path(found["webhook_configs"][0]["url_file"]).read_text()


def test_without_a_configuration_alerts_go_to_the_receiver(parts: Parts, tmp_path: Path) -> None:
    """A service that says nothing of Alertmanager has its alerts received all the same."""
    monitoring = tmp_path / "monitoring"
    monitoring.mkdir()
    render_monitoring(parts, monitoring)

    config = alertmanager_of(parts)
    assert "alert-receiver" == config["route"]["receiver"]
    assert f"{parts.addresses.url('alert-receiver')}/alert-receiver" == place_of(config, "alert-receiver")


def test_the_projects_receivers_send_to_the_receiver(parts: Parts) -> None:
    """Pager and tickets send here, `nobody` nowhere; routes wait less long, and are the same otherwise."""
    given = YAML(typ="safe").load((PROJECT / "monitoring/alertmanager/alertmanager.yaml").read_text())
    render_monitoring(parts, PROJECT / "monitoring")

    config = alertmanager_of(parts)
    url = parts.addresses.url("alert-receiver")
    assert [f"{url}/pager", f"{url}/tickets"] == [place_of(config, name) for name in ("pager", "tickets")]
    assert [{"name": "nobody"}] == [one for one in config["receivers"] if len(one) == 1]
    assert given["inhibit_rules"] == config["inhibit_rules"]
    assert {"1s"} == {route["group_wait"] for route in all_routes(config["route"]) if "group_wait" in route}
    waits = ("group_wait", "group_interval")
    assert [without(route, *waits) for route in all_routes(given["route"])] == [
        without(route, *waits) for route in all_routes(config["route"])
    ]


def all_routes(route: dict[str, Any]) -> list[dict[str, Any]]:
    """A route and those beneath it, in order."""
    return [route, *(one for child in route.get("routes", ()) for one in all_routes(child))]


def without(route: dict[str, Any], *names: str) -> dict[str, Any]:
    """A route's own matter."""
    return {name: value for name, value in route.items() if name not in {*names, "routes"}}


def test_receivers_that_send_somewhere_are_left_alone(parts: Parts, tmp_path: Path) -> None:
    """Of another service's file only receivers without a place get one; `nobody` stays what it says."""
    folder = tmp_path / "monitoring" / "alertmanager"
    folder.mkdir(parents=True)
    there = {"name": "there", "webhook_configs": [{"url": "http://127.0.0.1:9/x"}]}
    config = {"route": {"receiver": "me"}, "receivers": [{"name": "me"}, there, {"name": "nobody"}]}
    (folder / "alertmanager.yaml").write_text(json.dumps(config))
    render_monitoring(parts, tmp_path / "monitoring")

    made = alertmanager_of(parts)
    assert f"{parts.addresses.url('alert-receiver')}/me" == place_of(made, "me")
    assert [there, {"name": "nobody"}] == made["receivers"][1:]


def test_a_configuration_that_is_no_yaml_is_told(parts: Parts, tmp_path: Path) -> None:
    """The file is named."""
    folder = tmp_path / "monitoring" / "alertmanager"
    folder.mkdir(parents=True)
    (folder / "alertmanager.yaml").write_text("route: [")

    with pytest.raises(BadInputError, match=r"alertmanager\.yaml is no YAML"):
        render_monitoring(parts, tmp_path / "monitoring")


def test_a_sandbox_without_a_receiver_sends_nothing(parts: Parts, tmp_path: Path) -> None:
    """One that an earlier version started keeps the file as it is."""
    ports = {name: port for name, port in parts.addresses.ports.items() if name != "alert-receiver"}
    older = replace(parts, addresses=Addresses(parts.addresses.subnet, ports))
    folder = tmp_path / "monitoring" / "alertmanager"
    folder.mkdir(parents=True)
    config = {"route": {"receiver": "me", "group_wait": "5s"}, "receivers": [{"name": "me"}]}
    (folder / "alertmanager.yaml").write_text(json.dumps(config))
    render_monitoring(older, tmp_path / "monitoring")

    assert config == alertmanager_of(older)


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
