"""`run.json` with types. Every key may be missing: a run that was cut off is still a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, ValidationError, model_validator

from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.record import SCHEMA


def _as_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_as_utc)]
"""A time in UTC; one without a zone is taken as UTC."""


class _Part(BaseModel):
    """A JSON object of `run.json`; a null counts as a missing key, an unknown key is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_missing(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {key: item for key, item in value.items() if item is not None}
        return value


class SloRecord(_Part):
    """Service level objective: share of good answers, and a bound for p95 in seconds."""

    availability: float | None = None
    p95_s: float | None = None


class ServiceRecord(_Part):
    """The service that was released."""

    name: str = ""
    namespace: str = ""
    rollout: str = ""
    slo: SloRecord = SloRecord()
    host: str = ""


class CommitRecord(_Part):
    """The commit that the run was made from."""

    sha: str = ""
    dirty: bool | None = None


class ComponentRecord(_Part):
    """One part of the environment; `healthy` is None when nobody looked."""

    name: str = ""
    version: str = ""
    healthy: bool | None = None
    detail: str = ""
    emulated: bool = False


class WaitsRecord(_Part):
    """Waits that were asked for, in seconds."""

    declared_s: float | None = None


class TimingRecord(_Part):
    """Where the time went, in seconds; `own_share` is rollbook's part of the total, 0..1."""

    total_s: float | None = None
    declared_s: float | None = None
    own_s: float | None = None
    own_share: float | None = None


class ReleaseRecord(_Part):
    """What a phase released; `fault` names what was broken on purpose."""

    version: str = ""
    digest: str = ""
    reference: str = ""
    fault: str = ""


class SideRecord(_Part):
    """One side of a canary: its version and pod-template hash."""

    version: str = ""
    hash: str = ""


class RowRecord(_Part):
    """One thing that a drill stated."""

    name: str = ""
    passed: bool | None = None
    wanted: str = ""
    got: str = ""


class AlertRecord(_Part):
    """An alert that a drill waited for; seconds after the abort, below 0 before it."""

    name: str = ""
    received_after_s: float | None = None
    resolved_after_s: float | None = None
    runbook_url: str = ""
    receiver: str = ""
    held_back_after_s: float | None = None
    held_back_by: tuple[str, ...] = ()


class MeasuredRecord(_Part):
    """What came of a drill on the users' side; times in seconds."""

    end: str = ""
    ended_by: str = ""
    sent: int | None = None
    failed: int | None = None
    failed_share: float | None = None
    by_cause: dict[str, int] = {}
    time_to_detect_s: float | None = None
    time_to_roll_back_s: float | None = None
    longest_in_flight_s: float | None = None
    judged: tuple[str, ...] = ()
    alerts: tuple[AlertRecord, ...] = ()
    alert: AlertRecord | None = None
    """The first of them; all that older records have."""
    others: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[AlertRecord, ...]:
        """The alerts that were asked for and seen, in records of any age."""
        return self.alerts or ((self.alert,) if self.alert else ())


class DrillRecord(_Part):
    """A drill: `passed` is None when it did not come to its end."""

    name: str = ""
    what: str = ""
    passed: bool | None = None
    rows: tuple[RowRecord, ...] = ()
    measured: MeasuredRecord = MeasuredRecord()


class PhaseRecord(_Part):
    """One phase, as far as it came."""

    name: str = ""
    phase: str = ""
    runbook: str = ""
    started: Moment | None = None
    ended: Moment | None = None
    seconds: float | None = None
    parameters: dict[str, JsonValue] = {}
    expected: str = ""
    verdict: str = ""
    outcome: str = ""
    exit_code: int | None = None
    sentence: str = ""
    notebook: str = ""
    notebook_html: str = ""
    release: ReleaseRecord = ReleaseRecord()
    stable: SideRecord = SideRecord()
    canary: SideRecord = SideRecord()
    drill: DrillRecord = DrillRecord()
    earlier: tuple[dict[str, JsonValue], ...] = ()
    """Attempts before this one, each with what became of it."""

    @property
    def canary_version(self) -> str:
        """Version of the canary; empty when it is not recorded."""
        return self.canary.version or self.release.version

    @property
    def is_canary(self) -> bool:
        """Whether this phase sent users to a canary."""
        return "canary" in (self.phase, self.runbook)

    @property
    def is_drill(self) -> bool:
        """Whether the release was faulty on purpose."""
        return self.is_canary and bool(self.release.fault)


class OutcomeRecord(_Part):
    """How the run ended, in its own words."""

    exit_code: int | None = None
    sentence: str = ""


class PlannedRecord(_Part):
    """A phase as the plan has it, whether or not it was begun."""

    name: str = ""
    runbook: str = ""


class RunRecord(_Part):
    """`run.json`."""

    id: str = ""
    started: Moment | None = None
    ended: Moment | None = None
    target: str = ""
    overlay: str = ""
    service: ServiceRecord = ServiceRecord()
    command: tuple[str, ...] = ()
    commit: CommitRecord = CommitRecord()
    rollbook: str = ""
    python: str = ""
    platform: str = ""
    components: tuple[ComponentRecord, ...] = ()
    disclosures: tuple[str, ...] = ()
    waits: WaitsRecord = WaitsRecord()
    timing: TimingRecord = TimingRecord()
    phases: tuple[PhaseRecord, ...] = ()
    plan: tuple[PlannedRecord, ...] = ()
    outcome: OutcomeRecord = OutcomeRecord()


def parse_run(raw: Mapping[str, Any]) -> RunRecord:
    """Read `run.json`. EvidenceInvalidError when a newer rollbook wrote it, or a key has the wrong type."""
    schema = raw.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise EvidenceInvalidError(
            "run.json was written by a newer rollbook",
            why=f"its schema is {schema}, and this rollbook knows {SCHEMA}",
            next_step="Use a rollbook that is as new as the one that ran.",
        )
    try:
        return RunRecord.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise EvidenceInvalidError(
            "run.json does not say what a run.json says",
            why=f"{where}: {first['msg']}",
            next_step="The record was changed, or another program wrote it; no report can be made from it.",
        ) from error
