"""The command line."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.exceptions import Abort, TyperException

from rollbook.commands import compare, coverage, doctor, drill, index, judge, replay, report, verify
from rollbook.commands.target_options import (
    ClusterOption,
    ContextOption,
    EndpointOption,
    RegionOption,
    TargetOption,
)
from rollbook.domain.target import TargetSpec, check
from rollbook.errors import BadInputError, CancelledError, ExitCode, RollbookError
from rollbook.sandbox.commands import app as sandbox_app

app = typer.Typer(
    name="rollbook",
    help="Release a service to Kubernetes as a canary, and prove afterwards that it was safe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(sandbox_app, name="sandbox")
compare.register(app)
coverage.register(app)
doctor.register(app)
drill.register(app)
index.register(app)
judge.register(app)
replay.register(app)
report.register(app)
verify.register(app)

EXIT_CODES = (
    "Exit codes: 0 ok, 1 a bug of rollbook, 2 bad input, 3 a gate refused the release, "
    "4 the environment failed, 5 cancelled, 6 evidence does not verify."
)


class WithParameters(TyperCommand):
    """A command whose help ends with what `--set` takes."""

    def get_help(self, ctx: Any) -> str:
        """The help, and the parameters of each runbook."""
        from rollbook.notebook.reference import help_text

        return f"{super().get_help(ctx)}\n\n{help_text()}"


@app.command(
    cls=WithParameters,
    epilog=f"Example: rollbook run --set rps=50 --phase deploy --phase canary. {EXIT_CODES}",
)
def run(
    target: TargetOption = "sandbox",
    region: RegionOption = "",
    cluster: ClusterOption = "",
    endpoint_url: EndpointOption = "",
    context: ContextOption = "",
    plan: Annotated[Path | None, typer.Option(help="Plan file (YAML).")] = None,
    phase: Annotated[
        list[str] | None, typer.Option(help="Run only this phase of the plan (may be given more than once).")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Set a parameter: name=value, or phase.name=value for one phase.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the run's folder; default reports/.")] = None,
    service: Annotated[str, typer.Option(help="Service file.")] = "service.yaml",
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=1,
            max=86_400,
            help="How long each phase may take; default: its own time limits, and half an hour.",
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Take up a run that was cut off, by its folder.")
    ] = None,
    sign_key: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY.pem",
            help="Private key (ed25519) to sign the record with; default: ROLLBOOK_SIGNING_KEY, or unsigned.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a machine-readable summary.")] = False,
) -> None:
    """Release: provision, deploy, canary, a faulty canary on purpose, validate, and a report of it all."""
    from rollbook.bundle.signing import SIGNING_KEY
    from rollbook.launch import request as asking
    from rollbook.launch.progress import Progress

    if sign_key is not None:
        os.environ[SIGNING_KEY] = str(sign_key.expanduser().resolve())

    if resume is not None:
        if plan or phase or set_ or out or deadline or region or cluster or endpoint_url or context:
            raise BadInputError(
                "--resume takes a run up as it was asked for", next_step="Leave the other options out."
            )
        from rollbook.launch.resume import read

        folder, checked = read(resume)
    else:
        folder = None
        spec = TargetSpec(target, region, cluster, endpoint_url, context)
        request = asking.Request(spec, service, plan, tuple(phase or ()), tuple(set_ or ()), out, deadline)
        checked = asking.check(request, cwd=Path.cwd())
    from rollbook.launch import run as launcher
    from rollbook.launch.summary import summary

    result = launcher.run(checked, Progress(), folder)
    told = summary(result.folder)
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        typer.echo(_for_people(told))
    raise typer.Exit(int(result.exit_code))


@app.command(epilog="Example: rollbook abort --run reports/orders-20261123-101500")
def abort(
    target: TargetOption = "sandbox",
    region: RegionOption = "",
    cluster: ClusterOption = "",
    endpoint_url: EndpointOption = "",
    context: ContextOption = "",
    service: Annotated[str, typer.Option(help="Service file.")] = "service.yaml",
    run_folder: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="Folder of the run whose journal is told.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if a run that lives holds the target.")
    ] = False,
) -> None:
    """Abort what is rolling out, so that all traffic is on stable: for a run that died without a word."""
    from rollbook.launch.abort import abort as abort_rollout
    from rollbook.settings import service_file

    loaded = service_file.load(service_file.find(service, Path.cwd()))
    spec = check(TargetSpec(target, region, cluster, endpoint_url, context))
    typer.echo(abort_rollout(spec, loaded, run=run_folder, force=force))


@app.command(epilog="Example: rollbook params canary")
def params(
    runbook: Annotated[
        str | None, typer.Argument(help="Name of a runbook; without it, all are named.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Schema.")] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print docs/parameters.md, which has all of them.")
    ] = False,
) -> None:
    """Show the parameters of a runbook: type, default, unit and bounds."""
    from rollbook.notebook import reference
    from rollbook.notebook.parameters import MODELS

    if runbook is not None and runbook not in MODELS:
        raise BadInputError(f"there is no runbook {runbook!r}", next_step=f"Runbooks: {', '.join(MODELS)}.")
    if as_markdown:
        typer.echo(reference.markdown(), nl=False)
    elif as_json:
        typer.echo(reference.schemas_json(runbook))
    else:
        typer.echo(reference.text_table(MODELS[runbook]) if runbook else reference.listing())


@app.command(epilog="Example: rollbook init --name orders")
def init(
    name: Annotated[str, typer.Option(help="Name of your service.")] = "my-service",
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write.")] = Path("service.yaml"),
) -> None:
    """Write a commented service.yaml for your service."""
    from rollbook.settings.template import write_service_file

    write_service_file(name, out)
    typer.echo(f"{out}: fill it in, then: rollbook run --service {out}")


def main() -> None:
    """Entry point: runs a command, prints errors for people, and ends with the project's exit codes."""
    sys.exit(int(_guarded()))


def _guarded() -> ExitCode | int:
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = app(standalone_mode=False)
    except RollbookError as error:
        _tell(error)
        return error.exit_code
    except TyperException as error:
        message = error.format_message()
        # A command without its subcommand "fails" with its whole help as the message.
        typer.echo(message if "\n" in message else f"error: {message} {_see_help(error)}", err=True)
        return ExitCode.BAD_INPUT
    except (Abort, KeyboardInterrupt):
        typer.echo("cancelled", err=True)
        return ExitCode.CANCELLED
    return code if isinstance(code, int) else ExitCode.OK


def _terminated(_signal: int, _frame: object) -> None:
    raise CancelledError("asked to stop (SIGTERM)")


def _see_help(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"See {context.command_path} --help." if context else "See rollbook --help."


def _tell(error: RollbookError) -> None:
    typer.echo(f"error: {error.what}", err=True)
    if error.why:
        typer.echo(f"  why: {error.why}", err=True)
    if error.next_step:
        typer.echo(f"  next: {error.next_step}", err=True)


def _for_people(told: dict[str, object]) -> str:
    timing = told["timing"] if isinstance(told["timing"], dict) else {}
    lines = [str(told["sentence"])]
    if timing:
        lines.append(
            f"{timing['total_s']:g} s in all: {timing['declared_s']:g} s of declared pauses and waits, "
            f"{timing['own_s']:g} s ({timing['own_share']:.0%}) rollbook's own"
        )
    lines.append(f"report: {told['report']}")
    return "\n".join(lines)
