"""Drills: did each end as it stated, by what users really got and by whom it was told?"""

from __future__ import annotations

from rollbook.bundle.run_record import PhaseRecord
from rollbook.coverage.lookup import Bundle, NoDataError, entries, failed, proved, ran, traffic
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import Need, check
from rollbook.domain.drill import GATE
from rollbook.evidence.journal import Kind


def _drills(bundle: Bundle) -> tuple[PhaseRecord, ...]:
    return tuple(phase for phase in ran(bundle, "canary") if phase.parameters.get("drill"))


STATED = Need("drill that states what must come of it", lambda bundle: bool(_drills(bundle)))


@check("drills.as_stated", needs=STATED)
def as_stated(bundle: Bundle) -> Finding:
    """Every statement of every drill held, and the users' requests say the same as what was measured."""
    evidence: list[EvidenceRef] = []
    told = []
    for phase in _drills(bundle):
        gates, journal = entries(bundle, Kind.GATE, phase=phase.name)
        rows = [gate for gate in gates if gate.name.startswith(f"{GATE}: ")]
        records, log = traffic(bundle, phase)
        evidence += [journal, log] if not evidence else [log]
        if not rows:
            raise NoDataError(f"{phase.name} did not come to its end.", tuple(evidence))
        broken = [str(gate.data.get("sentence")) for gate in rows if gate.data.get("passed") is not True]
        if broken:
            return failed(f"{phase.name}: {'; '.join(broken)}.", *evidence)
        hurt = sum(record.failed for record in records)
        measured = phase.drill.measured
        if (measured.sent, measured.failed) != (len(records), hurt):
            return failed(
                f"{phase.name} says that {measured.failed} of {measured.sent} requests failed, and "
                f"{log.path} has {hurt} of {len(records)}.",
                *evidence,
            )
        told.append(f"{phase.name}: {measured.end}, {hurt} of {len(records)} requests failed")
    return proved(f"{'; '.join(told)}.", *evidence)
