"""Single requests of users: is each of them accounted for, and does the pod's log know those that failed?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rollbook.coverage.checks.canaries import ANY_CANARY, DRILL
from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    content,
    failed,
    few,
    json_of,
    judged,
    phases,
    proved,
    traffic,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.domain.fates import Fate, fates, tally
from rollbook.domain.traffic import RequestRecord


@check("users.each_request_accounted", needs=ANY_CANARY)
def each_request_accounted(bundle: Bundle, phase: str = "") -> Finding:
    """Each request that was sent is in the log once, with one fate, and the run's counts add up to that.

    Those are the totals, and what is told of each change of weight, abort and promotion. Requests are
    numbered in their ids as they are sent, so that one that was lost leaves a gap.
    """
    raw, run = json_of(bundle, "run.json", "what the run says its users got")
    evidence: list[EvidenceRef] = []
    told = []
    for one in phases(bundle, "canary", name=phase):
        records, log = traffic(bundle, one)
        evidence.extend((log, run))
        users = next(
            (
                found["users"]
                for found in raw.get("phases", ())
                if found.get("name") == one.name and "users" in found
            ),
            None,
        )
        if not any(record.request_id for record in records):
            raise NoDataError(f"The requests of {one.name} carry no ids.", tuple(evidence))
        if not isinstance(users, Mapping) or "by_fate" not in users:
            raise NoDataError(
                f"The run does not say what became of the requests of {one.name}.", tuple(evidence)
            )
        complaint = _lost(records) or _disagrees(records, users)
        if complaint:
            return failed(f"{one.name}: {complaint}.", *evidence)
        bad = ", ".join(
            f"{count} {fate.value}" for fate, count in fates(records).items() if fate is not Fate.ANSWERED
        )
        told.append(
            f"{len(records)} of {len(records)} requests of {one.name} are accounted for "
            f"({bad or 'all were answered'}), around {len(users['around'])} changes as well"
        )
    return proved(f"{'; '.join(told)}.", *evidence)


def _lost(records: Sequence[RequestRecord]) -> str:
    """What is wrong with the ids of all requests; empty when they are numbered without a gap."""
    numbers = []
    for record in records:
        _, dash, number = record.request_id.rpartition("-")
        if not dash or not number.isdecimal():
            return f"a request has the id {record.request_id[:40]!r}, which has no number"
        numbers.append(int(number))
    twice = [number for number, count in Counter(numbers).items() if count > 1]
    if twice or len({record.request_id.rpartition("-")[0] for record in records}) > 1:
        return f"{len(twice)} numbers of requests are in the log more than once, or they are of two logs"
    missing = max(numbers) + 1 - len(numbers)
    return f"{missing} requests were sent and are not in the log" if missing else ""


def _disagrees(records: Sequence[RequestRecord], users: Mapping[str, Any]) -> str:
    """Which total of the run is not what the log adds up to; empty when all of them are."""
    if users.get("sent") != len(records) or users["by_fate"] != _plain(fates(records)):
        return (
            f"the run counts {users['by_fate']} of {users.get('sent')}, and the log {_plain(fates(records))}"
        )
    sides = users.get("by_version") or {}
    counted = Counter(record.version for record in records)
    if {version: side.get("sent") for version, side in sides.items()} != dict(counted):
        return "the requests by version do not add up to those in the log"
    for change in users.get("around") or ():
        for side in ("before", "after"):
            window = change[side]
            found = tally(records, window["start_s"], window["end_s"])
            by_version = {version: _plain(one) for version, one in found.by_version.items()}
            if (window["sent"], window["by_version"]) != (found.sent, by_version):
                return (
                    f"{side} the change {change.get('change')} the run counts other requests than the log has"
                )
    return ""


def _plain(found: Mapping[Fate, int]) -> dict[str, int]:
    return {fate.value: count for fate, count in found.items()}


@check("users.failures_found_in_logs", needs=DRILL)
def failures_found_in_logs(bundle: Bundle, phase: str = "", share: float = 0.9) -> Finding:
    """Failures that a faulty version answered are in the log of the very pod that answered, by their ids.

    At least `share` (0..1) of them: a pod that crashes may take its last lines with it.
    """
    evidence: list[EvidenceRef] = []
    told = []
    wanted = found = named = 0
    for one in phases(bundle, "canary", name=phase, drill=True):
        records, log = traffic(bundle, one)
        hit = [record for record in records if record.failed and record.version == one.canary_version]
        if not hit:
            continue
        kept, index = json_of(bundle, f"logs/{one.name}/requests.json", "log lines of single requests")
        pods = {record.request_id: record.pod for record in hit}
        lines: dict[str, set[str]] = {}
        refs = []
        for pod in sorted(set(pods.values())):
            text, ref = content(bundle, f"logs/{one.name}/{pod}.log", f"what {pod} logged")
            lines[pod] = set(text.decode(errors="replace").splitlines())
            refs.append(ref)
        evidence.extend((log, index, *few(refs)))
        named += len(kept["lines"])
        known = {
            row["request_id"]
            for row in kept["lines"]
            if pods.get(row["request_id"]) == row["pod"] and row["line"] in lines[row["pod"]]
        }
        wanted, found = wanted + len(hit), found + len(known)
        told.append(f"{len(known)} of {len(hit)} failed requests of {one.name} are in the log of their pod")
    if not wanted:
        raise NotExercisedError("No request failed on a faulty version.")
    if not named:
        raise NoDataError("No log names any request: the service does not log their ids.", tuple(evidence))
    return judged(found >= share * wanted, f"{'; '.join(told)}.", *evidence)
