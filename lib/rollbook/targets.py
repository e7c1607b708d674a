"""The only place that builds real adapters: one function a target."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext

from rollbook.clock import SystemClock
from rollbook.domain.service import Service
from rollbook.errors import BadInputError
from rollbook.evidence.answers import Records
from rollbook.ports import World

TARGETS = ("sandbox",)
PROMETHEUS_PLACEHOLDER = "ROLLBOOK_PROMETHEUS_URL"
"""Stands in manifests for the address of the target's Prometheus."""
AWS_ENDPOINT = "ROLLBOOK_AWS_ENDPOINT_URL"
"""Names a URL to reach the emulated AWS at, instead of MiniStack's own: a proxy in front of it."""


def prepare(target: str) -> None:
    """Build what the target needs, where this machine has not yet; progress goes to standard error."""
    _known(target)
    from rollbook.sandbox import api
    from rollbook.sandbox.progress import TerminalProgress, progress_for

    progress = progress_for(sys.stderr)
    with progress if isinstance(progress, TerminalProgress) else nullcontext():
        api.prepare(progress)


def bring_up(target: str, service: Service) -> None:
    """Make the target ready to be connected to: build and start the sandbox, or do nothing.

    The service's rules are loaded into Prometheus. Progress goes to standard output, a line at a time: a
    notebook keeps it.
    """
    _known(target)
    from rollbook.sandbox import api
    from rollbook.sandbox.progress import PlainProgress

    api.up(monitoring=service.monitoring, progress=PlainProgress(sys.stdout))


def connect(target: str, service: Service, records: Records | None = None) -> World:
    """The collaborators of a target; `records` keeps what they are answered.

    EnvironmentFailedError when the target is not there.
    """
    _known(target)
    # Imported here: boto3, kubernetes and prometheus-api-client take seconds that `--help` need not spend.
    from rollbook.aws.cloud import AwsCloud
    from rollbook.images.build import OciImageBuilder
    from rollbook.kubernetes.cluster import KubernetesCluster
    from rollbook.kubernetes.leases import KubernetesLeases
    from rollbook.kubernetes.rest import ApiServer
    from rollbook.prometheus.metrics import PrometheusMetrics
    from rollbook.sandbox import api
    from rollbook.sandbox.home import Cache
    from rollbook.traffic.users import UserTraffic

    sandbox = api.load()
    endpoints = sandbox.endpoints
    server = ApiServer.from_kubeconfig(sandbox.kubeconfig, None, records)
    return World(
        target=target,
        overlay="sandbox",
        cluster=KubernetesCluster(server, kubectl=sandbox.kubectl, container=service.image.container),
        leases=KubernetesLeases(server),
        cloud=AwsCloud.emulated(os.environ.get(AWS_ENDPOINT) or endpoints.aws_endpoint_url, records=records),
        metrics=PrometheusMetrics(endpoints.prometheus_url, endpoints.alertmanager_url, records=records),
        traffic=UserTraffic(records),
        images=OciImageBuilder(sandbox.images, Cache.current().root / "images"),
        clock=SystemClock(),
        edge_url=endpoints.edge_url,
        environment=sandbox.components,
        substitutions={PROMETHEUS_PLACEHOLDER: endpoints.prometheus_url},
        disclosures=sandbox.disclosures,
    )


def take_down(target: str) -> str:
    """Take the target's own environment down; what was done, in words."""
    _known(target)
    from rollbook.sandbox import api

    api.down()
    return "the sandbox is down"


def _known(target: str) -> None:
    if target not in TARGETS:
        raise BadInputError(f"unknown target {target!r}", next_step=f"Targets: {', '.join(TARGETS)}.")
