"""`rollbook doctor --target aws`: what was found, as text or JSON, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rollbook.errors import ExitCode

if TYPE_CHECKING:
    from rollbook.aws.findings import Finding

KUBERNETES_VERSION = "1.36"
"""Minor version that terraform/ installs by default."""
CLUSTER = "rollbook"
"""Name that terraform/ gives the cluster by default."""


def diagnose(
    *,
    repository: str,
    secret: str,
    cluster: str = CLUSTER,
    kubernetes_version: str = KUBERNETES_VERSION,
    region: str | None = None,
    profile: str | None = None,
    endpoint_url: str | None = None,
) -> tuple[Finding, ...]:
    """Look at an AWS account, or with `endpoint_url` at an emulator.

    `repository` and `secret` are the service's names for them. BadInputError when the profile does not exist.
    """
    # Imported here: boto3 takes a second that `rollbook doctor` need not spend on the sandbox.
    from rollbook.aws.clients import EMULATED_REGION, Clients
    from rollbook.aws.permissions import Names
    from rollbook.aws.preflight import preflight
    from rollbook.clock import SystemClock

    clients = (
        Clients.emulating(endpoint_url, region=region or EMULATED_REGION)
        if endpoint_url
        else Clients.real(region=region, profile=profile)
    )
    return preflight(
        clients,
        names=Names(repository, secret, cluster),
        clock=SystemClock(),
        kubernetes_version=kubernetes_version,
    )


def told(findings: tuple[Finding, ...], *, as_json: bool) -> str:
    """The findings for people, or as JSON."""
    if as_json:
        rows = [
            {
                "name": one.name,
                "ok": one.state in {"ok", "warn"},
                "state": str(one.state),
                "detail": one.detail,
                "next_step": one.next_step,
            }
            for one in findings
        ]
        return json.dumps({"ok": exit_code(findings) is ExitCode.OK, "checks": rows}, indent=2)
    lines = []
    for one in findings:
        mark = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}.get(one.state, "-   ")
        detail = f"not checked: {one.detail}" if one.state == "not checked" else one.detail
        lines.append(f"{mark}  {one.name}: {detail}")
        if one.next_step:
            lines.append(f"      {one.next_step}")
    return "\n".join(lines)


def exit_code(findings: tuple[Finding, ...]) -> ExitCode:
    """4 when a check failed; warnings, and what was not checked, do not end in a failure."""
    failed = any(one.state == "fail" for one in findings)
    return ExitCode.ENVIRONMENT_FAILED if failed else ExitCode.OK
