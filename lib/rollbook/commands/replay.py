"""`rollbook replay`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rollbook.errors import BadInputError

PIPED_WIDTH = 160
"""Characters of a line where there is no terminal that says how wide it is."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook replay reports/orders-20261123-101500 --policy policy.yaml")
    def replay(
        runs: Annotated[
            list[Path] | None,
            typer.Argument(metavar="RUN", help="Folders of runs; of more than one, a table of rules."),
        ] = None,
        policy: Annotated[
            Path | None, typer.Option(metavar="POLICY.yaml", help="Rules and looks; default: built in.")
        ] = None,
        prometheus: Annotated[
            str, typer.Option(metavar="URL", help="Replay counters of this Prometheus, and no runs.")
        ] = "",
        stable: Annotated[
            str, typer.Option(metavar="QUERY", help="All requests of stable: running totals.")
        ] = "",
        canary: Annotated[
            str, typer.Option(metavar="QUERY", help="All requests of the canary: running totals.")
        ] = "",
        stable_errors: Annotated[
            str, typer.Option(metavar="QUERY", help="Those of stable that failed.")
        ] = "",
        canary_errors: Annotated[
            str, typer.Option(metavar="QUERY", help="Those of the canary that failed.")
        ] = "",
        from_: Annotated[
            str, typer.Option("--from", metavar="TIME", help="First reading: ISO 8601, or epoch seconds.")
        ] = "",
        to: Annotated[str, typer.Option("--to", metavar="TIME", help="Last reading.")] = "",
        step: Annotated[
            float, typer.Option(metavar="SECONDS", help="Time between readings of Prometheus.")
        ] = 15.0,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    ) -> None:
        """Replay rules over recorded canaries: what each would have decided, when, and users hit until then.

        It reports, and decides nothing: it ends with exit code 0 whatever was found.
        """
        from rollbook.replay import history, replaying, telling
        from rollbook.replay import policy as policies

        rules = policies.read(policy)
        queries = {
            "--stable": stable,
            "--canary": canary,
            "--stable-errors": stable_errors,
            "--canary-errors": canary_errors,
            "--from": from_,
            "--to": to,
        }
        if prometheus:
            if runs:
                raise BadInputError("--prometheus replays no runs", next_step="Give one of both.")
            from rollbook.prometheus.metrics import PrometheusMetrics

            metrics = PrometheusMetrics(history.address(prometheus), prometheus)
            asked = history.asked(queries, step_s=step)
            replayed, notes = replaying.history(metrics, asked, rules)
        else:
            given = [name for name, value in queries.items() if value]
            if given:
                raise BadInputError(f"{given[0]} needs --prometheus", next_step="Give the URL as well.")
            replayed, notes = replaying.runs(runs or [], rules)
        if as_json:
            typer.echo(
                telling.to_json(rules, replayed, notes, runs=len(runs or []), prometheus=bool(prometheus))
            )
            return
        from rich.console import Console

        width = None if sys.stdout.isatty() else PIPED_WIDTH
        console = Console(width=width, highlight=False)
        telling.to_terminal(rules, replayed, notes, console, summary=len(runs or []) > 1)
