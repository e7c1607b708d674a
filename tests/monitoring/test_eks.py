"""What EKS gets of the monitoring: the same routes, dashboards and scraping as here."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.monitoring.files import ALERTMANAGER, DASHBOARDS, yaml

from monitoring import eks
from rollbook.sandbox.api import Sandbox

VALUES = eks.ADDON / "values.yaml"


def config_maps() -> list[dict[str, Any]]:
    """The ConfigMaps as they are in their file."""
    return list(YAML(typ="safe").load_all((eks.ADDON / "after" / "dashboards.yaml").read_text("utf-8")))


def test_the_addon_is_what_the_command_makes() -> None:
    """`python -m monitoring.eks` would change nothing."""
    assert [] == [path.name for path, text in eks.files().items() if path.read_text("utf-8") != text]


def test_alertmanager_has_the_same_routes() -> None:
    """Read as YAML, the chart's configuration is that of monitoring/alertmanager."""
    assert yaml(ALERTMANAGER) == yaml(VALUES)["alertmanager"]["config"]


def test_the_rest_of_the_values_stays() -> None:
    """Routes are put into their place, and nothing else is touched."""
    text = VALUES.read_text("utf-8")
    other = text.replace("      repeat_interval: 4h\n", "      repeat_interval: 9h\n")

    assert other != text
    assert text == eks.alertmanager_values(other)
    with pytest.raises(ValueError, match="once each"):
        eks.alertmanager_values(text.replace(eks.BEGIN, "", 1))


def test_each_dashboard_is_there_for_the_sidecar() -> None:
    """One ConfigMap a dashboard, with the label that the chart's sidecar looks for and the very same JSON."""
    sidecar = yaml(VALUES)["grafana"]["sidecar"]["dashboards"]
    boards = {path.name: json.loads(path.read_text("utf-8")) for path in DASHBOARDS}

    assert boards == {name: json.loads(text) for one in config_maps() for name, text in one["data"].items()}
    assert {sidecar["labelValue"]} == {one["metadata"]["labels"][sidecar["label"]] for one in config_maps()}


@pytest.mark.sandbox
def test_an_api_server_takes_the_dashboards(sandbox: Sandbox, tmp_path: Path) -> None:
    """A server-side dry run with strict validation refuses none of them."""
    objects = [{**one, "metadata": {**one["metadata"], "namespace": "default"}} for one in config_maps()]
    path = tmp_path / "dashboards.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    done = subprocess.run(
        [
            sandbox.kubectl,
            f"--kubeconfig={sandbox.kubeconfig}",
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            f"--filename={path}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (0, len(objects)) == (done.returncode, done.stdout.count("serverside-applied")), done.stderr


@pytest.mark.sandbox
def test_amtool_takes_the_routes_of_the_chart(sandbox: Sandbox, tmp_path: Path) -> None:
    """The configuration in the chart's values is valid as it stands there."""
    path = tmp_path / "alertmanager.yaml"
    path.write_text(json.dumps(yaml(VALUES)["alertmanager"]["config"]))
    done = subprocess.run([sandbox.amtool, "check-config", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.sandbox
def test_pods_are_scraped_as_here(sandbox: Sandbox) -> None:
    """The chart's job for pods has the relabelling of the sandbox's, so that queries find the same labels."""
    (there,) = yaml(VALUES)["prometheus"]["prometheusSpec"]["additionalScrapeConfigs"]
    loaded = json.loads((sandbox.home.config / "prometheus.yml").read_text("utf-8"))
    (here,) = [job for job in loaded["scrape_configs"] if job["job_name"] == "pods"]

    assert here["relabel_configs"] == there["relabel_configs"]
