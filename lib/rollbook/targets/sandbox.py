"""The sandbox: a cluster out of processes of this machine, and an emulator of AWS."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import replace

from rollbook.aws.clients import EMULATED_REGION
from rollbook.aws.cloud import AwsCloud
from rollbook.clock import SystemClock
from rollbook.domain.alerting import Alerts
from rollbook.domain.service import Service
from rollbook.domain.target import SANDBOX
from rollbook.evidence.answers import Records
from rollbook.images.build import OciImageBuilder
from rollbook.kubernetes.attempts import KubernetesAttempts
from rollbook.kubernetes.cluster import KubernetesCluster
from rollbook.kubernetes.leases import KubernetesLeases
from rollbook.kubernetes.rest import ApiServer
from rollbook.phases.judge_template import URL_PLACEHOLDER
from rollbook.ports import World
from rollbook.prometheus.alerts import ListedAlerts, ReceivedAlerts
from rollbook.prometheus.metrics import PrometheusMetrics
from rollbook.sandbox import api
from rollbook.sandbox.extras import SECRETS
from rollbook.sandbox.home import Cache
from rollbook.sandbox.judging import tell_judge
from rollbook.sandbox.manifests import ARGO_USER
from rollbook.sandbox.progress import PlainProgress, TerminalProgress, progress_for
from rollbook.targets.parts import PROMETHEUS_PLACEHOLDER, REGION_PLACEHOLDER
from rollbook.traffic.users import UserTraffic

AWS_ENDPOINT = "ROLLBOOK_AWS_ENDPOINT_URL"
"""Names a URL to reach the emulated AWS at, instead of MiniStack's own: a proxy in front of it."""


def prepare() -> None:
    """Build its parts, where this machine has not yet; progress goes to standard error."""
    progress = progress_for(sys.stderr)
    with progress if isinstance(progress, TerminalProgress) else nullcontext():
        api.prepare(progress)


def bring_up(service: Service) -> None:
    """Build and start it, with the service's rules in Prometheus; progress goes to standard output."""
    api.up(monitoring=service.monitoring, progress=PlainProgress(sys.stdout))


def connect(service: Service, records: Records | None) -> World:
    """Its collaborators. EnvironmentFailedError when it is not up."""
    sandbox = api.load()
    tell_judge(sandbox.home, service.namespace, service.counters)
    endpoints = sandbox.endpoints
    server = ApiServer.from_kubeconfig(sandbox.kubeconfig, None, records)
    world = around(service, sandbox, server, records)
    endpoint = os.environ.get(AWS_ENDPOINT) or endpoints.aws_endpoint_url
    return replace(world, cloud=AwsCloud.emulated(endpoint, records=records))


def around(service: Service, sandbox: api.Sandbox, server: ApiServer, records: Records | None) -> World:
    """The collaborators of a sandbox around its API server, which may be asked in another way."""
    endpoints = sandbox.endpoints
    return World(
        target=SANDBOX,
        overlay=_overlay(service, sandbox),
        cluster=KubernetesCluster(server, kubectl=sandbox.kubectl, container=service.image.container),
        leases=KubernetesLeases(server),
        cloud=AwsCloud.emulated(endpoints.aws_endpoint_url, records=records),
        metrics=PrometheusMetrics(endpoints.prometheus_url, endpoints.alertmanager_url, records=records),
        traffic=UserTraffic(records),
        images=OciImageBuilder(sandbox.images, Cache.current().root / "images"),
        clock=SystemClock(),
        attempts=KubernetesAttempts(server, controller=ARGO_USER),
        alerts=_alerts(endpoints, records),
        edge=lambda: endpoints.edge_url,
        environment=sandbox.components,
        substitutions={
            PROMETHEUS_PLACEHOLDER: endpoints.prometheus_url,
            REGION_PLACEHOLDER: EMULATED_REGION,
            **({URL_PLACEHOLDER: endpoints.judge_url} if endpoints.judge_url else {}),
        },
        disclosures=sandbox.disclosures,
    )


def _overlay(service: Service, sandbox: api.Sandbox) -> str:
    """The overlay with the service's secret where the operator for it runs, if the service has one."""
    with_secrets = f"sandbox-{SECRETS}"
    return with_secrets if SECRETS in sandbox.extras and with_secrets in service.overlays else "sandbox"


def _alerts(endpoints: api.Endpoints, records: Records | None) -> Alerts:
    """Its webhook receiver; Alertmanager's list in a sandbox that was started without one."""
    if endpoints.alert_receiver_url:
        return ReceivedAlerts(endpoints.alert_receiver_url, endpoints.alertmanager_url, records=records)
    return ListedAlerts(endpoints.alertmanager_url, SystemClock(), records=records)


def take_down() -> str:
    """Stop it; what was done, in words."""
    api.down()
    return "the sandbox is down"
