"""What a drill stated, row by row, against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    return (*rows, *_alerts(must.alerts, found))


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


def _alerts(wanted: Sequence[AlertWanted], found: Measured) -> list[Row]:
    if not wanted:
        return [Row("no alert", not found.others, "none received", ", ".join(found.others) or "none")]
    seen = {one.name: one for one in found.alerts}
    return [row for one in wanted for row in _told(one, seen.get(one.name))]


def _told(wanted: AlertWanted, alert: AlertMeasured | None) -> tuple[Row, Row]:
    """That somebody was told of it in time, with its runbook, and that it was over afterwards."""
    seen = alert.seen_after_s if alert else None
    over = alert.resolved_after_s if alert else None
    told = bool(
        alert and (alert.received_after_s is not None or (wanted.or_held_back and alert.held_back_by))
    )
    in_time = told and seen is not None and seen <= wanted.within_s
    what = "received or held back" if wanted.or_held_back else "received"
    return (
        Row(
            f"alert {wanted.name}",
            in_time and bool(alert and alert.runbook_url),
            f"{what} within {wanted.within_s:g} s of the abort, with its runbook",
            _received(alert),
        ),
        Row(f"end of {wanted.name}", over is not None, "seen afterwards", _moment(over) or "not seen"),
    )


def _received(alert: AlertMeasured | None) -> str:
    if alert is None or alert.seen_after_s is None:
        return "not received"
    who = f"held back by {', '.join(alert.held_back_by)}" if alert.held_back_by else f"by {alert.receiver}"
    runbook = f", runbook {alert.runbook_url}" if alert.runbook_url else ", without a runbook"
    return f"{_moment(alert.seen_after_s)}, {who}{runbook}"


def _moment(seconds: float | None) -> str:
    """Seconds after the abort in words; empty for None."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s after the abort" if seconds >= 0 else f"{-seconds:.1f} s before the abort"


def _counts(by_cause: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {cause}" for cause, count in by_cause.items())
