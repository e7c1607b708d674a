"""EKS; or, with an emulator of AWS, everything but the cluster, which is the sandbox's then."""

from __future__ import annotations

from dataclasses import replace

from rollbook.aws.clients import Clients
from rollbook.aws.cloud import AwsCloud
from rollbook.aws.eks import EksTokens, cluster_access
from rollbook.clock import SystemClock
from rollbook.domain.service import Service
from rollbook.domain.target import AWS, OF_THE_SANDBOX, TargetSpec
from rollbook.evidence.answers import Records
from rollbook.kubernetes import bearer
from rollbook.kubernetes.deferred import DeferredApiServer
from rollbook.kubernetes.rest import ApiServer
from rollbook.ports import Clock, World
from rollbook.sandbox import api
from rollbook.targets import sandbox as of_the_sandbox
from rollbook.targets.parts import REGION_PLACEHOLDER, outside

CLUSTER = "rollbook"
"""What terraform/ calls the cluster by default."""
EMULATED_REGION = "us-east-1"
"""terraform/'s own default; not the one of the sandbox's target, whose repository would be in the way."""
DISCLOSURE = (
    "EKS is emulated too. The cluster that Terraform makes there answers nothing, and the sandbox's takes "
    "its place, with the sandbox's overlay and add-ons."
)


def cluster_of(spec: TargetSpec) -> str:
    """Name of the EKS cluster."""
    return spec.cluster or CLUSTER


def clients_of(spec: TargetSpec, records: Records | None) -> Clients:
    """Clients of AWS, or of the emulator. EnvironmentFailedError when that is down."""
    if not spec.endpoint_url:
        return Clients.real(region=spec.region or None, records=records)
    return Clients.emulating(emulator(spec), region=spec.region or EMULATED_REGION, records=records)


def emulator(spec: TargetSpec) -> str:
    """URL of the emulator."""
    if spec.endpoint_url == OF_THE_SANDBOX:
        return api.load().endpoints.aws_endpoint_url
    return spec.endpoint_url.rstrip("/")


def connect(spec: TargetSpec, service: Service, records: Records | None) -> World:
    """The collaborators. The cluster is looked for when it is first asked something."""
    clients, clock = clients_of(spec, records), SystemClock()
    if spec.endpoint_url:
        return _emulated(spec, service, clients, clock, records)
    name = cluster_of(spec)
    return outside(
        AWS,
        "eks",
        DeferredApiServer(lambda: _eks(clients, name, clock), records),
        service,
        AwsCloud(clients, clock),
        records,
        substitutions={REGION_PLACEHOLDER: clients.region},
    )


def api_server(spec: TargetSpec) -> ApiServer:
    """The API server of the EKS cluster. NotFoundError when there is none."""
    return _eks(clients_of(spec, None), cluster_of(spec), SystemClock())


def _eks(clients: Clients, name: str, clock: Clock) -> ApiServer:
    found = cluster_access(clients, name)
    return bearer.connect(
        found.endpoint,
        certificate_authority=found.certificate_authority,
        tokens=EksTokens(clients, name, clock),
    )


def _emulated(
    spec: TargetSpec, service: Service, clients: Clients, clock: Clock, records: Records | None
) -> World:
    running = api.load()
    name = cluster_of(spec)

    def connected() -> ApiServer:
        # What EKS is asked for is the same; the token is made as well, though nobody could check it here.
        cluster_access(clients, name)
        EksTokens(clients, name, clock).token()
        return ApiServer.from_kubeconfig(running.kubeconfig, None)

    world = of_the_sandbox.around(service, running, DeferredApiServer(connected, records), records)
    return replace(
        world,
        target=AWS,
        cloud=AwsCloud(clients, clock),
        substitutions={**world.substitutions, REGION_PLACEHOLDER: clients.region},
        disclosures=(*world.disclosures, DISCLOSURE),
    )
