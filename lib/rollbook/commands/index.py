"""`rollbook index`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook index reports")
    def index(
        out: Annotated[Path, typer.Argument(help="Folder that the runs are in.")] = Path("reports"),
    ) -> None:
        """Write index.html: all runs beneath a folder, newest first, with trends."""
        from rollbook.history.index_page import write_index

        typer.echo(str(write_index(out)))
