"""Estimates: arithmetic, what is named instead of counted, the guard of the budget, and the running cost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.coverage.worlds import World

from rollbook.costs import prices as table
from rollbook.costs.estimate import accrued, estimate, within
from rollbook.costs.model import Estimate
from rollbook.costs.records import keep_accrued, keep_estimate
from rollbook.costs.rules import FREE, RULES
from rollbook.coverage.checks import cloud
from rollbook.coverage.model import State
from rollbook.errors import BadInputError, GateRefusedError
from rollbook.evidence.answers import Asked

FILE = Path(__file__).parents[2] / "terraform" / "prices.yaml"
PRICES = table.read(FILE)
HERE = PRICES.region
NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Thing:
    """A resource."""

    address: str
    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


CLUSTER = Thing("aws_eks_cluster.this", "aws_eks_cluster", {"upgrade_policy": [{"support_type": "STANDARD"}]})
NAT = Thing("aws_nat_gateway.this", "aws_nat_gateway")
NODES = Thing(
    'module.cluster.aws_eks_node_group.this["main"]',
    "aws_eks_node_group",
    {"instance_types": ["t4g.medium"], "scaling_config": [{"desired_size": 2}], "capacity_type": "ON_DEMAND"},
)
TEMPLATE = Thing(
    'module.cluster.aws_launch_template.this["main"]',
    "aws_launch_template",
    {"block_device_mappings": [{"ebs": [{"volume_size": 30, "volume_type": "gp3"}]}]},
)
SUBNETS = tuple(
    Thing(f"aws_subnet.private[{zone!r}]", "aws_subnet", {"availability_zone": zone}) for zone in "abc"
)

any_thing = st.builds(
    Thing,
    st.text("abc", min_size=1).map("aws_x.{}".format),
    st.sampled_from([*sorted(RULES), *sorted(FREE), "aws_db_instance", "random_pet"]),
    st.fixed_dictionaries(
        {},
        optional={
            "instance_types": st.lists(st.sampled_from(["t4g.medium", "u-24tb1.metal"]), max_size=2),
            "scaling_config": st.lists(
                st.fixed_dictionaries({"desired_size": st.integers(0, 50)}), max_size=1
            ),
            "vpc_endpoint_type": st.sampled_from(["Gateway", "Interface"]),
            "load_balancer_type": st.sampled_from(["network", "application"]),
            "compute_config": st.just([{"enabled": True}]),
            "disk_size": st.integers(1, 500),
        },
    ),
)
things = st.lists(any_thing, max_size=8, unique_by=lambda one: (one.kind, one.address))


def of(*resources: Thing, **options: Any) -> Estimate:
    """The estimate of resources in the table's region."""
    return estimate(resources, PRICES, HERE, **options)


def test_a_minimal_cluster_is_about_a_quarter_of_a_dollar_an_hour() -> None:
    """Control plane, two nodes with disks, NAT with its address, one load balancer in three zones."""
    address = Thing("aws_eip.nat", "aws_eip")
    found = of(CLUSTER, NAT, address, NODES, TEMPLATE, *SUBNETS, load_balancers=1)

    # 73 + 49.056 + 32.85 + 3.65 + 16.425 + 3 * 3.65 + 2 * 30 * 0.08
    assert Decimal("190.731") == found.monthly_usd
    assert "0.2613" == f"{found.hourly_usd:.4f}"
    assert (4, ()) == (found.free, found.unknown)
    assert {"nat_gateway_data", "network_load_balancer_capacity"} == {one.price for one in found.by_use}


@given(things)
def test_nothing_is_lost(resources: list[Thing]) -> None:
    """Each resource is counted, told as charged by use, told as unknown, or is one of the free ones."""
    found = of(*resources)
    told = " ".join(one.what for one in (*found.rows, *found.by_use, *found.unknown))
    silent = [one for one in resources if one.address not in told]

    assert found.free >= len(silent)
    assert [] == [one for one in silent if one.kind not in {*FREE, "aws_launch_template"}]
    assert {"aws_db_instance", "random_pet"} & {one.kind for one in resources} <= {
        one.kind for one in found.unknown
    }


@given(things, things)
def test_more_never_costs_less(some: list[Thing], more: list[Thing]) -> None:
    """Adding resources adds rows, or leaves the sum as it is; no row is negative."""
    renamed = [replace(one, address=f"{one.address}.more") for one in more]
    less, all_of_it = of(*some), of(*some, *renamed)

    assert less.monthly_usd <= all_of_it.monthly_usd
    assert [] == [row for row in all_of_it.rows if row.monthly_usd < 0]


@given(things, st.permutations(range(8)))
def test_order_does_not_matter(resources: list[Thing], order: list[int]) -> None:
    """The sum is of what there is, and not of how it is listed."""
    shuffled = [resources[at] for at in order if at < len(resources)]

    assert of(*resources).monthly_usd == of(*shuffled).monthly_usd


@given(things, st.integers(0, 5))
def test_the_sum_is_that_of_the_rows(resources: list[Thing], load_balancers: int) -> None:
    """A month is its rows, and an hour the part of it that the table says."""
    found = of(*resources, load_balancers=load_balancers)

    assert sum((row.monthly_usd for row in found.rows), Decimal(0)) == found.monthly_usd
    assert abs(found.hourly_usd * PRICES.hours_per_month - found.monthly_usd) < Decimal("1e-12")


@given(things, st.decimals(0, 5000, places=2))
def test_the_guard_refuses_what_is_above_and_what_nobody_knows(
    resources: list[Thing], budget: Decimal
) -> None:
    """It passes exactly what is within the budget, and has no part that is not counted."""
    found = of(*resources)
    try:
        within(found, budget)
        passed = True
    except GateRefusedError:
        passed = False

    assert (found.monthly_usd <= budget and not found.unknown) is passed


@given(things, st.timedeltas(dt.timedelta(0), dt.timedelta(days=400)), st.floats(0, 1))
def test_running_cost_adds_up(resources: list[Thing], spent: dt.timedelta, part: float) -> None:
    """What two stretches of time cost together is what the whole costs, and none costs less than nothing."""
    found, between = of(*resources), NOON + spent * part
    whole = accrued(found, NOON, NOON + spent)
    parts = [accrued(found, NOON, between), accrued(found, between, NOON + spent)]

    assert abs(whole.usd - sum(one.usd for one in parts)) < Decimal("1e-9")
    assert [] == [one for one in (whole, *parts) if one.usd < 0]


def test_a_month_costs_what_a_month_costs() -> None:
    """After as many hours as the table's month has, the estimate is what was spent."""
    found = of(CLUSTER, NAT)
    spent = accrued(found, NOON, NOON + dt.timedelta(hours=PRICES.hours_per_month))

    assert (Decimal(730), "105.850") == (spent.hours, f"{spent.usd:.3f}")


@pytest.mark.parametrize(
    ("resource", "unknown"),
    [
        (Thing("aws_rds_cluster.this", "aws_rds_cluster"), "aws_rds_cluster.this"),
        (replace(NODES, values={**NODES.values, "instance_types": ["m9i.metal"]}), "2 m9i.metal"),
        (replace(NODES, values={}), NODES.address),
        (replace(CLUSTER, values={"compute_config": [{"enabled": True}]}), "nodes of aws_eks_cluster.this"),
        (Thing("aws_lb.this", "aws_lb", {"load_balancer_type": "application"}), "aws_lb.this"),
    ],
)
def test_what_has_no_price_is_named_and_stops_the_guard(resource: Thing, unknown: str) -> None:
    """It is in no sum, the sentence tells it, and the guard lets it pass only when somebody accepts it."""
    found = of(resource)

    assert [True] == [one.what.startswith(unknown) for one in found.unknown]
    assert resource.kind in found.sentence
    with pytest.raises(GateRefusedError, match="nobody knows") as told:
        within(found, 10_000)
    assert unknown in told.value.why
    within(found, 10_000, accept_unknown=True)


def test_a_refusal_has_the_figures_and_what_to_change() -> None:
    """Estimate, budget, the dearest lines, and what their prices are worth."""
    with pytest.raises(GateRefusedError) as told:
        within(of(CLUSTER, NAT), 100)

    assert "it would cost 105.85 US dollars a month, and the budget is 100.00" == told.value.what
    assert "aws_eks_cluster.this 73.00; aws_nat_gateway.this 32.85" in told.value.why
    assert "No price was compared with AWS's own page." in told.value.why
    assert "nat_gateways" in told.value.next_step


@pytest.mark.parametrize("budget", [-1, float("nan"), float("inf")])
def test_a_budget_is_an_amount_of_money(budget: float) -> None:
    """What is none is bad input, and nothing passes by it."""
    with pytest.raises(BadInputError, match="is no budget"):
        within(of(), budget)


def test_prices_of_another_region_are_told_as_such() -> None:
    """The estimate goes on by the table's prices, and says that they are others."""
    found = estimate([CLUSTER], PRICES, "eu-west-1")

    assert (Decimal(73), True) == (found.monthly_usd, any("eu-west-1" in note for note in found.notes))


def test_prices_from_memory_are_told_as_such() -> None:
    """A row says whether its price was compared with anything; the notes name those that were not."""
    found = of(CLUSTER, NODES)

    assert {"eks_cluster": True, "ec2_t4g_medium": False, "ebs_gp3": False} == {
        row.price: row.compared for row in found.rows
    }
    assert (
        "Written from memory, and compared with no published price: ebs_gp3, ec2_t4g_medium." in found.notes
    )


def test_details_that_change_the_price_are_seen() -> None:
    """Zones of endpoints, default disks, public nodes, Spot, extended support, a network load balancer."""
    endpoint = Thing("aws_vpc_endpoint.ecr", "aws_vpc_endpoint", {"vpc_endpoint_type": "Interface"})
    known = replace(endpoint, values={**endpoint.values, "subnet_ids": ["a"]})
    public = Thing("aws_subnet.public", "aws_subnet", {"map_public_ip_on_launch": True})
    spot = replace(NODES, values={**NODES.values, "capacity_type": "SPOT", "disk_size": 50})

    assert [Decimal(3)] == [row.quantity for row in of(endpoint, *SUBNETS).rows]
    assert [Decimal(1)] == [row.quantity for row in of(known, *SUBNETS).rows]
    assert {"public_ipv4": 2, "ebs_gp3": 40, "ec2_t4g_medium": 2} == {
        row.price: row.quantity for row in of(NODES, public).rows
    }
    assert ("Spot", Decimal(100)) == (of(spot).rows[0].note[:4], of(spot).rows[1].quantity)
    assert "extended" in of(replace(CLUSTER, values={})).rows[0].note
    assert ["network_load_balancer"] == [
        row.price for row in of(Thing("aws_lb.x", "aws_lb", {"load_balancer_type": "network"})).rows
    ]


@pytest.mark.parametrize(
    ("since", "now"),
    [
        (NOON, NOON - dt.timedelta(seconds=1)),
        (NOON.replace(tzinfo=None), NOON),
        (NOON, NOON.replace(tzinfo=None)),
    ],
)
def test_time_does_not_run_back(since: dt.datetime, now: dt.datetime) -> None:
    """Neither backwards nor without a zone."""
    with pytest.raises(BadInputError):
        accrued(of(CLUSTER), since, now)


def test_every_type_of_the_code_is_known() -> None:
    """What terraform/ makes has a rule or is known to be free, so that its estimate leaves nothing open."""
    code = FILE.parent
    made = {
        line.split('"')[1]
        for path in (*code.glob("*.tf"), *code.glob("modules/*/*.tf"))
        for line in path.read_text().splitlines()
        if line.startswith('resource "')
    }

    assert set() == made - set(RULES) - FREE
    assert set() == set(RULES) & FREE


def test_what_was_compared_is_a_price() -> None:
    """No comparison is of a price that there is not."""
    assert set() == set(PRICES.compared) - set(PRICES.prices)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("usd: 0.0336", "usd: -1", "usd"),
        ("usd: 0.0336", "usd: .nan", "usd"),
        ("unit: usd_of_ec2", "unit: fortnight", "unit"),
        ("currency: USD", "currency: EUR", "currency"),
        ("date: 2026-11-23", "date: lately", "date"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    """The error names the file, the line and the field."""
    path = tmp_path / "prices.yaml"
    path.write_text(FILE.read_text().replace(old, new))
    with pytest.raises(BadInputError, match=rf"prices\.yaml line \d+: .*{told}"):
        table.read(path)


class Kept:
    """Records in a bundle in memory."""

    def __init__(self) -> None:
        self.world = World({})

    def record(
        self, asked: Asked, status: str, answer: Any, at: object = None, *, always: bool = False
    ) -> str:
        self.world.answered(asked.of, asked.call, answer, status=status, **asked.parameters)
        return self.world.answers[-1].id


@pytest.mark.parametrize(("emulated", "told"), [(False, "0.58 USD"), (True, "0.00 USD")])
def test_what_was_spent_is_recorded_so_that_the_check_proves_it(emulated: bool, told: str) -> None:
    """The items add up to the total; with an emulator nothing was spent."""
    kept = Kept()
    found = of(CLUSTER, NAT, NAT)
    keep_estimate(kept, found, emulated=emulated)
    keep_accrued(kept, accrued(found, NOON, NOON + dt.timedelta(hours=3, minutes=3)), emulated=emulated)
    judged = cloud.cost_recorded(kept.world.bundle())

    assert (State.PROVED, f"The run cost {told} in 3 items.") == (judged.state, judged.sentence)
    assert [138.7, 0.0 if emulated else 0.5795] == [one.answer["total"] for one in kept.world.answers]
