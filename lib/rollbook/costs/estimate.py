"""Estimates, guards a budget, and counts what runs. Pure: resources and prices in, figures out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from rollbook.costs import rules
from rollbook.costs.model import Accrued, ByUse, CostRow, Counted, Estimate, Unknown
from rollbook.costs.prices import Prices
from rollbook.costs.rules import Charge, Use
from rollbook.errors import BadInputError, GateRefusedError

DEAREST = 3
"""Lines that a refusal names."""


def estimate(
    resources: Iterable[Counted], prices: Prices, region: str, *, load_balancers: int = 0
) -> Estimate:
    """What `resources` cost in a month. Each of them is in a row, by use, unknown, or counted as free.

    `load_balancers` are network load balancers with a public address in each zone that something in the
    cluster is going to make: Terraform does not know of them. BadInputError for fewer than none, and when the
    table lacks a price that a rule names.
    """
    if load_balancers < 0:
        raise BadInputError(f"there cannot be {load_balancers} load balancers")
    every = tuple(resources)
    rows, by_use, unknown, free = list[CostRow](), list[ByUse](), list[Unknown](), 0
    for resource in every:
        told = rules.told(resource, every)
        free += not told
        for one in told:
            if isinstance(one, Unknown):
                unknown.append(one)
            elif isinstance(one, Use):
                by_use.append(_by_use(one, prices))
            elif one.price.startswith("ec2_") and one.price not in prices.prices:
                unknown.append(Unknown(one.what, resource.kind, f"there is no price for {one.price[4:]}"))
            else:
                rows.append(_row(one, prices))
    for charge in _of_the_cluster(load_balancers, rules.zones(every)):
        rows.append(_row(charge, prices))
    if load_balancers:
        by_use.append(_by_use(Use("network load balancers", "network_load_balancer_capacity"), prices))
    return Estimate(
        rows=tuple(sorted(rows, key=lambda row: (-row.monthly_usd, row.what))),
        by_use=tuple(by_use),
        unknown=tuple(unknown),
        free=free,
        region=region,
        prices_of=prices.date,
        hours_per_month=prices.hours_per_month,
        notes=_notes(prices, region, [*rows, *by_use]),
    )


def within(found: Estimate, budget_usd_per_month: Decimal | float, *, accept_unknown: bool = False) -> None:
    """Return when the estimate is within the budget.

    GateRefusedError with the figures when it is not, and when something has no price, unless
    `accept_unknown`: what is not counted cannot be within. BadInputError when the budget is no amount.
    """
    budget = _amount(budget_usd_per_month)
    if found.monthly_usd > budget:
        dearest = "; ".join(f"{row.what} {row.monthly_usd:.2f}" for row in found.rows[:DEAREST])
        raise GateRefusedError(
            f"it would cost {found.monthly_usd:.2f} US dollars a month, and the budget is {budget:.2f}",
            why=f"most of it: {dearest}. {' '.join(found.notes)}".strip(),
            next_step="Make less (nodes, nat_gateways), or raise the budget.",
        )
    if found.unknown and not accept_unknown:
        named = "; ".join(f"{one.what} ({one.kind}): {one.why}" for one in found.unknown[:DEAREST])
        more = f" and {len(found.unknown) - DEAREST} more" if len(found.unknown) > DEAREST else ""
        raise GateRefusedError(
            f"nobody knows whether it is within {budget:.2f} US dollars a month",
            why=f"{found.monthly_usd:.2f} are counted, and not: {named}{more}",
            next_step="Add what is missing to terraform/prices.yaml, or accept what is not counted.",
        )


def accrued(found: Estimate, since: dt.datetime, now: dt.datetime) -> Accrued:
    """What was spent from `since` to `now`, both aware, at the estimate's rate. A part of an hour counts as
    that part: AWS bills some by the second and some by the begun hour. BadInputError when time runs back."""
    if since.tzinfo is None or now.tzinfo is None:
        raise BadInputError("a time without a zone says nothing of when it was")
    if now < since:
        raise BadInputError(f"{now.isoformat()} is before {since.isoformat()}")
    spent = now - since
    hours = Decimal(spent // dt.timedelta(microseconds=1)) / Decimal(3_600_000_000)
    return Accrued(since, now, hours, found.hourly_usd * hours, found)


def _of_the_cluster(number: int, zones: int) -> tuple[Charge, ...]:
    if not number:
        return ()
    note = "made by a controller in the cluster"
    addresses = Decimal(number * zones)
    return (
        Charge(f"{number} network load balancer(s)", "network_load_balancer", Decimal(number), note),
        Charge(f"{addresses} public addresses of load balancers", "public_ipv4", addresses, note),
    )


def _row(charge: Charge, prices: Prices) -> CostRow:
    monthly = prices.monthly(charge.price) * charge.quantity
    compared = charge.price in prices.compared
    return CostRow(charge.what, charge.price, charge.quantity, monthly, charge.note, compared)


def _by_use(use: Use, prices: Prices) -> ByUse:
    price = prices.of(use.price)
    return ByUse(use.what, use.price, price.usd, price.unit.value, use.price in prices.compared)


def _notes(prices: Prices, region: str, used: Iterable[CostRow | ByUse]) -> tuple[str, ...]:
    notes = []
    if region != prices.region:
        notes.append(f"These are prices of {prices.region}; those of {region} are others.")
    recalled = sorted({one.price for one in used if not one.compared})
    if recalled:
        notes.append(f"Written from memory, and compared with no published price: {', '.join(recalled)}.")
    notes.append("No price was compared with AWS's own page.")
    return tuple(notes)


def _amount(budget: Decimal | float) -> Decimal:
    amount = Decimal(str(budget))
    if not amount.is_finite() or amount < 0:
        raise BadInputError(
            f"{budget} is no budget",
            why="it has to be an amount of US dollars a month, 0 or more",
            next_step="Give a number such as 200.",
        )
    return amount
