"""What a phase asks of whatever makes the infrastructure, and what it is told. No vendor shape in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from rollbook.domain.release import Component
from rollbook.errors import EnvironmentFailedError


class OverdueError(EnvironmentFailedError):
    """It took longer than it may, and was stopped; what was done is known, and it may be asked again."""


class Action(StrEnum):
    """What a plan does to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DESTROY = "destroy"
    FORGET = "forget"
    """It stays as it is, and Terraform looks after it no longer."""


@dataclass(frozen=True)
class AttributeChange:
    """One attribute that a plan changes, as text; sensitive values are masked.

    `known` is false when the new value will be known only after apply.
    """

    name: str
    before: str
    after: str
    known: bool = True


@dataclass(frozen=True)
class ResourceChange:
    """What a plan does to one resource. `kind` is its type (`aws_vpc`), `why` empty when that goes without
    saying. `attributes` are those of updates and replacements, by name."""

    address: str
    kind: str
    action: Action
    why: str = ""
    attributes: tuple[AttributeChange, ...] = ()

    @property
    def differing(self) -> tuple[str, ...]:
        """Names of the attributes whose new value is known and another."""
        return tuple(one.name for one in self.attributes if one.known)


@dataclass(frozen=True)
class Resource:
    """A resource as planned or as it is; `values` are its attributes in Terraform's spelling, sensitive ones
    masked, without those that are not known yet."""

    address: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlanRow:
    """A line of the table that is shown before anything is applied."""

    address: str
    action: str
    why: str


@dataclass(frozen=True)
class Plan:
    """What Terraform would do. `file` is the saved plan that `apply` takes; it can be applied once.

    `resources` is everything that is there afterwards. `outside` is what somebody removed or changed without
    Terraform, as far as the plan has something to do about it.
    """

    file: Path
    adds: tuple[ResourceChange, ...] = ()
    changes: tuple[ResourceChange, ...] = ()
    replaces: tuple[ResourceChange, ...] = ()
    destroys: tuple[ResourceChange, ...] = ()
    unchanged: int = 0
    resources: tuple[Resource, ...] = ()
    outside: tuple[ResourceChange, ...] = ()
    outputs: tuple[str, ...] = ()
    """Names of outputs that it changes."""
    destroy: bool = False
    """Whether it was planned to destroy everything."""
    emulated: bool = False

    @property
    def all_changes(self) -> tuple[ResourceChange, ...]:
        """What it does, destroying first: that is what a reader must not miss."""
        return (*self.destroys, *self.replaces, *self.changes, *self.adds)

    @property
    def sentence(self) -> str:
        """The counts, in words."""
        counted = (("add", self.adds), ("change", self.changes), ("replace", self.replaces))
        told = ", ".join(f"{len(found)} to {what}" for what, found in (*counted, ("destroy", self.destroys)))
        return f"{told}; {self.unchanged} stay as they are"

    def rows(self) -> tuple[PlanRow, ...]:
        """The plan as a table: address, action, and why or what changes."""
        return tuple(PlanRow(one.address, one.action.value, _why(one)) for one in self.all_changes)


@dataclass(frozen=True)
class KnownDifference:
    """What a second plan shows against an emulator although nothing changed, and why."""

    address: str
    action: Action
    attributes: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Drift:
    """How what is there differs from what is written. `known` is what the emulator leaves out; `missing` is
    what it was known to leave out, and did not: then the list of known differences is wrong."""

    unexpected: tuple[ResourceChange, ...] = ()
    known: tuple[KnownDifference, ...] = ()
    missing: tuple[KnownDifference, ...] = ()
    outside: tuple[ResourceChange, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether everything is as written, but for what is known."""
        return not self.unexpected and not self.missing

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        told = []
        if self.unexpected:
            told.append(f"{len(self.unexpected)} differ: {_some(self.unexpected)}")
        if self.missing:
            told.append(f"{len(self.missing)} were expected to differ and do not: {_some(self.missing)}")
        if self.known:
            told.append(f"{len(self.known)} differ as is known of the emulator")
        return "; ".join(told) or "everything is as it is written"


class EventKind(StrEnum):
    """What happens while Terraform works."""

    READING = "reading"
    """It looks at what is there, or reads a data source."""
    PLANNED = "planned"
    STARTED = "started"
    WAITING = "waiting"
    """Something takes longer; told every ten seconds."""
    DONE = "done"
    FAILED = "failed"
    SUMMARY = "summary"
    WARNING = "warning"
    ERROR = "error"
    NOTE = "note"


@dataclass(frozen=True)
class Event:
    """One thing that Terraform told. `action` is create, update, delete or read; `seconds` is how long it has
    taken so far."""

    kind: EventKind
    message: str
    address: str = ""
    action: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Applied:
    """What an apply did: resources that it has made, changed, removed (a replacement is one of each), by
    address in order of their completion, and what is there now."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    deleted: tuple[str, ...]
    resources: tuple[Resource, ...]
    seconds: float


@dataclass(frozen=True)
class Outputs:
    """What terraform/outputs.tf gives; terraform/README.md says what each is."""

    region: str
    account_id: str
    tags: Mapping[str, str]
    vpc_id: str
    node_subnet_ids: Mapping[str, str]
    nat_public_ips: tuple[str, ...]
    cluster_name: str
    cluster_arn: str
    cluster_endpoint: str
    cluster_certificate_authority_data: str
    """PEM in base64; the emulator gives an empty text."""
    cluster_version: str
    deployers_group: str
    """Group of Kubernetes that the deploy role is in."""
    load_balancer_class: str
    repository_url: str
    secret_arn: str
    kms_key_arn: str
    deploy_role_arn: str | None = None


class Provisioner(Protocol):
    """Makes and ends the infrastructure that releases stand on.

    Every method may raise EnvironmentFailedError, TargetHeldError when somebody else is at it, BadInputError
    for inputs that are refused, CancelledError after an interrupt, when the state is saved, and OverdueError
    when it took too long.
    """

    def components(self) -> tuple[Component, ...]:
        """Terraform and its providers, by version."""

    def plan(self, *, destroy: bool = False) -> Plan:
        """What apply would do; with `destroy`, what it would take to have nothing left."""

    def apply(self, plan: Plan) -> Applied:
        """Do exactly what the plan says. Refused when the state has changed since."""

    def resources(self) -> tuple[Resource, ...]:
        """What is there, by the state; nothing is asked of the cloud."""

    def outputs(self) -> Outputs:
        """What was made, by name. NotFoundError when nothing was applied yet."""

    def drift(self) -> Drift:
        """Plan again, and tell how what is there differs from what is written."""

    def destroy(self) -> Applied:
        """Remove everything that is in the state."""


def _why(change: ResourceChange) -> str:
    told = [f"{one.name}: {one.before} -> {one.after}" for one in change.attributes if one.known]
    later = len(change.attributes) - len(told)
    told += [f"{later} known after apply"] if later else []
    return ". ".join(part for part in (change.why, "; ".join(told)) if part)


def _some(found: tuple[ResourceChange, ...] | tuple[KnownDifference, ...], most: int = 5) -> str:
    told = ", ".join(f"{one.address} ({one.action.value})" for one in found[:most])
    return told if len(found) <= most else f"{told} and {len(found) - most} more"
