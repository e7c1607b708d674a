"""Whether the credentials may do what rollbook does: asked of IAM, by simulation, without doing it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rollbook.aws.actions import CALLS, NEEDS_NONE, Call, Purpose
from rollbook.aws.clients import Clients
from rollbook.aws.findings import Finding, State, asked, judged, not_checked
from rollbook.aws.inventory import pages
from rollbook.aws.translation import translated

SECRET_SUFFIX = "-AbCdEf"  # noqa: S105  # no secret: what stands for AWS' own six random letters in an ARN
ALLOWED = "allowed"


@dataclass(frozen=True)
class Names:
    """What a policy may be narrowed to: the names of the ECR repository, the secret and the EKS cluster."""

    repository: str
    secret: str
    cluster: str


def permissions(clients: Clients, account: str, arn: str, names: Names) -> tuple[Finding, ...]:
    """A finding for each purpose. `arn` is that of the credentials, as STS tells it."""
    told = {purpose: f"permissions for {purpose}" for purpose in Purpose}
    if arn.endswith(":root"):
        what = "the emulator's user" if clients.emulated else "the account's root user"
        step = "" if clients.emulated else "Use a role instead of the root user."
        return tuple(not_checked(name, f"{what} has no policies to simulate", step) for name in told.values())
    principal = asked("permissions", lambda: _principal(clients, arn), emulated=clients.emulated)
    if principal.state is not State.OK:
        return tuple(
            Finding(name, principal.state, principal.detail, principal.next_step) for name in told.values()
        )
    resources = _resources(clients, account, names)
    return tuple(
        asked(
            told[purpose],
            partial(_judged, clients, principal.detail, purpose, resources),
            emulated=clients.emulated,
        )
        for purpose in Purpose
    )


def _principal(clients: Clients, arn: str) -> Finding:
    """ARN of the user or role behind credentials, as the detail: an assumed role's leaves out the path."""
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return Finding("permissions", State.OK, arn)
    if kind != "assumed-role":
        return not_checked("permissions", f"IAM simulates users and roles, and this is {arn}")
    name = rest.partition("/")[0]
    with translated(f"look for the role {name}"):
        return Finding("permissions", State.OK, str(clients.of("iam").get_role(RoleName=name)["Role"]["Arn"]))


def _judged(clients: Clients, principal: str, purpose: Purpose, resources: Mapping[str, str]) -> Finding:
    name = f"permissions for {purpose}"
    calls = [
        one for one in CALLS if one.purpose is purpose and f"{one.service}:{one.operation}" not in NEEDS_NONE
    ]
    denied: list[str] = []
    for resource in sorted({_resource(one, resources) for one in calls}):
        actions = sorted({one.action for one in calls if _resource(one, resources) == resource})
        denied += _denied(clients, principal, actions, resource)
    if not denied:
        return Finding(name, State.OK, f"{principal} may do all {len(calls)}")
    state = State.FAIL if purpose is Purpose.RELEASE else State.WARN
    return judged(
        name,
        state,
        f"{principal} may not: {', '.join(sorted(denied))}",
        "Allow these actions in a policy of that role; terraform/modules/github has one for releases.",
    )


def _denied(clients: Clients, principal: str, actions: Iterable[str], resource: str) -> list[str]:
    with translated("simulate a policy"):
        results = pages(
            clients.of("iam"),
            "simulate_principal_policy",
            "EvaluationResults",
            PolicySourceArn=principal,
            ActionNames=list(actions),
            ResourceArns=[resource],
        )
        allowed = {str(one["EvalActionName"]) for one in results if one["EvalDecision"] == ALLOWED}
    return [one for one in actions if one not in allowed]


def _resource(call: Call, resources: Mapping[str, str]) -> str:
    """The ARN that a policy may be narrowed to; what lists has none."""
    lists = call.operation.startswith("List") and call.operation != "ListTagsForResource"
    return "*" if lists else resources.get(call.service, "*")


def _resources(clients: Clients, account: str, names: Names) -> dict[str, str]:
    partition: str = clients.session.get_partition_for_region(clients.region)
    here = f"{clients.region}:{account}"
    return {
        "ecr": f"arn:{partition}:ecr:{here}:repository/{names.repository}",
        "eks": f"arn:{partition}:eks:{here}:cluster/{names.cluster}",
        "secretsmanager": _secret(clients, names.secret)
        or f"arn:{partition}:secretsmanager:{here}:secret:{names.secret}{SECRET_SUFFIX}",
    }


def _secret(clients: Clients, name: str) -> str:
    """ARN of the secret where it can be seen: policies often name its six random letters too."""
    found: list[str] = []

    def look() -> Finding:
        client: Any = clients.of("secretsmanager")
        with translated(f"look for the secret {name}"):
            found.append(str(client.describe_secret(SecretId=name)["ARN"]))
        return Finding("secret", State.OK, name)

    if name:
        asked("secret", look, emulated=clients.emulated)
    return found[0] if found else ""
