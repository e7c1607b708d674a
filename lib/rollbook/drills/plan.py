"""Drills as the phases of a run: a baseline, then one canary after another."""

from __future__ import annotations

from collections.abc import Sequence

from rollbook.domain.drill import Drill
from rollbook.errors import BadInputError
from rollbook.settings.plan_file import Plan, PlanPhase

ALL = "all"
MOST_ROUNDS = 8


def chosen(drills: Sequence[Drill], names: Sequence[str]) -> tuple[Drill, ...]:
    """The drills of these names, in the file's order; `all` is each. BadInputError for an unknown name."""
    known = {drill.name for drill in drills}
    for name in names:
        if name != ALL and name not in known:
            raise BadInputError(
                f"there is no drill {name!r}",
                next_step=f"The drills are: {', '.join(drill.name for drill in drills) or 'none'}, or all.",
            )
    return tuple(drill for drill in drills if ALL in names or drill.name in names)


def plan_of(drills: Sequence[Drill], *, rounds: int = 1) -> Plan:
    """Provision, deploy, and the drills, `rounds` times; each runs whatever became of the one before it."""
    phases = [PlanPhase(phase="provision"), PlanPhase(phase="deploy")]
    for number in range(1, rounds + 1):
        suffix = f"-{number}" if rounds > 1 else ""
        phases += [_phase(drill, f"drill-{drill.name}{suffix}") for drill in drills]
    return Plan(phases=tuple(phases))


def _phase(drill: Drill, name: str) -> PlanPhase:
    end = "promoted" if drill.must.end == "promoted" else "rolled-back"
    parameters = {**drill.parameters, "drill": drill.name, "fault": drill.fault}
    return PlanPhase(phase="canary", name=name, expect=end, parameters=parameters, independent=True)
