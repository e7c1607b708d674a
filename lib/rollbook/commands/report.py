"""`rollbook report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rollbook.errors import BadInputError, EvidenceInvalidError


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: rollbook report reports/orders-20261123-101500 -o report.html")
    def report(
        run_folder: Annotated[
            Path | None, typer.Argument(metavar="RUN", help="Folder of the run.", show_default=False)
        ] = None,
        out: Annotated[Path | None, typer.Option("-o", "--out", help="File to write.")] = None,
        from_html: Annotated[
            Path | None,
            typer.Option(
                metavar="PAGE",
                help="Make this page again from the data in it; without -o, only check that it is the same.",
            ),
        ] = None,
    ) -> None:
        """Make a run's report again, from its folder alone, or from the data that a report carries."""
        if from_html is not None and run_folder is not None:
            raise BadInputError(
                "a report is made from a run's folder or from a page, not from both",
                next_step=f"Leave out {run_folder} or --from-html.",
            )
        if from_html is not None:
            _again(from_html, out)
        elif run_folder is not None:
            _of_folder(run_folder, out)
        else:
            raise BadInputError(
                "Missing argument 'RUN'.", next_step="Give the folder of a run, or --from-html PAGE."
            )


def _again(page: Path, out: Path | None) -> None:
    from rollbook.report.page import again

    made = again(page, out)
    typer.echo(str(made) if out else f"{page} is the page that the data in it makes")


def _of_folder(run_folder: Path, out: Path | None) -> None:
    from rollbook.evidence.folder import RunFolder
    from rollbook.evidence.seal import Seal, journal_state
    from rollbook.report.page import write

    folder = RunFolder.open(run_folder)
    typer.echo(str(write(folder, out or folder.report)))
    state = journal_state(folder.path / "journal.jsonl")
    if state.state is Seal.BROKEN:
        raise EvidenceInvalidError(f"the record of {folder.run_id} does not verify", why=state.sentence)
