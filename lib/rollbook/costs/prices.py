"""The price table: terraform/prices.yaml."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rollbook.errors import BadInputError
from rollbook.settings import yaml_file


def _exact(value: object) -> object:
    """A float of YAML as the decimal that was written."""
    return Decimal(str(value)) if isinstance(value, float | int) and not isinstance(value, bool) else value


class Unit(StrEnum):
    """What a price is for."""

    HOUR = "hour"
    ZONE_HOUR = "zone_hour"
    """An hour in one availability zone."""
    CAPACITY_UNIT_HOUR = "capacity_unit_hour"
    GB = "GB"
    GB_MONTH = "GB_month"
    MONTH = "month"
    USD_OF_EC2 = "usd_of_ec2"
    """A part of what the instances cost."""


class Price(BaseModel):
    """One price: US dollars for a unit, and where it is from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usd: Annotated[Decimal, BeforeValidator(_exact)] = Field(ge=0, allow_inf_nan=False)
    unit: Unit
    source: str


class Prices(BaseModel):
    """Prices of one region as of one day, on demand, without tax, credits and discounts.

    `compared` names, for some of them, what else they were compared with: none was read from AWS itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(pattern="^USD$")
    region: str
    date: Annotated[dt.date, BeforeValidator(lambda value: dt.date.fromisoformat(str(value)))]
    hours_per_month: int = Field(gt=0)
    prices: Mapping[str, Price]
    compared: Mapping[str, str] = {}

    def of(self, name: str) -> Price:
        """One price. BadInputError when the table lacks it."""
        found = self.prices.get(name)
        if found is None:
            raise BadInputError(
                f"the price table has no price {name}",
                next_step="Add it to terraform/prices.yaml, from AWS's page, with today's date.",
            )
        return found

    def monthly(self, name: str) -> Decimal:
        """US dollars for one of it during a month; BadInputError as in `of`, or when that depends on use."""
        price = self.of(name)
        if price.unit in {Unit.HOUR, Unit.ZONE_HOUR}:
            return price.usd * self.hours_per_month
        if price.unit in {Unit.MONTH, Unit.GB_MONTH}:
            return price.usd
        raise BadInputError(f"what {name} costs a month depends on its use: it is for a {price.unit.value}")


def read(path: Path) -> Prices:
    """The table in a file. BadInputError names the line of the first thing that is wrong."""
    return yaml_file.read(path, Prices, hint="The table of the project is terraform/prices.yaml.")
