"""Configuration files of the components; YAML is written as JSON, which it contains."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollbook.errors import BadInputError
from rollbook.sandbox.alerting import RECEIVER, configuration
from rollbook.sandbox.files import write_json
from rollbook.sandbox.judging import judge_folder
from rollbook.sandbox.manifests import PROMETHEUS_USER
from rollbook.sandbox.network import NODE_PORT
from rollbook.sandbox.parts import Parts
from rollbook.sandbox.pki import NODE_NAME

SCRAPE_INTERVAL = "1s"
SELDOM = {"scrape_interval": "15s", "scrape_timeout": "10s"}
"""What no release is judged by."""

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0)
"""Upper edges in seconds; Traefik's own four are too coarse to judge a canary."""


def render_all(parts: Parts, monitoring: Path | None) -> None:
    """Write every configuration file of a new sandbox."""
    (parts.home.data / "tmp").mkdir(parents=True, exist_ok=True)
    (parts.home.data / "ministack").mkdir(parents=True, exist_ok=True)
    judge_folder(parts.home).mkdir(mode=0o700, exist_ok=True)
    write_json(parts.home.config / "traefik.yml", traefik_config(parts))
    write_json(parts.home.config / "agent.json", agent_config(parts))
    render_monitoring(parts, monitoring)


def render_monitoring(parts: Parts, monitoring: Path | None) -> None:
    """Write the configuration of Prometheus and Alertmanager with the rules of the folder `monitoring`.

    Rules of other folders (of other services) stay; without a folder nothing is added. BadInputError when
    there is no such folder.
    """
    if monitoring is not None and not monitoring.is_dir():
        raise BadInputError(
            f"there is no folder {monitoring} with monitoring rules",
            next_step="Run the command in the project's folder, or name the folder with --monitoring.",
        )
    rules = parts.home.config / "rules"
    rules.mkdir(mode=0o700, exist_ok=True)
    write_json(parts.home.config / "prometheus.yml", prometheus_config(parts))
    _render_alertmanager(parts, monitoring)
    if monitoring is None:
        return
    prefix = hashlib.sha256(os.fsencode(monitoring.resolve())).hexdigest()[:8]
    for old in rules.glob(f"{prefix}-*"):
        old.unlink()
    for source in sorted((monitoring / "rules").glob("*.y*ml")):
        shutil.copyfile(source, rules / f"{prefix}-{source.name}")


def _render_alertmanager(parts: Parts, monitoring: Path | None) -> None:
    """Write Alertmanager's configuration; a service that brings none leaves what another one brought."""
    file = parts.home.config / "alertmanager.yml"
    given = monitoring / "alertmanager" / "alertmanager.yaml" if monitoring is not None else None
    if file.is_file() and (given is None or not given.is_file()):
        return
    # A sandbox that an earlier rollbook started has no receiver.
    url = parts.addresses.url(RECEIVER) if RECEIVER in parts.addresses.ports else ""
    write_json(file, configuration(given, parts.home.config / "alert-receivers", url))


def agent_config(parts: Parts) -> dict[str, Any]:
    """Configuration of the node agent."""
    pki = parts.pki
    client, serving = pki.pair("node-agent"), pki.pair("node-server")
    return {
        "apiserver": parts.addresses.url("kube-apiserver", scheme="https"),
        "ca": str(pki.cluster_ca),
        "cert": str(client.cert),
        "key": str(client.key),
        "node_name": NODE_NAME,
        "subnet": parts.addresses.subnet,
        "node_ip": parts.addresses.node_ip,
        "port": NODE_PORT,
        "serving_cert": str(serving.cert),
        "serving_key": str(serving.key),
        "client_ca": str(pki.node_client_ca),
        "images": str(parts.home.images),
        "state": str(parts.home.data / "agent"),
    }


def traefik_config(parts: Parts) -> dict[str, Any]:
    """Static configuration of Traefik: one entry point for users, one for metrics and health."""
    ports = parts.addresses.ports
    return {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN", "noColor": True},
        "entryPoints": {
            "web": {"address": f"127.0.0.1:{ports['edge']}"},
            "metrics": {"address": f"127.0.0.1:{ports['traefik-metrics']}"},
        },
        "ping": {"entryPoint": "metrics"},
        "metrics": {
            "prometheus": {
                "entryPoint": "metrics",
                "addEntryPointsLabels": True,
                "addServicesLabels": True,
                "buckets": list(LATENCY_BUCKETS),
            }
        },
        "providers": {
            # The default of 2 s would count into every weight change and every rollback.
            "providersThrottleDuration": "200ms",
            # Without it a canary without ready pods takes its stable sibling down as well.
            "kubernetesCRD": {"allowEmptyServices": True},
        },
    }


def prometheus_config(parts: Parts) -> dict[str, Any]:
    """Configuration of Prometheus: pods by their annotations, and the sandbox's own components."""
    ports = parts.addresses.ports

    def local(port: str) -> dict[str, Any]:
        return {"job_name": port.removesuffix("-metrics"), "static_configs": [_target(ports[port])]}

    return {
        "global": {
            "scrape_interval": SCRAPE_INTERVAL,
            "scrape_timeout": SCRAPE_INTERVAL,
            "evaluation_interval": SCRAPE_INTERVAL,
        },
        "rule_files": [str(parts.home.config / "rules" / "*.y*ml")],
        "alerting": {"alertmanagers": [{"static_configs": [_target(ports["alertmanager"])]}]},
        "scrape_configs": [
            local("traefik-metrics"),
            local("argo-rollouts-metrics"),
            {**local("prometheus"), **SELDOM},
            {**local("alertmanager"), "static_configs": [_alertmanager_target(ports)], **SELDOM},
            _pods_job(parts),
        ],
    }


def _target(port: int) -> dict[str, list[str]]:
    return {"targets": [f"127.0.0.1:{port}"]}


def _alertmanager_target(ports: Mapping[str, int]) -> dict[str, Any]:
    """Alertmanager with the label that its Service gives it on EKS, as an alert about it is told by that."""
    return {**_target(ports["alertmanager"]), "labels": {"namespace": "monitoring"}}


def _pods_job(parts: Parts) -> dict[str, Any]:
    meta = "__meta_kubernetes_pod"

    def label(source: str, target: str) -> dict[str, Any]:
        return {"source_labels": [f"{meta}_{source}"], "target_label": target}

    return {
        "job_name": "pods",
        "kubernetes_sd_configs": [
            {"role": "pod", "kubeconfig_file": str(parts.home.kubeconfig(PROMETHEUS_USER))}
        ],
        "relabel_configs": [
            {"source_labels": [f"{meta}_annotation_prometheus_io_scrape"], "action": "keep", "regex": "true"},
            {"source_labels": [f"{meta}_phase"], "action": "keep", "regex": "Running"},
            {"source_labels": [f"{meta}_container_init"], "action": "drop", "regex": "true"},
            {
                "source_labels": [f"{meta}_annotation_prometheus_io_path"],
                "regex": "(.+)",
                "target_label": "__metrics_path__",
            },
            {
                "source_labels": [f"{meta}_ip", f"{meta}_annotation_prometheus_io_port"],
                "regex": "([^;]+);([0-9]+)",
                "replacement": "$1:$2",
                "target_label": "__address__",
            },
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            label("name", "pod"),
            label("container_name", "container"),
            label("label_rollouts_pod_template_hash", "pod_template_hash"),
            label("label_app", "app"),
            label("label_app_kubernetes_io_name", "app_kubernetes_io_name"),
        ],
    }
