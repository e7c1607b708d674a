"""`service.yaml`: the one place that says what is particular to a service."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from rollbook.domain import service as domain
from rollbook.errors import BadInputError
from rollbook.settings.yaml_file import read

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
"""A Kubernetes name (RFC 1123 label)."""
VERSION_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$"
HEADER = r"^[A-Za-z0-9-]{1,64}$"
Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True, allow_inf_nan=False)


class ImageSection(_Strict):
    """The service's image."""

    repository: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/-]{1,255}$")]
    context: str
    dockerfile: str
    container: DnsLabel


class TrafficSection(_Strict):
    """How users reach the service."""

    host: str
    paths: list[str] = Field(min_length=1)
    timeout: float = Field(default=5.0, gt=0, le=120)
    version_header: str = Field(alias="versionHeader")
    pod_header: str = Field(alias="podHeader")

    @field_validator("paths")
    @classmethod
    def _absolute(cls, paths: list[str]) -> list[str]:
        for path in paths:
            if not path.startswith("/"):
                raise ValueError(f"a path starts with a slash: {path!r}")
        return paths


class SloSection(_Strict):
    """Service level objective."""

    availability: float = Field(gt=0, lt=1)
    p95: float = Field(gt=0)


class ExperimentSection(_Strict):
    """How users and outcomes are told in an experiment."""

    user_header: Annotated[str, StringConstraints(pattern=HEADER)] = Field(alias="userHeader")
    variant_header: Annotated[str, StringConstraints(pattern=HEADER)] = Field(alias="variantHeader")
    outcome_header: Annotated[str, StringConstraints(pattern=HEADER)] = Field(alias="outcomeHeader")
    rate_variable: Annotated[str, StringConstraints(pattern=r"^$|^[A-Za-z_][A-Za-z0-9_]*$")] = Field(
        default="", alias="rateVariable"
    )


class CountersSection(_Strict):
    """PromQL of running totals, for the judge."""

    requests: str = Field(min_length=1)
    errors: str = Field(min_length=1)
    latency_buckets: str = Field(default="", alias="latencyBuckets")
    memory: str = ""
    scraped: str = ""

    def given(self) -> dict[str, str]:
        """Queries by name, those that are not there left out."""
        return {name: query for name, query in self.model_dump().items() if query}


class CountersFile(BaseModel):
    """What the judge needs of a service file; the rest of it may be anything."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    namespace: DnsLabel
    counters: CountersSection


class SignalSection(_Strict):
    """One PromQL query."""

    query: str = Field(min_length=1)
    unit: Literal["requests/s", "share", "s", "bytes"]


PLACE = r"^$|^https?://\S+$|^[a-z0-9-]+/[a-z0-9-]+:[0-9]{1,5}$"
"""A URL, or a Service as `namespace/name:port`."""


class AddressesSection(_Strict):
    """Where parts of one target are."""

    prometheus: Annotated[str, StringConstraints(pattern=PLACE)] = ""
    alertmanager: Annotated[str, StringConstraints(pattern=PLACE)] = ""
    edge: Annotated[str, StringConstraints(pattern=r"^$|^https?://[^\s/]+/?$")] = ""
    registry: Annotated[str, StringConstraints(pattern=r"^$|^[a-z0-9][a-z0-9.:_/-]*[a-z0-9]$")] = ""


class ServiceFile(_Strict):
    """The whole file."""

    name: DnsLabel
    namespace: DnsLabel
    rollout: DnsLabel
    stable_service: DnsLabel = Field(alias="stableService")
    canary_service: DnsLabel = Field(alias="canaryService")
    port: int = Field(ge=1, le=65535)
    initial_version: Version = Field(default="1.0.0", alias="initialVersion")
    image: ImageSection
    secret: str = ""
    overlays: dict[str, str] = Field(min_length=1)
    traffic: TrafficSection
    slo: SloSection
    signals: dict[str, SignalSection] = Field(min_length=1)
    faults: dict[str, dict[str, str]] = Field(default_factory=dict)
    drills: str = ""
    monitoring: str = ""
    counters: CountersSection | None = None
    experiment: ExperimentSection | None = None
    addresses: dict[Literal["aws", "kubeconfig"], AddressesSection] = Field(default_factory=dict)

    @field_validator("faults")
    @classmethod
    def _variable_names(cls, faults: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for fault, variables in faults.items():
            for variable in variables:
                if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
                    raise ValueError(f"{fault}: {variable!r} is not the name of an environment variable")
        return faults


def find(name: str, start: Path) -> Path:
    """Find a service file: `name` as given, or in `start` or one of its parents.

    Notebooks start in `runbooks/`, commands in the project's root; both say `service.yaml`.
    """
    given = Path(name).expanduser()
    if given.is_absolute():
        return given
    for folder in (start, *start.parents):
        candidate = folder / given
        if candidate.is_file():
            return candidate
    raise BadInputError(
        f"there is no {name} in {start} or above it",
        next_step="Run rollbook in the project's folder, or write a service file with `rollbook init`.",
    )


def load_counters(path: Path) -> dict[str, dict[str, str]]:
    """Queries for the judge by namespace: of a service file, or of each `.yaml` file in a folder.

    BadInputError when a file names none, or something is wrong with them.
    """
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    found = [read(file, CountersFile) for file in files]
    return {one.namespace: one.counters.given() for one in found}


def load(path: Path) -> domain.Service:
    """Read and check a service file, and the folders that it names. BadInputError says what is wrong."""
    path = path.resolve()
    file = read(path, ServiceFile)
    root = path.parent
    image = domain.ImageSource(
        repository=file.image.repository,
        context=_existing(root, file.image.context, "image.context", path),
        dockerfile=_existing(root, file.image.dockerfile, "image.dockerfile", path),
        container=file.image.container,
    )
    overlays = {
        target: _existing(root, overlay, f"overlays.{target}", path)
        for target, overlay in file.overlays.items()
    }
    return domain.Service(
        name=file.name,
        namespace=file.namespace,
        rollout=file.rollout,
        stable_service=file.stable_service,
        canary_service=file.canary_service,
        port=file.port,
        overlays=MappingProxyType(overlays),
        image=image,
        secret=file.secret,
        traffic=domain.TrafficShape(
            host=file.traffic.host,
            paths=tuple(file.traffic.paths),
            timeout_s=file.traffic.timeout,
            version_header=file.traffic.version_header,
            pod_header=file.traffic.pod_header,
        ),
        signals=tuple(
            domain.Signal(name=name, query=signal.query, unit=signal.unit)
            for name, signal in file.signals.items()
        ),
        slo=domain.Slo(availability=file.slo.availability, p95_s=file.slo.p95),
        faults=MappingProxyType({name: MappingProxyType(dict(env)) for name, env in file.faults.items()}),
        initial_version=file.initial_version,
        monitoring=_existing(root, file.monitoring, "monitoring", path) if file.monitoring else None,
        source=path,
        drills=_existing(root, file.drills, "drills", path) if file.drills else None,
        experiment=domain.ExperimentShape(**file.experiment.model_dump()) if file.experiment else None,
        counters=MappingProxyType(file.counters.given() if file.counters else {}),
        addresses=MappingProxyType(
            {target: domain.Addresses(**found.model_dump()) for target, found in file.addresses.items()}
        ),
    )


def _existing(root: Path, relative: str, field: str, path: Path) -> Path:
    found = (root / relative).resolve()
    if not found.exists():
        raise BadInputError(f"{path.name}: {field}: there is no {relative} beside it")
    return found
