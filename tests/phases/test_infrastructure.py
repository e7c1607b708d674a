"""What a target stands on: planned, priced, applied, looked at again, and ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from tests.evidence.kept import Kept
from tests.phases.fakes import START, Stage, stage

from rollbook.costs.prices import Price, Prices, Unit
from rollbook.domain.infrastructure import Leftovers, Sweep
from rollbook.domain.release import Component
from rollbook.errors import BadInputError, GateRefusedError, NotFoundError
from rollbook.phases import infrastructure, teardown
from rollbook.phases.context import PhaseContext
from rollbook.phases.infrastructure import Infrastructure
from rollbook.terraform.port import (
    Action,
    Applied,
    Drift,
    Event,
    EventKind,
    Outputs,
    OverdueError,
    Plan,
    Resource,
    ResourceChange,
)

CLUSTER = Resource("aws_eks_cluster.this", "aws_eks_cluster", {"name": "rollbook", "version": "1.36"})
OUTPUTS = Outputs(
    region="eu-central-1",
    account_id="000000000012",
    tags={"owner": "platform"},
    vpc_id="vpc-1",
    node_subnet_ids={},
    nat_public_ips=(),
    cluster_name="rollbook",
    cluster_arn="arn",
    cluster_endpoint="https://eks.example.com",
    cluster_certificate_authority_data="",
    cluster_version="1.36",
    deployers_group="rollbook:deployers",
    load_balancer_class="service.k8s.aws/nlb",
    repository_url="registry/orders",
    secret_arn="arn",
    kms_key_arn="arn",
)


@dataclass
class FakeProvisioner:
    """Terraform whose plans are known beforehand."""

    made: list[str] = field(default_factory=list)
    drifted: Drift = field(default_factory=Drift)
    there: Outputs | None = OUTPUTS
    late: int = 0
    """How many times destroying takes too long."""

    def components(self) -> tuple[Component, ...]:
        return ()

    def plan(self, *, destroy: bool = False) -> Plan:
        change = ResourceChange(CLUSTER.address, CLUSTER.kind, Action.CREATE)
        return Plan(Path("plan"), adds=(change,), resources=(CLUSTER,))

    def apply(self, plan: Plan) -> Applied:
        self.made.append("apply")
        return Applied((CLUSTER.address,), (), (), (CLUSTER,), 1.0)

    def resources(self) -> tuple[Resource, ...]:
        return (CLUSTER,) if self.there else ()

    def outputs(self) -> Outputs:
        if self.there is None:
            raise NotFoundError("Terraform has no outputs")
        return self.there

    def drift(self) -> Drift:
        return self.drifted

    def destroy(self) -> Applied:
        self.made.append("destroy")
        if self.late >= len(self.made):
            raise OverdueError("terraform destroy did not end within 300 s")
        return Applied((), (), (CLUSTER.address,), (), 1.0)


@dataclass
class FakeRemains:
    """An account in which something may be left."""

    left: tuple[str, ...] = ()
    done: list[str] = field(default_factory=list)

    def remove(self, vpc: str) -> Leftovers:
        self.done.append(f"remove in {vpc}")
        return Leftovers(("load_balancer k8s-edge",), ())

    def sweep(self, tags: Mapping[str, str]) -> Sweep:
        self.done.append(f"sweep {dict(tags)}")
        return Sweep(self.left, ("ec2 vpc", "eks cluster"))

    def there_since(self) -> dt.datetime | None:
        return START - dt.timedelta(hours=2)


@dataclass
class Made:
    """A stage with infrastructure."""

    on: Stage
    ctx: PhaseContext
    provisioner: FakeProvisioner
    remains: FakeRemains
    records: Kept

    def gates(self) -> dict[str, bool]:
        """Gates in the journal, by name."""
        entries = self.ctx.journal.entries()
        return {one.name: one.data["passed"] for one in entries if one.kind.value == "gate"}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A target whose only resource is an EKS cluster: 73 dollars a month."""
    on = stage(tmp_path)
    provisioner, remains, records = FakeProvisioner(), FakeRemains(), Kept()
    eks = Price(usd=Decimal("0.10"), unit=Unit.HOUR, source="a test")
    prices = Prices(
        currency="USD",
        region="eu-central-1",
        date=dt.date(2026, 11, 1),
        hours_per_month=730,
        prices={"eks_cluster": eks, "eks_extended_support": eks},
    )
    found = Infrastructure(
        provisioner=provisioner,
        addons=None,
        remains=remains,
        prices=prices,
        records=records,
        cluster="rollbook",
        region="eu-central-1",
        emulated=False,
    )
    return Made(on, replace(on.ctx, infrastructure=found), provisioner, remains, records)


def test_a_target_that_is_not_made_by_terraform_has_nothing_to_do(tmp_path: Path) -> None:
    """Each step says so by None, and changes nothing."""
    ctx = stage(tmp_path).ctx

    planned = infrastructure.plan(ctx)

    assert (None, None, None) == (
        planned,
        infrastructure.guard(ctx, planned, budget=0),
        infrastructure.verify(ctx),
    )
    assert None is infrastructure.apply(ctx, planned)
    assert "nothing of this target was made by Terraform" == teardown.end_target(ctx, wanted=True).sentence


def test_within_the_budget_it_goes_on(made: Made) -> None:
    """The estimate is kept, the gate passes, and what is applied is the plan."""
    planned = infrastructure.plan(made.ctx)
    found = infrastructure.guard(made.ctx, planned, budget=100)
    done = infrastructure.apply(made.ctx, planned)
    spent = infrastructure.spent(made.ctx, found, START - dt.timedelta(hours=1))

    assert found is not None
    assert done is not None
    assert spent is not None
    assert (Decimal("73.00"), ["apply"]) == (found.monthly_usd, made.provisioner.made)
    assert {"budget": True} == made.gates()
    assert ["month", "run"] == [asked["per"] for _, asked, _, _ in made.records.all]
    assert Decimal("0.10") == round(spent.usd, 2)


def test_over_the_budget_it_ends(made: Made) -> None:
    """The gate refuses with the figures; nothing was applied."""
    planned = infrastructure.plan(made.ctx)

    with pytest.raises(GateRefusedError, match=r"73\.00 US dollars a month, and the budget is 20\.00"):
        infrastructure.guard(made.ctx, planned, budget=20)

    assert ({"budget": False}, []) == (made.gates(), made.provisioner.made)


def test_another_cluster_than_the_one_that_was_asked_for(made: Made) -> None:
    """Values of another cluster are refused before anything is made."""
    assert made.ctx.infrastructure is not None
    other = replace(made.ctx, infrastructure=replace(made.ctx.infrastructure, cluster="payments"))

    with pytest.raises(BadInputError, match="make the cluster rollbook, and payments was asked for"):
        infrastructure.plan(other)


def test_drift_is_refused(made: Made) -> None:
    """What differs from what is written is named."""
    made.provisioner.drifted = Drift(unexpected=(ResourceChange("aws_vpc.this", "aws_vpc", Action.UPDATE),))

    with pytest.raises(GateRefusedError, match=r"aws_vpc\.this \(update\)"):
        infrastructure.verify(made.ctx)

    assert {"no drift": False} == made.gates()


def test_what_terraform_does_is_told_as_it_happens(made: Made) -> None:
    """What is done is in the journal, and what is waited for each half a minute; all of it is said."""
    said: list[str] = []
    tell = infrastructure.following(made.ctx.journal, said.append)

    tell(Event(EventKind.STARTED, "creating", "aws_vpc.this", "create"))
    for seconds in range(10, 80, 10):
        tell(Event(EventKind.WAITING, f"still creating {seconds}", "aws_vpc.this", "create", float(seconds)))
    tell(Event(EventKind.DONE, "created", "aws_vpc.this", "create", 72.0))

    written = [
        (one.name, one.data["address"], one.data["seconds"])
        for one in made.ctx.journal.entries()
        if one.source == "terraform"
    ]
    assert [*(f"still creating {seconds}" for seconds in range(10, 80, 10)), "created"] == said
    assert [("waiting", "aws_vpc.this", 30.0), ("waiting", "aws_vpc.this", 60.0)] == written[:2]
    assert [("done", "aws_vpc.this", 72.0)] == written[2:]


def test_the_end_of_a_target(made: Made) -> None:
    """What controllers left goes before the destroy, and the account is swept afterwards."""
    ended = teardown.end_target(made.ctx, wanted=True)

    assert ["remove in vpc-1", "sweep {'owner': 'platform'}"] == made.remains.done
    assert (("load_balancer k8s-edge",), (CLUSTER.address,)) == (ended.leftovers, ended.destroyed)
    assert {"nothing left": True} == made.gates()
    total = made.records.all[-1][3]["total"]
    assert 0.2 == round(total, 2)


def test_a_destroy_that_takes_too_long_is_tried_once_more(made: Made) -> None:
    """What controllers left is looked for again before; both tries are in the journal."""
    made.provisioner.late = 1

    ended = teardown.end_target(made.ctx, wanted=True)

    tries = [
        one.data["state"]
        for one in made.ctx.journal.entries()
        if one.name == "destroy infrastructure" and one.data["state"] != "started"
    ]
    assert (["failed", "done"], (CLUSTER.address,)) == (tries, ended.destroyed)
    assert ["remove in vpc-1"] * 2 == made.remains.done[:2]


def test_a_destroy_that_takes_too_long_twice_is_told(made: Made) -> None:
    """No third try is made: what holds it has to be looked at."""
    made.provisioner.late = 2

    with pytest.raises(OverdueError, match="did not end within 300 s"):
        teardown.end_target(made.ctx, wanted=True)

    assert ["destroy", "destroy"] == made.provisioner.made


def test_what_is_left_is_refused(made: Made) -> None:
    """A sweep that finds something ends red, and names it."""
    made.remains.left = ("vpc vpc-1",)

    with pytest.raises(GateRefusedError, match="vpc vpc-1"):
        teardown.end_target(made.ctx, wanted=True)


def test_a_teardown_that_ended_halfway_goes_on(made: Made) -> None:
    """Where everything is gone from the state already, the rest is still done."""
    made.provisioner.there = None

    teardown.end_target(made.ctx, wanted=True)

    assert (["sweep {}"], ["destroy"]) == (made.remains.done, made.provisioner.made)


def test_repository_and_secret_of_terraform_stay_with_the_target(made: Made) -> None:
    """They are deleted only when everything is."""
    assert () == teardown.remove_registry(made.ctx, environment=False).deleted
    assert ("repository orders",) == teardown.remove_registry(made.ctx, environment=True).deleted
