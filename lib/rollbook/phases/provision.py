"""Provision: everything that a release stands on is there and healthy, with its version."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from rollbook.domain.findings import Finding, State
from rollbook.domain.release import Component
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.ports import Identity


@dataclass(frozen=True)
class Registry:
    """Where the service's images go, and where its secret is (its ARN; the value is never read here)."""

    repository: str
    secret_arn: str


def check_components(ctx: PhaseContext) -> tuple[Component, ...]:
    """Ask every part for its version and health. EnvironmentFailedError names those that are not healthy."""
    world = ctx.world
    with ctx.journal.step("check components") as step:
        found: dict[str, Component] = {}
        for component in (
            *world.environment(),
            *world.cluster.components(),
            *world.metrics.components(),
            *world.cloud.components(),
            *(ctx.infrastructure.provisioner.components() if ctx.infrastructure else ()),
        ):
            # What the target runs itself knows most about a part; an adapter's word only lowers its health.
            known = found.get(component.name)
            if known is None or (known.healthy and not component.healthy):
                found[component.name] = component
        step["components"] = {component.name: component.version for component in found.values()}
        for component in found.values():
            ctx.journal.append(
                Kind.OBSERVATION,
                "component",
                {
                    "name": component.name,
                    "version": component.version,
                    "healthy": component.healthy,
                    "detail": component.detail,
                    "emulated": component.emulated,
                },
                source=ctx.world.target,
            )
        sick = [component for component in found.values() if not component.healthy]
        if sick:
            raise EnvironmentFailedError(
                "not every component is healthy",
                why="; ".join(f"{one.name}: {one.detail or 'no answer'}" for one in sick),
                next_step=_mend(world.target),
            )
    ctx.say(f"{len(found)} components are healthy")
    return tuple(found.values())


def preflight(ctx: PhaseContext) -> tuple[Finding, ...]:
    """Look at the cluster as a release would find it. EnvironmentFailedError names all that is missing."""
    with ctx.journal.step("preflight of the cluster") as step:
        found = ctx.world.preflight()
        for one in found:
            data = {"name": one.name, "state": one.state.value, "detail": one.detail, "next": one.next_step}
            ctx.journal.append(Kind.OBSERVATION, "finding", data, source=ctx.world.target)
        missing = [one for one in found if one.state is State.FAIL]
        step |= {"findings": len(found), "missing": [one.name for one in missing]}
        if missing:
            raise EnvironmentFailedError(
                f"the cluster lacks {len(missing)} of what a release needs",
                why="; ".join(f"{one.name}: {one.detail}" for one in missing),
                next_step=" ".join(dict.fromkeys(one.next_step for one in missing if one.next_step)),
            )
    return found


def _mend(target: str) -> str:
    if target == "sandbox":
        return "`rollbook sandbox status` tells more; `rollbook sandbox up` mends it."
    return f"`rollbook doctor --target {target}` tells more."


def check_identity(ctx: PhaseContext, *, account: str = "") -> Identity | None:
    """Who the cloud says we are; None without one. BadInputError when it is not the expected account."""
    with ctx.journal.step("check identity") as step:
        identity = ctx.world.cloud.identity()
        if identity is not None:
            step |= {"account": identity.account, "arn": identity.arn, "emulated": identity.emulated}
    if account and (identity is None or identity.account != account):
        raise BadInputError(
            f"AWS account {identity.account if identity else '(none)'} is not {account}",
            why=f"the credentials are those of {identity.arn}" if identity else "this target is not of AWS",
            next_step="Take other credentials, or change the parameter `account`.",
        )
    if identity is None:
        ctx.say("this target has no AWS account")
    else:
        ctx.say(f"AWS account {identity.account}{' (emulated)' if identity.emulated else ''}: {identity.arn}")
    return identity


def ensure_registry(ctx: PhaseContext) -> Registry:
    """Make sure that the ECR repository and the secret are there. The secret's first value is random."""
    with ctx.journal.step("ensure repository and secret") as step:
        repository = ctx.world.cloud.ensure_repository(ctx.service.image.repository)
        arn = ""
        if ctx.service.secret:
            arn = ctx.world.cloud.ensure_secret(ctx.service.secret, lambda: secrets.token_urlsafe(24))
        step |= {"repository": repository, "secret_arn": arn}
    ctx.say(f"ECR repository {repository}")
    return Registry(repository=repository, secret_arn=arn)
