"""`rollbook sandbox ...`: the sandbox from the command line."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rollbook.errors import BadInputError, CancelledError, ExitCode
from rollbook.sandbox import api
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.progress import PlainProgress, TerminalProgress, progress_for
from rollbook.sandbox.readiness import tail

app = typer.Typer(
    no_args_is_help=True,
    help="A real Kubernetes on this machine, without Docker and without root.",
    rich_markup_mode=None,
)

FOLLOW_EVERY_S = 0.2
STATUS_DOWN = ExitCode.ENVIRONMENT_FAILED


@contextmanager
def _shown() -> Iterator[TerminalProgress | PlainProgress]:
    """A progress display, and SIGTERM treated like Ctrl-C: the work is undone, then the command ends."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    progress = progress_for(sys.stderr)
    try:
        with progress if isinstance(progress, TerminalProgress) else nullcontext():
            yield progress
    except KeyboardInterrupt as error:
        raise CancelledError("interrupted", why="what this command had started is stopped again") from error
    finally:
        signal.signal(signal.SIGTERM, before)


@app.command(epilog="Example: rollbook sandbox up")
def up(
    monitoring: Annotated[
        Path | None,
        typer.Option(help="Folder with rules/ and alertmanager/ to load; monitoring/ if there."),
    ] = None,
    extras: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="EXTRA",
            help="What it has beside its own parts: secrets (external-secrets; built when first asked for).",
        ),
    ] = None,
) -> None:
    """Bring the sandbox up and wait until everything is ready; the first time, build it."""
    began = time.monotonic()
    with _shown() as progress:
        own = Path("monitoring").absolute()
        chosen = monitoring.absolute() if monitoring else (own if own.is_dir() else None)
        sandbox = api.up(monitoring=chosen, progress=progress, extras=tuple(extras or ()))
    typer.echo(f"The sandbox is up ({time.monotonic() - began:.1f} s).")
    typer.echo(f"  users       {sandbox.endpoints.edge_url}")
    typer.echo(f"  Prometheus  {sandbox.endpoints.prometheus_url}")
    typer.echo(f"  AWS         {sandbox.endpoints.aws_endpoint_url} (emulated)")
    typer.echo(f"  kubectl     rollbook sandbox kubectl get pods -A, or KUBECONFIG={sandbox.kubeconfig}")


@app.command(epilog="Example: rollbook sandbox down")
def down() -> None:
    """End every process of the sandbox and remove its data; logs are kept."""
    with _shown() as progress:
        count = api.down(progress=progress)
    typer.echo(f"The sandbox is down ({count} processes ended)." if count else "No sandbox was up.")


@app.command(epilog="Example: rollbook sandbox status --json")
def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object instead of a table.")
    ] = False,
) -> None:
    """Show every component: state, version, restarts, memory, endpoint. Exit code 0 only when all is up."""
    now = api.status()
    if as_json:
        typer.echo(
            json.dumps({**asdict(now), "memory_mib": round(now.memory_mib, 1)}, default=_plain, indent=2)
        )
    else:
        _print_status(now)
    if now.state != "up":
        raise typer.Exit(STATUS_DOWN)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _print_status(now: api.SandboxStatus) -> None:
    console = Console()
    console.print(f"sandbox {now.id or '-'}: {now.state}" + (f" ({now.detail})" if now.detail else ""))
    if not now.components:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("component", "state", "version", "pid", "restarts", "MiB", "since", "endpoint"):
        table.add_column(heading, justify="right" if heading in {"pid", "restarts", "MiB"} else "left")
    for one in now.components:
        age = (datetime.now(UTC) - one.since).total_seconds()
        table.add_row(
            one.name,
            one.state + (f": {one.detail}" if one.detail else ""),
            one.version,
            str(one.pid or "-"),
            f"{one.restarts} ({one.last_exit})" if one.restarts else "0",
            f"{one.memory_mib:.0f}",
            _age(age),
            one.endpoint,
        )
    console.print(table)
    console.print(f"{now.memory_mib:.0f} MiB in all, {now.processes} processes with those of pods")


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@app.command(epilog="Example: rollbook sandbox logs kube-apiserver -n 50 -f")
def logs(
    component: Annotated[str, typer.Argument(help="Component as `status` names it, or `supervisor`.")],
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 100,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is written.")] = False,
) -> None:
    """Show the log of a component. Logs are kept after `down`, until the next `up` writes them on."""
    home = SandboxHome.current()
    known = sorted(path.stem for path in home.logs.glob("*.log")) if home.logs.is_dir() else []
    if component not in known:
        raise BadInputError(
            f"there is no log of {component}",
            why=f"there are logs of {', '.join(known)}" if known else f"no sandbox ever ran in {home.root}",
        )
    path = home.log(component)
    offset = path.stat().st_size
    for line in tail(path, lines):
        typer.echo(line)
    if follow:
        _follow(path, offset)


def _follow(path: Path, offset: int) -> None:
    try:
        while True:
            with path.open("rb") as stream:
                size = path.stat().st_size
                # A log that outgrew its limit was cut: go on at its new end.
                stream.seek(offset if offset <= size else size)
                content = stream.read()
                offset = stream.tell()
            sys.stdout.write(content.decode(errors="replace"))
            sys.stdout.flush()
            time.sleep(FOLLOW_EVERY_S)
    except KeyboardInterrupt:
        return


@app.command(epilog='Example: export KUBECONFIG="$(rollbook sandbox kubeconfig)"')
def kubeconfig() -> None:
    """Print the path of the administrator's kubeconfig."""
    typer.echo(str(api.load().kubeconfig))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    epilog="Example: rollbook sandbox kubectl get rollouts -A",
    add_help_option=False,
)
def kubectl(context: typer.Context) -> None:
    """Run the sandbox's own kubectl as its administrator; all arguments are kubectl's."""
    sandbox = api.load()
    arguments = [str(sandbox.kubectl), *context.args]
    environment = {**os.environ, "KUBECONFIG": str(sandbox.kubeconfig)}
    # Replaced, not called: signals, terminal and exit code are then kubectl's own.
    os.execve(sandbox.kubectl, arguments, environment)  # noqa: S606 - an argument list, and no shell
