"""What provision and teardown show of a target that Terraform makes."""

from __future__ import annotations

from collections.abc import Sequence

from rollbook.costs.model import Estimate
from rollbook.domain.findings import Finding
from rollbook.domain.infrastructure import AddOnRelease
from rollbook.notebook.tables import Html, rows_table
from rollbook.phases.teardown import Ended
from rollbook.terraform.port import Drift, Plan

NOTHING = "Nothing here is made by Terraform."


def plan_table(plan: Plan | None) -> Html:
    """What a plan adds, changes, replaces and destroys, destroying first."""
    if plan is None:
        return _sentence(NOTHING)
    rows = [(row.address, row.action, row.why) for row in plan.rows()]
    outside = [(one.address, "was changed by somebody else", "") for one in plan.outside]
    return rows_table(("resource", "action", "why"), [*outside, *rows], plan.sentence)


def cost_table(found: Estimate | None) -> Html:
    """What a month costs, dearest first; then what is charged by use, and what has no price."""
    if found is None:
        return _sentence(NOTHING)
    rows = [(row.what, f"{row.quantity:g}", f"{row.monthly_usd:.2f}", row.note) for row in found.rows]
    by_use = [(one.what, "by use", f"{one.usd:g} a {one.unit}", "not in the sum") for one in found.by_use]
    unknown = [(one.what, one.kind, "unknown", one.why) for one in found.unknown]
    told = " ".join((found.sentence, *found.notes))
    return rows_table(("what", "quantity", "US dollars a month", ""), [*rows, *by_use, *unknown], told)


def addon_table(found: Sequence[AddOnRelease]) -> Html:
    """Add-ons of the cluster, by release."""
    if not found:
        return _sentence("No add-ons are installed here.")
    rows = [(one.name, one.namespace, one.chart, one.version, one.app, one.status) for one in found]
    return rows_table(("add-on", "namespace", "chart", "version", "runs", "status"), rows)


def finding_table(found: Sequence[Finding]) -> Html:
    """What a preflight found, and how to mend it."""
    if not found:
        return _sentence("The sandbox's cluster is rollbook's own.")
    rows = [(one.name, one.state.value, one.detail, one.next_step) for one in found]
    return rows_table(("looked at", "", "found", "to mend it"), rows)


def drift_table(found: Drift | None) -> Html:
    """How what is there differs from what is written, and what of that is known of an emulator."""
    if found is None:
        return _sentence(NOTHING)
    rows = [(one.address, one.action.value, "not expected") for one in (*found.unexpected, *found.outside)]
    known = [(one.address, one.action.value, f"known of the emulator: {one.why}") for one in found.known]
    missing = [(one.address, one.action.value, "was expected of the emulator") for one in found.missing]
    return rows_table(("resource", "would be", "why"), [*rows, *missing, *known], found.sentence)


def end_table(ended: Ended) -> Html:
    """What the end of a target took away."""
    rows = [
        *(("add-on", name) for name in ended.addons),
        *(("left by a controller", name) for name in ended.leftovers),
        *(("left alone", name) for name in ended.kept),
        *(("Terraform", name) for name in ended.destroyed),
    ]
    return rows_table(("", "removed"), rows, ended.sentence) if rows else _sentence(ended.sentence)


def _sentence(text: str) -> Html:
    return rows_table((), (), text)
