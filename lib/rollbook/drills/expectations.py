"""What a drill stated, row by row, against what was measured."""

from __future__ import annotations

from collections.abc import Mapping

from rollbook.domain.drill import AlertMeasured, AlertWanted, Drill, Measured, Row

ROLL_BACK_S = 3.0
"""Seconds from the abort to the last answer of the bad version, beyond its longest request in flight."""
BACK = frozenset({"rolled-back", "paused", "timed-out"})
"""Ends after which all traffic is on stable: the last two are brought back by rollbook."""


def expectations(drill: Drill, found: Measured) -> tuple[Row, ...]:
    """One row for each thing that `drill` asks for; it has passed when all of them have."""
    rows = [_end(drill, found)]
    must = drill.must
    if must.by:
        wanted = " or ".join(must.by)
        rows.append(Row("ended by", found.ended_by in must.by, wanted, found.ended_by or "nobody"))
    if must.detect_s is not None:
        rows.append(_at_most("time to detect", found.time_to_detect_s, must.detect_s))
    if must.end == "rolled-back":
        limit = ROLL_BACK_S + found.longest_in_flight_s
        rows.append(_at_most("time to roll back", found.time_to_roll_back_s, limit))
    rows += [_failed(drill, found), _stable(found)]
    if must.causes:
        others = {cause: count for cause, count in found.by_cause.items() if cause not in must.causes}
        rows.append(
            Row("causes", not others, f"only {', '.join(must.causes)}", _counts(found.by_cause) or "none")
        )
    if must.never_judged:
        never = ", ".join(must.never_judged)
        bad = [verdict for verdict in found.judged if verdict in must.never_judged]
        rows.append(
            Row(
                "judge",
                bool(found.judged) and not bad,
                f"never {never}",
                ", ".join(found.judged) or "no look",
            )
        )
    return (*rows, *_alerts(must.alert, found))


def _end(drill: Drill, found: Measured) -> Row:
    wanted = drill.must.end
    ended = found.end in BACK if wanted == "rolled-back" else found.end == wanted
    return Row("end", ended, wanted, found.end)


def _at_most(name: str, got: float | None, limit: float) -> Row:
    told = "not measured" if got is None else f"{got:.1f} s"
    return Row(name, got is not None and got <= limit, f"at most {limit:.3g} s", told)


def _failed(drill: Drill, found: Measured) -> Row:
    share = drill.must.failed_share
    wanted = f"at most {share:.2%} of all requests" if share else "none"
    got = f"{found.failed:,} of {found.sent:,} ({found.failed_share:.2%})"
    return Row("failed requests", found.sent > 0 and found.failed_share <= share, wanted, got)


def _stable(found: Measured) -> Row:
    return Row(
        "stable's users",
        found.failed_by_stable == 0,
        "none of them failed",
        f"{found.failed_by_stable} failed",
    )


def _alerts(wanted: AlertWanted | None, found: Measured) -> list[Row]:
    if wanted is None:
        return [Row("no alert", not found.others, "none received", ", ".join(found.others) or "none")]
    alert = found.alert
    received = alert.received_after_s if alert else None
    resolved = alert.resolved_after_s if alert else None
    return [
        Row(
            f"alert {wanted.name}",
            received is not None and received <= wanted.within_s and bool(alert and alert.runbook_url),
            f"received within {wanted.within_s:g} s of the abort, with its runbook",
            _received(alert),
        ),
        Row(
            "alert resolved",
            resolved is not None,
            "afterwards",
            "not seen" if resolved is None else f"{resolved:.1f} s after the abort",
        ),
    ]


def _received(alert: AlertMeasured | None) -> str:
    if alert is None or alert.received_after_s is None:
        return "not received"
    return f"{alert.received_after_s:.1f} s, by {alert.receiver}" + (
        f", runbook {alert.runbook_url}" if alert.runbook_url else ", without a runbook"
    )


def _counts(by_cause: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in by_cause.items())
