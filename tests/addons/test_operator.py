"""The project's monitoring as kinds of Prometheus' operator, on a real API server that knows them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.addons import tools
from tests.addons.charts import Objects, objects_of
from tests.addons.test_applied import kubectl, listed, without_descriptions
from tests.e2e.conftest import eventually

from monitoring import eks
from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.api import Sandbox
from rollbook.sandbox.home import Cache

pytestmark = pytest.mark.sandbox

NAMESPACE = "monitoring-taken"
"""Of this module alone: nothing of it stays."""
KINDS = ("prometheusrules", "prometheuses", "alertmanagers")
VALUES = yaml.safe_load((eks.ADDON / "values.yaml").read_text())
OF_THE_CHART = {
    "additionalScrapeConfigs",  # becomes a Secret
    "storageSpec",
    *(
        f"{kind}SelectorNilUsesHelmValues"
        for kind in ("rule", "serviceMonitor", "podMonitor", "probe", "scrapeConfig")
    ),
}
"""Values of `prometheusSpec` that the chart turns into something else; all others are the object's own."""


@pytest.fixture(scope="module")
def definitions() -> Objects:
    """Definitions of the kinds that are used, as the operator of the pinned chart has them."""
    try:
        folder = tools.operator_definitions(Cache.current())
    except EnvironmentFailedError as error:
        pytest.skip(f"the module of Prometheus' operator cannot be had: {error}")
    texts = [(folder / f"monitoring.coreos.com_{kind}.yaml").read_text() for kind in KINDS]
    return [without_descriptions(each) for text in texts for each in objects_of(text)]


@pytest.fixture(scope="module")
def known(sandbox: Sandbox, definitions: Objects) -> Iterator[Sandbox]:
    """A sandbox whose API server knows these kinds, with a namespace; all of it is gone afterwards."""
    text = listed(definitions)
    # Another module may have removed the same ones a moment ago.
    kubectl(sandbox, "wait", "--for=delete", "--timeout=120s", "-f", "-", text=text)
    done = kubectl(sandbox, "apply", "--server-side", "-f", "-", text=text)
    assert (0, "") == (done.returncode, done.stderr)
    try:
        eventually("the kinds are established", lambda: established(sandbox, definitions), 120)
        made = kubectl(sandbox, "create", "namespace", NAMESPACE)
        assert (0, "") == (made.returncode, made.stderr)
        yield sandbox
    finally:
        kubectl(sandbox, "delete", "--ignore-not-found", "--wait=false", "namespace", NAMESPACE)
        kubectl(sandbox, "delete", "--ignore-not-found", "--timeout=120s", "-f", "-", text=text)


def established(sandbox: Sandbox, definitions: Objects) -> bool:
    """Whether the API server serves these definitions. `kubectl wait` fails where there is no status yet."""
    names = [each["metadata"]["name"] for each in definitions]
    got = kubectl(sandbox, "get", "customresourcedefinitions", *names, "-o", "json")
    if got.returncode:
        return False
    conditions = [
        (each.get("status") or {}).get("conditions") or [] for each in json.loads(got.stdout)["items"]
    ]
    return all(
        any(one["type"] == "Established" and one["status"] == "True" for one in of_one)
        for of_one in conditions
    )


def here(each: Mapping[str, Any]) -> dict[str, Any]:
    """The object in the namespace of this module."""
    return {**each, "metadata": {**each["metadata"], "namespace": NAMESPACE}}


def apply(sandbox: Sandbox, objects: Objects, *options: str) -> tuple[int, str, str]:
    """Apply objects server-side, with unknown fields refused: exit code, what was said, and the complaint."""
    done = kubectl(
        sandbox, "apply", "--server-side", "--validate=strict", *options, "-f", "-", text=listed(objects)
    )
    return done.returncode, done.stdout, done.stderr


def specs() -> Objects:
    """Prometheus and Alertmanager as the chart's values describe them."""
    given = VALUES["prometheus"]["prometheusSpec"]
    prometheus = {name: value for name, value in given.items() if name not in OF_THE_CHART}
    alertmanager = dict(VALUES["alertmanager"]["alertmanagerSpec"])
    kinds = (
        ("Prometheus", {**prometheus, "storage": given["storageSpec"]}),
        ("Alertmanager", alertmanager),
    )
    return [
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": kind,
            "metadata": {"name": "monitoring", "namespace": NAMESPACE},
            "spec": spec,
        }
        for kind, spec in kinds
    ]


def test_the_definitions_are_those_of_the_pinned_chart(charts: Path) -> None:
    """The operator's version here is the one that the chart brings."""
    (path,) = (charts / "kube-prometheus-stack").glob("Chart.yaml")
    assert tools.OPERATOR_VERSION == yaml.safe_load(path.read_text())["appVersion"]


def test_the_api_server_takes_every_rule(known: Sandbox) -> None:
    """Each file becomes a PrometheusRule that, stored, has every group and rule of its file."""
    objects = [here(each) for each in eks.prometheus_rules()]
    code, said, complaint = apply(known, objects)
    assert (0, "", len(objects)) == (code, complaint, len(said.splitlines()))

    got = kubectl(known, "get", "prometheusrules", "-n", NAMESPACE, "-o", "json")
    kept = {each["metadata"]["name"]: each["spec"] for each in json.loads(got.stdout)["items"]}
    assert {each["metadata"]["name"]: each["spec"] for each in objects} == kept
    gone = kubectl(known, "delete", "-f", "-", text=listed(objects))
    assert (0, "") == (gone.returncode, gone.stderr)


@pytest.mark.parametrize(
    ("place", "word"),
    [
        (
            ("groups", 0, "rules", 0, "expression"),
            r'unknown field "(spec\.groups\[0\]\.rules\[0\]\.)?expression"',
        ),
        (("groups", 0, "every"), r'unknown field "(spec\.groups\[0\]\.)?every"'),
        (("groups", 0, "interval"), r"spec\.groups\[0\]\.interval"),
    ],
)
def test_a_wrong_field_of_a_rule_is_refused(known: Sandbox, place: tuple[str | int, ...], word: str) -> None:
    """A field that the kind does not have, or a value that it cannot have, is refused by its path."""
    spoilt = here(copy.deepcopy(eks.prometheus_rules()[0]))
    at: Any = spoilt["spec"]
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = "soon"

    code, _, complaint = apply(known, [spoilt], "--dry-run=server")
    assert code == 1
    assert re.search(word, complaint), complaint


def test_the_api_server_takes_what_the_values_say(known: Sandbox) -> None:
    """Prometheus and Alertmanager with the values of the add-on are taken; a field that is none is not."""
    objects = specs()
    code, said, complaint = apply(known, objects, "--dry-run=server")
    assert (0, "", len(objects)) == (code, complaint, len(said.splitlines()))

    for spoilt in copy.deepcopy(objects):
        spoilt["spec"]["retentionTime"] = "3d"
        code, _, complaint = apply(known, [spoilt], "--dry-run=server")
        assert code == 1
        assert re.search(r'unknown field "(spec\.)?retentionTime"', complaint), complaint
