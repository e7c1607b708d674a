"""What users got, request by request."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from rollbook.coverage.checks.canaries import ANY_CANARY
from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    failed,
    few,
    only_on,
    phases,
    proved,
    ran,
    traffic,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import EDGE, answers, required

ON_TIME_S = 1.0
"""A request that is sent later than this after it was due was held up by its own sender."""
LATE_SHARE = 0.01


@check("service.answers")
def answers_users(bundle: Bundle, version: str = "", target: str = "") -> Finding:
    """Users' requests through the edge were answered with 200 by each version that was released to them.

    With `target`, only a run on that target says anything.
    """
    only_on(bundle, target)
    good: Counter[str] = Counter()
    evidence: list[EvidenceRef] = []
    probes = answers(bundle, EDGE, status="200")
    good.update(str(answer.answer["version"]) for answer, _ in probes)
    evidence.extend(few([ref for _, ref in probes], 4))
    for phase in ran(bundle, "canary"):
        records, ref = traffic(bundle, phase)
        good.update(record.version for record in records if record.status == 200)
        evidence.append(ref)
    if not evidence:
        raise NotExercisedError("This run sent no request to the service.")
    wanted = [version] if version else _released(bundle)
    missing = [one for one in wanted if not good[one]]
    told = ", ".join(f"{count} by {one}" for one, count in sorted(good.items()) if one)
    if missing or not told:
        return failed(
            f"No good answer came from {', '.join(missing) or 'any version'}; {told or 'none'}.", *evidence
        )
    return proved(f"Users got {told} (HTTP 200).", *evidence)


def _released(bundle: Bundle) -> list[str]:
    """Versions that users should have met: installed as baseline, or released as a canary."""
    done = [*ran(bundle, "deploy"), *ran(bundle, "canary")]
    return [phase.release.version for phase in done if phase.outcome == "passed" and phase.release.version]


@check("traffic.open_model", needs=ANY_CANARY)
def open_model(bundle: Bundle, phase: str = "") -> Finding:
    """Users' requests were sent when they were due, evenly, whether or not earlier ones had been answered."""
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase):
        records, ref = traffic(bundle, one)
        evidence.append(ref)
        rate = one.parameters.get("rps")
        if not isinstance(rate, int | float) or len(records) < 2:
            raise NoDataError(f"{one.name} does not say how many requests a second it sent.", tuple(evidence))
        span = records[-1].scheduled_s - records[0].scheduled_s
        due = span * rate + 1
        late = sum(record.sent_s - record.scheduled_s > ON_TIME_S for record in records)
        told.append(
            f"{len(records)} requests in {span:.0f} s of {one.name}, where {rate:g} a second make {due:.0f}, "
            f"{late} of them more than {ON_TIME_S:g} s late"
        )
        if abs(len(records) - due) > LATE_SHARE * due + 1 or late > LATE_SHARE * len(records):
            return failed(f"Sent were {told[-1]}.", *evidence)
    return proved(f"Sent were {'; '.join(told)}.", *evidence)


@check("tls.certificate_served")
def certificate_served(bundle: Bundle, host: str = "") -> Finding:
    """The edge proved itself by a certificate that fits the host, is valid at that time, and was verified.

    Looks for records of `tls`, call `handshake`: parameters `host`; answer `protocol`, `verified`,
    `subject_alt_names`, `issuer`, `not_before`, `not_after` (ISO 8601).
    """
    found = required(bundle, "tls", "handshake", told="shook hands by TLS")
    for answer, ref in reversed(found):
        asked = str(answer.asked.parameters.get("host", ""))
        if host not in {"", asked}:
            continue
        served = answer.answer
        named = any(_covers(str(name), asked) for name in served.get("subject_alt_names", ()))
        begin, end = (datetime.fromisoformat(served[key]) for key in ("not_before", "not_after"))
        in_time = begin <= answer.at <= end
        issuer = served.get("issuer", "an unknown issuer")
        told = f"{asked} served a certificate of {issuer} by {served['protocol']}"
        if served.get("verified") is True and named and in_time:
            return proved(f"{told}, valid until {served['not_after']}.", ref)
        wrong = (
            "not verified"
            if not served.get("verified")
            else "for other hosts"
            if not named
            else "out of date"
        )
        return failed(f"{told}: {wrong}.", ref)
    raise NotExercisedError(f"No TLS handshake with {host} was made in this run.")


def _covers(name: str, host: str) -> bool:
    """Whether a name of a certificate stands for a host; `*.` stands for one label."""
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:] != "")
