"""Monitoring on EKS, made of the same files.

    python -m monitoring.eks          writes routes and dashboards into the add-on
    python -m monitoring.eks rules    prints the rules as objects of Prometheus' operator

Alertmanager's routes become the values of the chart, and each dashboard a ConfigMap that Grafana's sidecar
finds by its label. The rules need no copy in the add-on: rollbook hands those of the service that it releases
to the chart (`additionalPrometheusRulesMap`), which makes the same objects of them. They are printed for a
cluster whose operator somebody else installed.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

MONITORING = Path(__file__).parent
ADDON = MONITORING.parent / "k8s" / "addons" / "kube-prometheus-stack"
NAMESPACE = "monitoring"
LABEL = {"grafana_dashboard": "1"}
PART_OF = {"app.kubernetes.io/part-of": "rollbook"}
BEGIN, END = "  config:\n", "  alertmanagerSpec:\n"
"""What stands around the routes in values.yaml."""


def alertmanager_values(values: str) -> str:
    """The chart's values with the routes of monitoring/alertmanager; all else stays as it is.

    ValueError when the place for them is not there exactly once.
    """
    if values.count(BEGIN) != 1 or values.count(END) != 1:
        raise ValueError(f"{BEGIN.strip()!r} and {END.strip()!r} must be in values.yaml once each")
    before, _, rest = values.partition(BEGIN)
    _, _, after = rest.partition(END)
    config = YAML(typ="safe").load((MONITORING / "alertmanager" / "alertmanager.yaml").read_text("utf-8"))
    lines = _yaml(config).splitlines(keepends=True)
    return before + BEGIN + "".join(f"    {line}" for line in lines) + END + after


def dashboards() -> str:
    """A ConfigMap for each dashboard, as one file of YAML."""
    made = [_config_map(path) for path in sorted((MONITORING / "dashboards").glob("*.json"))]
    head = "# Made by `python -m monitoring.eks` of monitoring/dashboards.\n"
    return head + "---\n".join(_yaml(one) for one in made)


def prometheus_rules() -> tuple[dict[str, Any], ...]:
    """A PrometheusRule (monitoring.coreos.com/v1) for each file of monitoring/rules."""
    return tuple(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": f"rollbook-{path.stem}", "namespace": NAMESPACE, "labels": dict(PART_OF)},
            "spec": YAML(typ="safe").load(path.read_text("utf-8")),
        }
        for path in sorted((MONITORING / "rules").glob("*.yaml"))
    )


def files() -> dict[Path, str]:
    """What there should be, by path."""
    values = ADDON / "values.yaml"
    return {
        values: alertmanager_values(values.read_text("utf-8")),
        ADDON / "after" / "dashboards.yaml": dashboards(),
    }


def _config_map(path: Path) -> dict[str, Any]:
    board = json.loads(path.read_text("utf-8"))
    # Without blanks: an object of Kubernetes has its bounds, and nobody reads it there.
    text = json.dumps(board, sort_keys=True, separators=(",", ":"))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": board["uid"], "namespace": NAMESPACE, "labels": LABEL},
        "data": {path.name: LiteralScalarString(text + "\n")},
    }


def _yaml(value: object) -> str:
    writer = YAML()
    writer.width = 100_000
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.representer.ignore_aliases = lambda *_: True
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()


def main(arguments: Sequence[str]) -> int:
    """Write what differs, and name it; with `rules`, print the rules."""
    if list(arguments) == ["rules"]:
        sys.stdout.write("---\n".join(_yaml(one) for one in prometheus_rules()))
        return 0
    if arguments:
        sys.stderr.write("usage: python -m monitoring.eks [rules]\n")
        return 2
    for path, text in files().items():
        if not path.is_file() or path.read_text("utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path.relative_to(MONITORING.parent)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
