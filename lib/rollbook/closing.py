"""The end of a run: from its evidence to coverage, replay, the page and the rest, and a seal over all of it.

The order matters: each step reads what the ones before it wrote, and the seal lists every file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rollbook.bundle.seal import seal_bundle
from rollbook.bundle.signing import signer_of
from rollbook.coverage.keeping import finish_coverage
from rollbook.errors import ExitCode, RollbookError
from rollbook.evidence.folder import RunFolder

Write = Callable[[RunFolder], str]
"""Writes more files that are made of the evidence; a complaint, empty when there is none."""
Tell = Callable[[ExitCode, str], None]
"""Is told an exit code, and why."""


@dataclass(frozen=True)
class Closed:
    """What a run ends with. `report` is None when the page could not be made.

    `exit_code` is that of the first thing that could not be made. `complaints` are sentences for people.
    """

    report: Path | None
    exit_code: ExitCode
    complaints: tuple[str, ...]


def close(
    folder: RunFolder,
    project: Path,
    *,
    also: Write | None = None,
    failed: Tell | None = None,
) -> Closed:
    """Work out coverage, write the report, seal the bundle, and list the run among the others.

    To be called when `run.json` is final and the journal sealed. `also` writes before the page, which lists
    every file. `failed` is told that the page could not be made, and may say so in `run.json`. Raises no
    error of rollbook's: a run that went well must not lose its outcome for want of a page.
    """
    # Imported here: drawing costs a second, which is not to be paid before the first cell runs.
    from rollbook.history.index_page import write_index
    from rollbook.replay.kept import keep as keep_replay
    from rollbook.report.page import write as write_report

    complaints: list[str] = []
    code = ExitCode.OK

    def attempt(what: str, step: Callable[[], object], *, counts: bool = True) -> bool:
        nonlocal code
        try:
            step()
        except RollbookError as error:
            complaints.append(f"{what}: {error}")
            if counts and code is ExitCode.OK:
                code = error.exit_code
            return False
        return True

    attempt("the coverage could not be worked out", lambda: finish_coverage(folder, project))
    attempt("other rules could not be replayed", lambda: keep_replay(folder), counts=False)
    if also is not None:
        attempt("the summary could not be written", lambda: complaints.append(also(folder)))
    made = attempt("the report could not be made", lambda: write_report(folder, folder.report))
    if not made and failed is not None:
        failed(code, complaints[-1])
        # What it says of the run rests on run.json, which has just changed.
        attempt("the coverage could not be worked out", lambda: finish_coverage(folder, project))
    attempt("the record could not be sealed", lambda: seal_bundle(folder, signer_of(os.environ)))
    attempt("the list of runs could not be written", lambda: write_index(folder.path.parent), counts=False)
    told = tuple(dict.fromkeys(filter(None, complaints)))
    return Closed(folder.report if made else None, code, told)
