"""What a target stands on, where rollbook makes it: planned, held against a budget, applied, verified."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Protocol

from rollbook.costs import records as cost_records
from rollbook.costs.estimate import accrued, estimate, within
from rollbook.costs.model import Accrued, Estimate
from rollbook.costs.prices import Prices
from rollbook.domain.infrastructure import AddOnRelease, Leftovers, Sweep
from rollbook.errors import BadInputError, GateRefusedError
from rollbook.evidence.answers import Records
from rollbook.evidence.journal import Journal, Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.manifests import overlay_objects
from rollbook.phases.validate import Gate, written
from rollbook.ports import Applied as AppliedObject
from rollbook.terraform.port import Applied, Drift, Event, EventKind, Outputs, Plan, Provisioner

ACCESS = "eks-access"
"""Overlay of the service file that says who may deploy."""
DEPLOYERS_PLACEHOLDER = "ROLLBOOK_DEPLOYERS_GROUP"
"""Stands in that overlay for the group that the deploy role's access entry gives."""
POLICIES = "eks-policies"
"""Overlay of the service file that says what nobody may run."""
REGISTRIES_PLACEHOLDER = "ROLLBOOK_REGISTRIES"
"""Stands in that overlay for how images may begin, as a list in CEL."""
CLUSTER = "aws_eks_cluster"
TERRAFORM = "terraform"
"""Source of what the journal holds of Terraform's doing."""
WAITING_EVERY_S = 30.0
"""How often the journal says of a resource that it is waited for."""


class AddOns(Protocol):
    """What is installed into the cluster itself."""

    def install(self, outputs: Mapping[str, str], told: Callable[[str], None]) -> tuple[AddOnRelease, ...]:
        """Install or upgrade all of them in order; `told` hears of each."""

    def remove(self, told: Callable[[str], None]) -> tuple[str, ...]:
        """Remove them in reverse order; names of those that were there."""


class Remains(Protocol):
    """What Terraform does not know of."""

    def remove(self, vpc: str) -> Leftovers:
        """Remove what controllers of the cluster made in the VPC."""

    def sweep(self, tags: Mapping[str, str]) -> Sweep:
        """Look for anything that is left."""

    def there_since(self) -> datetime | None:
        """When the cluster was made; None when there is none."""


@dataclass(frozen=True)
class Infrastructure:
    """Makes and ends what a target stands on. `addons` is None where the cluster has them by other means."""

    provisioner: Provisioner
    addons: AddOns | None
    remains: Remains
    prices: Prices
    records: Records
    cluster: str
    region: str
    emulated: bool


@dataclass(frozen=True)
class Made:
    """What was applied, what it gave, and what it has cost since."""

    applied: Applied
    outputs: Outputs
    began: datetime


def following(journal: Journal, say: Callable[[str], None]) -> Callable[[Event], None]:
    """Tells of what Terraform does, as it does it; what it waits for, at most once in `WAITING_EVERY_S`."""
    waited: dict[str, float] = {}

    def news(event: Event) -> bool:
        if event.kind is EventKind.WAITING and event.seconds >= waited.get(event.address, WAITING_EVERY_S):
            waited[event.address] = event.seconds + WAITING_EVERY_S
            return True
        if event.kind in {EventKind.DONE, EventKind.FAILED}:
            waited.pop(event.address, None)
            return True
        return False

    def told(event: Event) -> None:
        if news(event):
            data = {"address": event.address, "action": event.action, "seconds": event.seconds}
            journal.append(Kind.OBSERVATION, event.kind.value, data, source=TERRAFORM)
        if event.kind in {EventKind.DONE, EventKind.FAILED, EventKind.WAITING, EventKind.WARNING}:
            say(event.message)

    return told


def plan(ctx: PhaseContext) -> Plan | None:
    """What Terraform would do; None for a target that it does not make.

    BadInputError when the values are those of another cluster or region than the one that was asked for.
    """
    made_by = ctx.infrastructure
    if made_by is None:
        return None
    with ctx.journal.step("plan infrastructure") as step:
        planned = made_by.provisioner.plan()
        # Before anything is made under another name.
        for one in planned.resources:
            name = one.values.get("name") if one.kind == CLUSTER else None
            if name is not None and name != made_by.cluster:
                raise BadInputError(
                    f"Terraform's values make the cluster {name}, and {made_by.cluster} was asked for",
                    next_step=f"Give --cluster {name}, or correct `name` in the values.",
                )
        step |= {"sentence": planned.sentence, "resources": len(planned.resources)}
    ctx.say(planned.sentence)
    return planned


def guard(
    ctx: PhaseContext, planned: Plan | None, *, budget: float, accept_unknown: bool = False
) -> Estimate | None:
    """What a month of it costs. GateRefusedError when that is more than `budget` US dollars."""
    made_by = ctx.infrastructure
    if made_by is None or planned is None:
        return None
    with ctx.journal.step("estimate the cost", budget_usd_per_month=budget) as step:
        found = estimate(
            planned.resources,
            made_by.prices,
            made_by.region,
            load_balancers=0 if made_by.addons is None else 1,
        )
        cost_records.keep_estimate(made_by.records, found, emulated=made_by.emulated)
        step |= {"usd_per_month": float(found.monthly_usd)}
    expected, got = f"{budget:g} USD a month", f"{found.monthly_usd:.2f} USD a month"
    try:
        within(found, budget, accept_unknown=accept_unknown)
    except GateRefusedError as refused:
        written(ctx, Gate("budget", False, expected, got, str(refused)))
        raise
    told = f"It costs {found.monthly_usd:.2f} US dollars a month of {budget:g} that it may."
    if made_by.emulated:
        told += " On the emulator nothing is charged."
    written(ctx, Gate("budget", True, expected, got, told))
    ctx.say(told)
    return found


def apply(ctx: PhaseContext, planned: Plan | None) -> Made | None:
    """Do what was planned."""
    made_by = ctx.infrastructure
    if made_by is None or planned is None:
        return None
    began = ctx.world.clock.now()
    with ctx.journal.step("apply infrastructure", plan=planned.sentence) as step:
        applied = made_by.provisioner.apply(planned)
        outputs = made_by.provisioner.outputs()
        step |= {
            "created": len(applied.created),
            "updated": len(applied.updated),
            "deleted": len(applied.deleted),
            "resources": len(applied.resources),
        }
    if outputs.region != made_by.region:
        raise BadInputError(
            f"Terraform's values are of {outputs.region}, and {made_by.region} was asked for",
            why="what was applied is there; rollbook looks for the cluster in the other region",
            next_step=f"Give --region {outputs.region}.",
        )
    ctx.say(f"{len(applied.resources)} resources are there, after {applied.seconds:.0f} s")
    return Made(applied, outputs, began)


def verify(ctx: PhaseContext) -> Drift | None:
    """Plan again: what is there has to be what is written. GateRefusedError names what is not."""
    made_by = ctx.infrastructure
    if made_by is None:
        return None
    with ctx.journal.step("look for drift") as step:
        found = made_by.provisioner.drift()
        step |= {"sentence": found.sentence}
    expected = "nothing to change" + (", but for what is known of the emulator" if found.known else "")
    written(ctx, Gate("no drift", found.clean, expected, found.sentence, found.sentence))
    if not found.clean:
        raise GateRefusedError(
            "what is there is not what Terraform's code says",
            why=found.sentence,
            next_step="Run provision again; if it stays, look at who else changes it.",
        )
    ctx.say(found.sentence)
    return found


def install_addons(ctx: PhaseContext, made: Made | None) -> tuple[AddOnRelease, ...]:
    """Install the cluster's add-ons; none where the target has them by other means."""
    made_by = ctx.infrastructure
    if made_by is None or made_by.addons is None or made is None:
        return ()
    with ctx.journal.step("install add-ons") as step:
        installed = made_by.addons.install(texts(made.outputs), ctx.say)
        step |= {"releases": {one.name: f"{one.version} {one.status}" for one in installed}}
    return installed


def grant(ctx: PhaseContext, made: Made | None) -> tuple[AppliedObject, ...]:
    """Say in the cluster what the deploy role may do, and what nobody may run.

    Nothing where the service file has no such overlays.

    An emulator has roles, but no cluster that would know them.
    """
    made_by = ctx.infrastructure
    names = [name for name in (ACCESS, POLICIES) if name in ctx.service.overlays]
    if made_by is None or made_by.emulated or made is None or not names:
        return ()
    registry = made.outputs.repository_url.partition("/")[0]
    known = {
        DEPLOYERS_PLACEHOLDER: made.outputs.deployers_group,
        REGISTRIES_PLACEHOLDER: f"['{registry}/']",
    }
    with ctx.journal.step("grant access to deployers") as step:
        objects = [each for name in names for each in overlay_objects(ctx.service, ctx.world, name, known)]
        applied = ctx.world.cluster.apply(objects)
        step |= {"objects": [f"{one.kind}/{one.name} {one.change}" for one in applied]}
    return applied


def spent(ctx: PhaseContext, found: Estimate | None, since: datetime | None) -> Accrued | None:
    """What was spent by now, by the estimate; None where nothing is known to cost."""
    made_by = ctx.infrastructure
    if made_by is None or found is None or since is None:
        return None
    told = accrued(found, since, ctx.world.clock.now())
    cost_records.keep_accrued(made_by.records, told, emulated=made_by.emulated)
    return told


def texts(outputs: Outputs) -> dict[str, str]:
    """Outputs that are texts, by name: what values of charts can take."""
    values: dict[str, Any] = {field.name: getattr(outputs, field.name) for field in fields(outputs)}
    return {name: value for name, value in values.items() if isinstance(value, str)}
