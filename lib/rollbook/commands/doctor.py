"""`rollbook doctor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollbook.commands.findings import exit_code, told
from rollbook.commands.target_options import (
    ClusterOption,
    ContextOption,
    EndpointOption,
    RegionOption,
    TargetOption,
)
from rollbook.domain.target import AWS, SANDBOX, TargetSpec, check
from rollbook.errors import ExitCode, RollbookError

if TYPE_CHECKING:
    from rollbook.domain.findings import Finding
    from rollbook.domain.service import Service


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook doctor --target aws --region eu-central-1 --json")
    def doctor(
        target: TargetOption = SANDBOX,
        region: RegionOption = "",
        cluster: ClusterOption = "",
        endpoint_url: EndpointOption = "",
        context: ContextOption = "",
        service: Annotated[
            str, typer.Option(help="Service file, for the names that the target knows.")
        ] = "service.yaml",
        as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
    ) -> None:
        """Check what a release needs of this machine, of AWS or of a cluster, and how to mend the rest."""
        spec = check(TargetSpec(target, region, cluster, endpoint_url, context))
        if spec.target == SANDBOX:
            raise typer.Exit(int(_sandbox(as_json=as_json)))
        from rollbook.settings import service_file

        known = service_file.load(service_file.find(service, Path.cwd()))
        findings = _aws(spec, known) if spec.target == AWS else _kubeconfig(spec, known)
        typer.echo(told(findings, as_json=as_json))
        raise typer.Exit(int(exit_code(findings)))


def _aws(spec: TargetSpec, service: Service) -> tuple[Finding, ...]:
    """The account, and the cluster in it where one can be reached."""
    from rollbook.commands import doctor_aws, doctor_cluster
    from rollbook.domain.findings import not_checked
    from rollbook.targets import aws

    account = doctor_aws.diagnose(
        aws.clients_of(spec, None),
        repository=service.image.repository,
        secret=service.secret,
        cluster=aws.cluster_of(spec),
    )
    if spec.endpoint_url:
        return account  # there is no cluster behind what the emulator says of one
    try:
        server = aws.api_server(spec)
    except RollbookError as error:
        return (*account, not_checked("cluster", error.what, error.next_step))
    return (*account, *doctor_cluster.diagnose(server, service, target=AWS))


def _kubeconfig(spec: TargetSpec, service: Service) -> tuple[Finding, ...]:
    from rollbook.commands import doctor_cluster
    from rollbook.targets import kubeconfig

    return doctor_cluster.diagnose(kubeconfig.api_server(spec, None), service)


def _sandbox(*, as_json: bool) -> ExitCode:
    from rollbook.sandbox.doctor import checks

    found = checks()
    if as_json:
        rows = [
            {"name": one.name, "ok": one.ok, "detail": one.detail, "next_step": one.next_step}
            for one in found
        ]
        typer.echo(json.dumps({"ok": all(one.ok for one in found), "checks": rows}, indent=2))
    for one in () if as_json else found:
        typer.echo(f"{'ok  ' if one.ok else 'FAIL'}  {one.name}: {one.detail}")
        if not one.ok and one.next_step:
            typer.echo(f"      {one.next_step}")
    return ExitCode.OK if all(one.ok for one in found) else ExitCode.ENVIRONMENT_FAILED
