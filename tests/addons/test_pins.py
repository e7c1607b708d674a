"""The add-ons as files: what is pinned, in which order, and what of Terraform they need."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.addons.charts import OUTPUTS
from tests.addons.conftest import FOLDER, PINNED, ROOT

from rollbook.errors import BadInputError
from rollbook.helm import addons

PIN = """\
why: It is needed by a test.
chart: small
repository: https://charts.example.test
version: 1.2.3
digest: null
namespace: small
needs: []
"""


def written(folder: Path, name: str, pin: str) -> None:
    (folder / name).mkdir()
    (folder / name / "release.yaml").write_text(pin)
    (folder / name / "values.yaml").write_text("{}\n")


def test_each_comes_after_what_it_needs() -> None:
    """The controller of load balancers is there before the edge asks for one, and goes after it."""
    assert [
        "aws-load-balancer-controller",
        "cert-manager",
        "external-secrets",
        "kube-prometheus-stack",
        "traefik",
        "argo-rollouts",
    ] == [each.name for each in PINNED]


def test_every_folder_is_an_add_on() -> None:
    """None is left out for want of a pin."""
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == sorted(
        each.name for each in PINNED
    )


def test_outputs_are_those_of_terraform() -> None:
    """Each output that an add-on needs is declared in terraform/outputs.tf."""
    written = (ROOT / "terraform" / "outputs.tf").read_text()
    declared = set(re.findall(r'^output "(\w+)"', written, re.MULTILINE))
    needed = {name for each in PINNED for name in (*each.outputs.values(), *(each.when or ())[:1])}

    assert set(OUTPUTS) == needed
    assert set() == needed - declared


def test_auto_mode_brings_its_own_load_balancer_controller() -> None:
    """With EKS Auto Mode's class of load balancers the controller is left out, and nothing else is."""
    auto = {**OUTPUTS, "load_balancer_class": "eks.amazonaws.com/nlb"}
    left_out = {each.name for each in PINNED} - {each.name for each in addons.wanted(PINNED, auto)}

    assert {"aws-load-balancer-controller"} == left_out
    assert PINNED == addons.wanted(PINNED, OUTPUTS)


def test_the_controllers_account_is_that_of_its_pod_identity() -> None:
    """Namespace and service account are those to which Terraform gives an AWS role."""
    code = "".join(path.read_text() for path in (ROOT / "terraform").rglob("*.tf"))
    for name in ("aws-load-balancer-controller", "external-secrets"):
        (addon,) = (each for each in PINNED if each.name == name)
        pair = rf'namespace\s*=\s*"{addon.namespace}"\s*service_account\s*=\s*"{name}"'
        assert re.search(pair, code), name
        assert f"name: {name}\n" in addon.values.read_text()


def test_values_come_from_outputs_and_rules() -> None:
    """A path with dots becomes nested values, and rules are given as Prometheus reads them."""
    addon = replace(PINNED[0], outputs={"service.spec.class": "region"}, rules="more.rules")
    values = addons.values_of(addon, OUTPUTS, {"hello": {"groups": []}})

    assert {
        "service": {"spec": {"class": "us-east-1"}},
        "more": {"rules": {"hello": {"groups": []}}},
    } == values


def test_a_missing_output_is_named() -> None:
    """Before Terraform has run, the error says which output is missing and what to do."""
    with pytest.raises(BadInputError) as caught:
        addons.wanted(PINNED, {})
    assert "load_balancer_class" in caught.value.what
    assert "terraform" in caught.value.next_step


@pytest.mark.parametrize(
    ("line", "instead", "says"),
    [
        ("version: 1.2.3", "version: ^1.2.3", "version"),
        ("digest: null", "digest: sha256:abc", "digest"),
        ("repository: https://charts.example.test", "repository: http://charts.example.test", "repository"),
        ("needs: []", "needs: [other]", "other"),
        ("needs: []", "needs: [one]", "circle"),
        ("namespace: small", "namespcae: small", "namespcae"),
    ],
)
def test_a_wrong_pin_is_refused(tmp_path: Path, line: str, instead: str, says: str) -> None:
    """A range instead of a version, half a digest, plain HTTP, a need that is not there, a circle, a typo."""
    written(tmp_path, "one", PIN.replace(line, instead))
    with pytest.raises(BadInputError) as caught:
        addons.load(tmp_path)
    assert says in str(caught.value)


def test_values_have_to_be_there(tmp_path: Path) -> None:
    """An add-on without values.yaml is refused, and so is a folder that is not there."""
    written(tmp_path, "one", PIN)
    (tmp_path / "one" / "values.yaml").unlink()
    with pytest.raises(BadInputError, match=r"values\.yaml"):
        addons.load(tmp_path)
    with pytest.raises(BadInputError, match="no add-ons"):
        addons.load(tmp_path / "nowhere")


def test_no_password_is_written_down() -> None:
    """Neither values nor manifests of add-ons hold a password: Grafana's is referred to."""
    texts = {path: path.read_text() for path in FOLDER.rglob("*.yaml")}
    found = [path for path, text in texts.items() if re.search(r"(?i)admin-?password\s*:\s*\S", text)]

    assert [
        FOLDER / "kube-prometheus-stack/before/grafana.yaml",
        FOLDER / "kube-prometheus-stack/values.yaml",
    ] == (sorted(found + [path for path, text in texts.items() if "passwordKey: admin-password" in text]))
    assert 'admin-password: "{{ .password }}"' in texts[FOLDER / "kube-prometheus-stack/before/grafana.yaml"]
