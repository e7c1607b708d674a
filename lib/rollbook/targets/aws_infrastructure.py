"""What an EKS target stands on: Terraform, add-ons, what is left over, and prices."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML

from rollbook.aws.clients import Clients
from rollbook.aws.eks import EksTokens, cluster_access
from rollbook.aws.remains import AwsRemains
from rollbook.clock import SystemClock
from rollbook.costs import prices
from rollbook.domain.service import Service
from rollbook.domain.target import TargetSpec
from rollbook.errors import BadInputError
from rollbook.evidence.answers import Records
from rollbook.helm import addons, command
from rollbook.helm.cluster_addons import ClusterAddOns
from rollbook.helm.releases import Helm
from rollbook.phases.infrastructure import Infrastructure
from rollbook.ports import World
from rollbook.sandbox.home import Cache, SandboxHome
from rollbook.targets.aws import clients_of, cluster_of, emulator
from rollbook.targets.values import Values
from rollbook.terraform.command import Terraform
from rollbook.terraform.folder import Inputs
from rollbook.terraform.port import Event

ZONES = "abc"


def infrastructure(
    spec: TargetSpec,
    service: Service,
    world: World,
    records: Records,
    values: Values,
    progress: Callable[[Event], None],
) -> Infrastructure:
    """Makes and ends the cluster of `spec`, and what is around it.

    BadInputError when a file is missing, or when no region is set; nothing is started yet.
    """
    project = _project(service)
    clients, name = clients_of(spec, records), cluster_of(spec)
    if not clients.region:
        raise BadInputError(
            "no AWS region is set",
            why="neither the profile nor the environment names one",
            next_step="Give --region, such as --region eu-central-1.",
        )
    source = project / "terraform"
    return Infrastructure(
        provisioner=Terraform(
            source,
            workdir=_workdir(spec, service, name),
            plugins=Cache.current().root / "terraform",
            environ=os.environ,
            inputs=_inputs(spec, service, values, source, clients, name),
            records=records,
            progress=progress,
        ),
        addons=None
        if spec.endpoint_url or not values.addons
        else ClusterAddOns(
            addons.load(project / "k8s" / "addons"),
            world.cluster,
            lambda: _helm(clients, name, values, service, records),
            _rules(service),
        ),
        remains=AwsRemains(clients, name, SystemClock()),
        prices=prices.read(source / "prices.yaml"),
        records=records,
        cluster=name,
        region=clients.region,
        emulated=bool(spec.endpoint_url),
    )


def _inputs(
    spec: TargetSpec, service: Service, values: Values, source: Path, clients: Clients, name: str
) -> Inputs:
    files = (_beside(service, values.values),) if values.values else ()
    if spec.endpoint_url:
        zones = [f"{clients.region}{letter}" for letter in ZONES]
        emulated = Inputs.emulated(source, emulator(spec), region=clients.region, azs=zones, name=name)
        return Inputs(None, (*emulated.var_files, *files), emulated.variables, emulated.endpoint_url)
    backend = _beside(service, values.backend) if values.backend else source / "backend.hcl"
    return Inputs(backend=backend, var_files=files)


def _workdir(spec: TargetSpec, service: Service, name: str) -> Path:
    """Where Terraform works. What an emulator holds goes with the sandbox, and so does its state."""
    if not spec.endpoint_url:
        return service.source.parent / "build" / "terraform" / name
    return SandboxHome.current().data / f"terraform-{name}-{urlsplit(emulator(spec)).port}"


@contextmanager
def _helm(clients: Clients, name: str, values: Values, service: Service, records: Records) -> Iterator[Helm]:
    """Helm with a token for the cluster; only the certificate of its authority is on disk."""
    found = cluster_access(clients, name)
    tokens = EksTokens(clients, name, SystemClock())
    with tempfile.TemporaryDirectory(prefix="rollbook-ca-") as folder:
        authority = Path(folder) / "ca.pem"
        authority.write_text(found.certificate_authority, "utf-8")
        access = command.Access.token(found.endpoint, authority, tokens.token)
        charts = _beside(service, values.charts) if values.charts else None
        yield Helm(command.find(), access, charts=charts, records=records)


def _rules(service: Service) -> Mapping[str, Mapping[str, Any]]:
    if service.monitoring is None:
        return {}
    files = sorted((service.monitoring / "rules").glob("*.y*ml"))
    return {file.stem: YAML(typ="safe").load(file.read_text("utf-8")) for file in files}


def _project(service: Service) -> Path:
    """Where terraform/ and k8s/addons are: beside the service file, or in rollbook's own checkout."""
    own = service.source.parent
    return own if (own / "terraform" / "versions.tf").is_file() else Path(__file__).resolve().parents[3]


def _beside(service: Service, path: str) -> Path:
    return service.source.parent / Path(path).expanduser()
