"""What `rollbook doctor` found, as text or JSON, and the exit code."""

from __future__ import annotations

import json

from rollbook.domain.findings import Finding, State
from rollbook.errors import ExitCode

_MARKS = {State.OK: "ok  ", State.WARN: "WARN", State.FAIL: "FAIL", State.NOT_CHECKED: "-   "}


def told(findings: tuple[Finding, ...], *, as_json: bool) -> str:
    """The findings for people, or as JSON."""
    if as_json:
        rows = [
            {
                "name": one.name,
                "ok": one.state in {State.OK, State.WARN},
                "state": str(one.state),
                "detail": one.detail,
                "next_step": one.next_step,
            }
            for one in findings
        ]
        return json.dumps({"ok": exit_code(findings) is ExitCode.OK, "checks": rows}, indent=2)
    lines = []
    for one in findings:
        detail = f"not checked: {one.detail}" if one.state is State.NOT_CHECKED else one.detail
        lines.append(f"{_MARKS[one.state]}  {one.name}: {detail}")
        if one.next_step:
            lines.append(f"      {one.next_step}")
    return "\n".join(lines)


def exit_code(findings: tuple[Finding, ...]) -> ExitCode:
    """4 when a check failed; warnings, and what was not checked, do not end in a failure."""
    failed = any(one.state is State.FAIL for one in findings)
    return ExitCode.ENVIRONMENT_FAILED if failed else ExitCode.OK
