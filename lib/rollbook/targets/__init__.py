"""The only place that builds real adapters: a module a target.

Everything heavy is imported where it is needed: boto3, kubernetes and prometheus-api-client take seconds that
`--help` need not spend.
"""

from __future__ import annotations

from collections.abc import Callable

from rollbook.domain.service import Service
from rollbook.domain.target import AWS, SANDBOX, TargetSpec, check
from rollbook.evidence.answers import Records
from rollbook.phases.infrastructure import Infrastructure
from rollbook.ports import World
from rollbook.targets.values import Values
from rollbook.terraform.port import Event


def prepare(spec: TargetSpec) -> None:
    """Build what the target needs on this machine, where it has not yet; progress goes to standard error."""
    if check(spec).emulated:
        from rollbook.targets import sandbox

        sandbox.prepare()


def bring_up(spec: TargetSpec, service: Service) -> None:
    """Make the target ready to be connected to: build and start the sandbox, or do nothing.

    The service's rules are loaded into Prometheus. Progress goes to standard output, a line at a time: a
    notebook keeps it.
    """
    if check(spec).emulated:
        from rollbook.targets import sandbox

        sandbox.bring_up(service)


def connect(spec: TargetSpec, service: Service, records: Records | None = None) -> World:
    """The collaborators of a target; `records` keeps what they are answered.

    EnvironmentFailedError when the target is not there. On AWS the cluster is looked for when it is first
    asked something, since it may be made in the meantime.
    """
    check(spec)
    if spec.target == SANDBOX:
        from rollbook.targets import sandbox

        return sandbox.connect(service, records)
    if spec.target == AWS:
        from rollbook.targets import aws

        return aws.connect(spec, service, records)
    from rollbook.targets import kubeconfig

    return kubeconfig.connect(spec, service, records)


def infrastructure(
    spec: TargetSpec,
    service: Service,
    world: World,
    records: Records,
    values: Values,
    progress: Callable[[Event], None],
) -> Infrastructure | None:
    """What makes and ends the target; None for one that rollbook does not make by Terraform."""
    if spec.target != AWS:
        return None
    from rollbook.targets import aws_infrastructure

    return aws_infrastructure.infrastructure(spec, service, world, records, values, progress)


def take_down(spec: TargetSpec) -> str:
    """Take the target's own processes down; what was done, in words."""
    if spec.target != SANDBOX:
        return "this target has no processes here"
    from rollbook.targets import sandbox

    return sandbox.take_down()
