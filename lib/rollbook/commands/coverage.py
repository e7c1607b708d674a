"""`rollbook coverage`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from rollbook.errors import BadInputError, GateRefusedError

PIPED_WIDTH = 160
"""Characters of a line where there is no terminal that says how wide it is."""
STRICT = ("failed", "no-data", "stale")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook coverage reports/orders-20261123-101500 --state stale")
    def coverage(
        run_folder: Annotated[
            Path | None, typer.Argument(metavar="RUN", help="Folder of the run.", show_default=False)
        ] = None,
        state: Annotated[
            list[str] | None, typer.Option(help="Show this state only (may be given more than once).")
        ] = None,
        project: Annotated[
            Path | None,
            typer.Option(help="Checkout to measure by; default: the one around the current folder."),
        ] = None,
        strict: Annotated[
            bool, typer.Option("--strict", help=f"Exit with code 3 when any is {', '.join(STRICT)}.")
        ] = False,
        rtm: Annotated[bool, typer.Option("--rtm", help="Print docs/rtm.md, from coverage.json.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
        checks: Annotated[bool, typer.Option("--checks", help="List the checks instead.")] = False,
    ) -> None:
        """Say of each requirement how far a run proves it, by the requirements and code of now."""
        from rollbook.coverage import coverage_file, telling
        from rollbook.coverage.keeping import coverage_now, find_project
        from rollbook.coverage.model import State
        from rollbook.evidence.folder import RunFolder

        if checks:
            typer.echo(telling.listing())
            return
        if run_folder is None:
            raise BadInputError("which run?", next_step="Give its folder, such as reports/<run-id>.")
        unknown = sorted(set(state or ()) - set(State))
        if unknown:
            raise BadInputError(f"there is no state {unknown[0]!r}", next_step=f"States: {', '.join(State)}.")
        folder = RunFolder.open(run_folder)
        if rtm:
            typer.echo(telling.rtm(folder), nl=False)
            return
        found = coverage_now(folder, project or find_project(Path.cwd()))
        wanted = [State(one) for one in state or State]
        if as_json:
            whole = coverage_file.to_json(found, telling.evidence_digest(folder))
            whole["requirements"] = [row for row in whole["requirements"] if row["state"] in wanted]
            typer.echo(json.dumps(whole, indent=2, ensure_ascii=False))
        else:
            width = None if sys.stdout.isatty() else PIPED_WIDTH
            telling.to_terminal(found, wanted, width)
        bad = {name: found.count(State(name)) for name in STRICT if found.count(State(name))}
        if strict and bad:
            told = ", ".join(f"{count} {name}" for name, count in bad.items())
            raise GateRefusedError(f"not every requirement stands: {told}")
