"""A drill: a release that is bad on purpose (or good), and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

GATE = "drill"
"""Gates of a drill are called `drill: <row>`."""


class EndedBy(StrEnum):
    """What ended a canary that was not promoted."""

    JUDGE = "judge"
    """rollbook's judge aborted it: it was harmful."""
    GATE = "gate"
    """The judge's gate aborted it: it was not shown to be safe in time."""
    ANALYSIS = "analysis"
    """Argo's AnalysisRun failed, or could not tell."""
    PROGRESS_DEADLINE = "progress-deadline"
    """Its pods were not available in time, and Argo gave it up."""
    TIME_LIMIT = "time-limit"
    """It did not end within the canary's time limit, and rollbook gave it up."""


@dataclass(frozen=True)
class AlertWanted:
    """An alert that somebody must be told of, before the abort or within seconds of it."""

    name: str
    within_s: float
    or_held_back: bool = False
    """Whether it counts as well when Alertmanager has it and another alert, such as that of an abort, holds
    it back."""


@dataclass(frozen=True)
class Must:
    """What must come of a drill. None and empty: nothing is asked."""

    end: str
    """`promoted` or `rolled-back`."""
    by: tuple[EndedBy, ...] = ()
    """One of these has to end it."""
    detect_s: float | None = None
    """At most so many seconds from the version's first failed (or first) answer to the abort."""
    failed_share: float = 1.0
    """At most this share of all users' requests may fail, 0..1."""
    causes: tuple[str, ...] = ()
    """Requests may fail by these causes only (`app-error`, `proxy-error`, `reset`, ...); empty: by any."""
    never_judged: tuple[str, ...] = ()
    """Verdicts that the judge must not give at any look."""
    alerts: tuple[AlertWanted, ...] = ()
    """Empty: no alert may be received."""


@dataclass(frozen=True)
class Drill:
    """One drill, as `drills.yaml` has it."""

    name: str
    what: str
    """What is wrong with the version, for people."""
    fault: str
    """Fault of the service file; empty for a healthy version."""
    must: Must
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of the canary runbook."""


@dataclass(frozen=True)
class AlertMeasured:
    """What became of an alert that was seen. Seconds after the abort, below 0 before it; None for what was
    not seen."""

    name: str
    received_after_s: float | None
    resolved_after_s: float | None
    """When its end was told, or, of one that may be held back, when Alertmanager had it no more."""
    runbook_url: str
    labels: Mapping[str, str]
    receiver: str
    evidence: tuple[str, ...] = ()
    held_back_after_s: float | None = None
    """When Alertmanager was seen to hold it back."""
    held_back_by: tuple[str, ...] = ()
    """Names of the alerts that held it back; empty when somebody was told."""

    @property
    def seen_after_s(self) -> float | None:
        """When it was received, or else seen to be held back."""
        return self.held_back_after_s if self.received_after_s is None else self.received_after_s


@dataclass(frozen=True)
class Measured:
    """What came of a drill, on the users' side. Times in seconds."""

    end: str
    """`promoted`, `rolled-back`, `paused` or `timed-out`; the last two are brought back to stable."""
    ended_by: EndedBy | None
    sent: int
    failed: int
    failed_by_stable: int
    by_cause: Mapping[str, int]
    """Failed requests by cause."""
    served: int
    """Requests that the version answered."""
    time_to_detect_s: float | None
    """From the version's first failed answer, or its first answer when none failed, to the abort."""
    time_to_roll_back_s: float | None
    """From the abort to the last answer that the version gave; None for one that was promoted."""
    longest_in_flight_s: float
    """The longest request that the version was answering at the abort."""
    judged: tuple[str, ...]
    """The verdicts of the judge, each once, in the order of their first look."""
    alerts: tuple[AlertMeasured, ...]
    """Those that were asked for and seen."""
    others: tuple[str, ...]
    """Names of alerts that were received and not asked for."""

    @property
    def failed_share(self) -> float:
        """Share of users' requests that failed."""
        return self.failed / self.sent if self.sent else 0.0


@dataclass(frozen=True)
class Row:
    """One thing that had to come of a drill, and whether it did."""

    name: str
    passed: bool
    wanted: str
    got: str
