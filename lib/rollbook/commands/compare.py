"""`rollbook compare`."""

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

    @app.command(
        epilog="Example: rollbook compare reports/orders-20261123-101500 reports/orders-20261124-093000"
    )
    def compare(
        first: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the earlier run.")],
        second: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the later run.")],
        as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
        html: Annotated[
            Path | None, typer.Option("--html", metavar="OUT", help="Write it as a page.")
        ] = None,
    ) -> None:
        """Say what changed between two runs: verdicts, metrics, parameters, versions, requirements."""
        from rich.console import Console

        from rollbook.evidence.folder import write_atomically
        from rollbook.history import comparison, facts, telling

        if html is not None and html.is_dir():
            raise BadInputError(
                f"{html} is a folder", next_step="Give the name of a file, such as compare.html."
            )
        found = comparison.compare(facts.gather(first), facts.gather(second))
        if html is not None:
            write_atomically(html, telling.to_html(found).encode("utf-8", errors="replace"))
        if as_json:
            typer.echo(telling.to_json(found))
        else:
            width = None if sys.stdout.isatty() else PIPED_WIDTH
            telling.to_terminal(found, Console(width=width, highlight=False))
        if html is not None:
            typer.echo(str(html), err=as_json)
