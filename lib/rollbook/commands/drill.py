"""`rollbook drill`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollbook.commands.target_options import (
    ClusterOption,
    ContextOption,
    EndpointOption,
    RegionOption,
    TargetOption,
)
from rollbook.errors import BadInputError

if TYPE_CHECKING:
    from rollbook.domain.drill import Drill


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook drill errors latency. Exit code 3: a drill did not end as stated.")
    def drill(
        names: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="NAME...", help="Drills of drills.yaml, or all; without one, they are listed."
            ),
        ] = None,
        rounds: Annotated[int, typer.Option(min=1, max=8, help="How often, one round after the other.")] = 1,
        target: TargetOption = "sandbox",
        region: RegionOption = "",
        cluster: ClusterOption = "",
        endpoint_url: EndpointOption = "",
        context: ContextOption = "",
        set_: Annotated[
            list[str] | None,
            typer.Option("--set", help="Set a parameter: name=value, or phase.name=value for one phase."),
        ] = None,
        out: Annotated[
            Path | None, typer.Option(help="Folder for the run's folder; default reports/.")
        ] = None,
        service: Annotated[str, typer.Option(help="Service file.")] = "service.yaml",
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Release bad versions on purpose, and see that each is sent back as drills.yaml states."""
        from rollbook.domain.target import TargetSpec
        from rollbook.drills.plan import chosen, plan_of
        from rollbook.launch import request as asking
        from rollbook.launch import run as launcher
        from rollbook.launch.progress import Progress
        from rollbook.settings import drills_file, service_file

        path = service_file.find(service, Path.cwd())
        loaded = service_file.load(path)
        if loaded.drills is None:
            raise BadInputError(
                f"{path.name} names no drills", next_step="Write a drills.yaml: docs/drills.md says how."
            )
        drills = drills_file.load(loaded.drills)
        if not names:
            typer.echo(_listed(drills, as_json))
            return
        plan = plan_of(chosen(drills, names), rounds=rounds)
        spec = TargetSpec(target, region, cluster, endpoint_url, context)
        request = asking.Request(spec, service, plan, (), tuple(set_ or ()), out)
        checked = asking.check(request, Path.cwd(), loaded)
        result = launcher.run(checked, Progress())
        typer.echo(_told(result.folder.read_run(), result.report, as_json))
        raise typer.Exit(int(result.exit_code))


def _listed(drills: tuple[Drill, ...], as_json: bool) -> str:
    from dataclasses import asdict

    if as_json:
        return json.dumps([asdict(one) for one in drills], indent=2)
    width = max(len(one.name) for one in drills)
    return "\n".join(f"{one.name:<{width}}  {one.must.end:<11}  {one.what}" for one in drills)


def _told(run: dict[str, Any], report: Path | None, as_json: bool) -> str:
    phases = [phase for phase in run["phases"] if phase["parameters"].get("drill")]
    if as_json:
        rows = [
            {
                "phase": phase["name"],
                "drill": phase["parameters"]["drill"],
                "outcome": phase["outcome"],
                "exit_code": phase["exit_code"],
                "sentence": phase["sentence"],
                **(phase.get("drill") or {"passed": False, "rows": [], "measured": None}),
            }
            for phase in phases
        ]
        told = {"run": run["id"], "outcome": run["outcome"], "drills": rows, "report": str(report or "")}
        return json.dumps(told, indent=2, ensure_ascii=False)
    width = max((len(phase["name"]) for phase in phases), default=0)
    lines = [f"{phase['name']:<{width}}  {_state(phase):<13}  {phase['sentence']}" for phase in phases]
    return "\n".join([*lines, f"report: {report or 'could not be made'}"])


def _state(phase: dict[str, Any]) -> str:
    """What became of a drill: `could not run` is neither of the two others."""
    found = phase.get("drill")
    if found is None:
        return "could not run"
    return "as stated" if found["passed"] else "NOT as stated"
