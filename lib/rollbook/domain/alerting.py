"""Alerts as somebody receives them, and the protocol of whoever hears them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from rollbook.errors import EnvironmentFailedError


class AlertStatus(StrEnum):
    """What a notification says of an alert; Alertmanager's own words."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Received:
    """One alert of one notification. All times are UTC, aware.

    `starts_at` is when Prometheus let it fire, `ends_at` when its cause was over (None while it fires),
    `received_at` when the notification came, and `receiver` the name of the receiver that it was routed to.
    """

    alertname: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    status: AlertStatus
    starts_at: datetime
    ends_at: datetime | None
    received_at: datetime
    receiver: str

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether it carries all of these labels."""
        return all(self.labels.get(name) == value for name, value in labels.items())


@dataclass(frozen=True)
class Listed:
    """One alert that Alertmanager has now, whether or not it tells anybody.

    `starts_at` is UTC, aware. `held_back_by` are the names of the alerts that hold it back, and `silence` for
    what a person silenced; empty when it is told.
    """

    alertname: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    held_back_by: tuple[str, ...]


class Alerts(Protocol):
    """Whoever hears the alerts of a target."""

    @property
    def heard_by(self) -> str:
        """Who that is, in words, for the record."""

    def received(self, since: datetime) -> tuple[Received, ...]:
        """What was received at that moment or later, oldest first. EnvironmentFailedError without an answer.

        An alert is received again when it is over (`resolved`), and whenever its group is told anew.
        """

    def listed(self) -> tuple[Listed, ...]:
        """All that Alertmanager has now, held back or not. EnvironmentFailedError without an answer."""


class NoAlerts:
    """A target of which nobody hears alerts."""

    heard_by = "nobody"

    def received(self, since: datetime) -> tuple[Received, ...]:
        """Cannot be told. EnvironmentFailedError, always: no answer is not silence."""
        raise _deaf(f"what was received since {since.isoformat()} cannot be told")

    def listed(self) -> tuple[Listed, ...]:
        """Cannot be told. EnvironmentFailedError, always."""
        raise _deaf("what its Alertmanager has cannot be told")


def _deaf(why: str) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        "nobody hears the alerts of this target",
        why=why,
        next_step="Connect to the target with an Alertmanager.",
    )
