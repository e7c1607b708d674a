"""Keeps estimates, in the shape that the check `cost.recorded` reads: currency, total, items with amounts."""

from __future__ import annotations

from typing import Any

from rollbook.costs.model import Accrued, Estimate
from rollbook.evidence.answers import Asked, Records

SYSTEM = "cost"
CALL = "estimate"
DIGITS = 6
"""Decimals of an amount in US dollars. A sum of a hundred rows is then right to a hundredth of a cent."""


def keep_estimate(records: Records, found: Estimate, *, emulated: bool = False) -> str:
    """Keep what a month would cost; the record's id. `emulated`: nothing of it is charged by anybody."""
    parameters = {"per": "month", "region": found.region, "emulated": emulated}
    return _keep(records, found, parameters, [float(row.monthly_usd) for row in found.rows])


def keep_accrued(records: Records, spent: Accrued, *, emulated: bool = False) -> str:
    """Keep what was spent by now, by the estimate; the record's id. With an emulator each amount is 0."""
    share = 0 if emulated else spent.hours / spent.estimate.hours_per_month
    parameters = {
        "per": "run",
        "region": spent.estimate.region,
        "emulated": emulated,
        "since": spent.since.isoformat(),
        "until": spent.until.isoformat(),
    }
    amounts = [float(row.monthly_usd * share) for row in spent.estimate.rows]
    return _keep(records, spent.estimate, parameters, amounts)


def _keep(records: Records, found: Estimate, parameters: dict[str, Any], amounts: list[float]) -> str:
    answer = {
        "currency": "USD",
        "total": round(sum(amounts), DIGITS),
        "items": [
            {
                "what": row.what,
                "price": row.price,
                "quantity": float(row.quantity),
                "amount": round(amount, DIGITS),
                "note": row.note,
                "compared": row.compared,
            }
            for row, amount in zip(found.rows, amounts, strict=True)
        ],
        "by_use": [
            {"what": one.what, "price": one.price, "usd": float(one.usd), "unit": one.unit}
            for one in found.by_use
        ],
        "unknown": [{"what": one.what, "type": one.kind, "why": one.why} for one in found.unknown],
        "prices_of": found.prices_of.isoformat(),
        "hours_per_month": found.hours_per_month,
        "notes": list(found.notes),
    }
    return records.record(Asked(SYSTEM, CALL, parameters), "ok", answer, always=True)
