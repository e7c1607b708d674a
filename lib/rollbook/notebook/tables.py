"""What the runbooks show of typed outcomes, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING

from rollbook.domain.drill import Row
from rollbook.domain.release import Component
from rollbook.domain.rollout import Step
from rollbook.notebook.display import table
from rollbook.phases.experiment import ExperimentOutcome
from rollbook.phases.users import UserAccount
from rollbook.phases.validate import Gate
from rollbook.ports import Applied

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Html:
    """HTML that a notebook shows; plain text elsewhere."""

    def __init__(self, html: str, text: str) -> None:
        self._html = html
        self._text = text

    def _repr_html_(self) -> str:
        return self._html

    def __repr__(self) -> str:
        return self._text


def fields_table(outcome: DataclassInstance | None) -> Html:
    """A frozen dataclass, one field a row; what is empty is left out. For None, that there is nothing."""
    if outcome is None:
        return rows_table((), (), "There is nothing of this on this target.")
    rows = [
        (field.name.replace("_", " "), value)
        for field in fields(outcome)
        if (value := _shown(getattr(outcome, field.name))) != ""
    ]
    return rows_table(("", type(outcome).__name__), rows)


def applied_table(applied: Sequence[Applied]) -> Html:
    """Objects that were applied, and what that changed."""
    if not applied:
        return rows_table((), (), "Nothing was applied.")
    rows = [(one.kind, one.namespace, one.name, one.change) for one in applied]
    return rows_table(("kind", "namespace", "name", "change"), rows)


def component_table(components: Sequence[Component]) -> Html:
    """Components with version and health."""
    rows = [
        (
            one.name,
            one.version,
            "healthy" if one.healthy else "NOT HEALTHY",
            "emulated" if one.emulated else "",
            one.detail,
        )
        for one in components
    ]
    return rows_table(("component", "version", "health", "", "detail"), rows)


def gate_table(gates: Sequence[Gate]) -> Html:
    """Gates with what was expected and what was found."""
    words = {True: "passed", False: "REFUSED", None: "nothing to check"}
    rows = [(gate.name, words[gate.passed], gate.expected, gate.got, gate.sentence) for gate in gates]
    return rows_table(("gate", "state", "expected", "found", "in words"), rows)


def drill_table(rows: Sequence[Row]) -> Html:
    """What a drill stated, and whether it came; a sentence when this is none."""
    if not rows:
        return rows_table((), (), "This is no drill.")
    cells = [(row.name, "holds" if row.passed else "DOES NOT HOLD", row.wanted, row.got) for row in rows]
    return rows_table(("expectation", "state", "it must be", "it was"), cells)


def users_table(account: UserAccount) -> Html:
    """What users saw, by the version that answered."""
    rows = [
        (
            one.version or "(the edge itself)",
            one.sent,
            one.failed,
            ", ".join(f"{cause}: {count}" for cause, count in one.by_cause.items()),
            _milliseconds(one.p50_s),
            _milliseconds(one.p95_s),
        )
        for one in account.versions
    ]
    return rows_table(("answered by", "requests", "failed", "causes", "p50 ms", "p95 ms"), rows)


def experiment_table(outcome: ExperimentOutcome) -> Html:
    """What the users of each variant did, with an interval that holds at every look; the judge's sentence."""
    comparison = outcome.comparison
    rows = [
        (
            counted.variant,
            variant.version,
            counted.users,
            counted.conversions,
            "" if arm.rate is None else f"{arm.rate * 100:.1f} %",
            f"{arm.low * 100:.1f} to {arm.high * 100:.1f} %",
            counted.requests,
            counted.failed,
        )
        for counted, variant, arm in (
            (outcome.a, outcome.planned.a, comparison.a),
            (outcome.b, outcome.planned.b, comparison.b),
        )
    ]
    header = ("variant", "version", "users", "converted", "rate", "interval", "requests", "failed")
    return rows_table(header, rows, comparison.sentence)


def _shown(value: object) -> str:
    if value is None or value == () or value == {}:
        return ""
    if isinstance(value, Step):
        return f"weight {value.set_weight} %" if value.set_weight is not None else _pause(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_shown(one)}" for key, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(_shown(one) for one in value)
    return str(value)


def _pause(step: Step) -> str:
    return f"pause {step.pause_s:g} s" if step.pause_s is not None else "pause until promoted"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f}"


def rows_table(header: Sequence[str], rows: Sequence[Sequence[object]], caption: str = "") -> Html:
    """Rows of cells under a header; a caption alone, without any rows, is a sentence."""
    lines = ["  ".join(str(cell) for cell in row).rstrip() for row in rows]
    text = "\n".join([*([caption] if caption else []), *lines])
    return Html(table(header, rows, caption) if header else f"<p>{escape(caption)}</p>", text)
