"""An estimate, and what it is made of. Money is in US dollars, exact; whoever shows it rounds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol


class Counted(Protocol):
    """A resource as planned or as it is, in Terraform's words."""

    @property
    def address(self) -> str:
        """Its name in the code."""

    @property
    def kind(self) -> str:
        """Its type, such as aws_nat_gateway."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Its attributes, as far as they are known."""


@dataclass(frozen=True)
class CostRow:
    """One line of an estimate: so many of something, at a price that is charged whether it is used or not."""

    what: str
    price: str
    """Name in the price table."""
    quantity: Decimal
    monthly_usd: Decimal
    note: str = ""
    compared: bool = True
    """Whether the price was compared with a published list; not that it was AWS's own."""


@dataclass(frozen=True)
class ByUse:
    """What costs by use, and is in no sum: US dollars for a unit, such as GB."""

    what: str
    price: str
    usd: Decimal
    unit: str
    compared: bool = True


@dataclass(frozen=True)
class Unknown:
    """What may cost money, and the table has no price for: in no sum."""

    what: str
    kind: str
    why: str


@dataclass(frozen=True)
class Estimate:
    """What a set of resources costs as long as it is there.

    `rows` make the sum; `by_use` and `unknown` come on top of it. `free` counts resources that cost nothing.
    `notes` say what a reader of the figures has to know.
    """

    rows: tuple[CostRow, ...]
    by_use: tuple[ByUse, ...]
    unknown: tuple[Unknown, ...]
    free: int
    region: str
    prices_of: dt.date
    hours_per_month: int
    notes: tuple[str, ...] = ()

    @property
    def monthly_usd(self) -> Decimal:
        """US dollars a month of `hours_per_month` hours."""
        return sum((row.monthly_usd for row in self.rows), Decimal(0))

    @property
    def hourly_usd(self) -> Decimal:
        """US dollars an hour."""
        return self.monthly_usd / self.hours_per_month

    @property
    def sentence(self) -> str:
        """The figures in words, with what is not in them."""
        told = (
            f"About {self.monthly_usd:.2f} US dollars a month, {self.hourly_usd:.4f} an hour, by prices of "
            f"{self.prices_of.isoformat()}, on demand, without tax and what is charged by use"
        )
        if not self.unknown:
            return f"{told}."
        kinds = ", ".join(dict.fromkeys(one.kind for one in self.unknown))
        return f"{told}, and without what has no price here: {kinds}."


@dataclass(frozen=True)
class Accrued:
    """What was spent by now, by the estimate: `usd` in `hours`."""

    since: dt.datetime
    until: dt.datetime
    hours: Decimal
    usd: Decimal
    estimate: Estimate
