"""What CI reads of a run, written beside its report: `summary.md` and `junit.xml`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rollbook.evidence.folder import RunFolder
from rollbook.launch import junit, markdown
from rollbook.report.build import build

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""Names the file that GitHub Actions shows on a job's page."""


def write(folder: RunFolder, environ: Mapping[str, str]) -> str:
    """Write both files from the record as it is now, and add the summary to the job's page, if there is one.

    Returns a complaint about the job's page, empty when there is none: a page that cannot be written does not
    make a release worse. EnvironmentFailedError when the run's folder does not take the files.
    """
    model = build(folder)
    page = markdown.render(model, link=_artefacts(environ))
    folder.write_text("summary.md", page)
    folder.write_text("junit.xml", junit.render(model))
    return add_to_job_page(page, environ)


def add_to_job_page(page: str, environ: Mapping[str, str]) -> str:
    """Append to the file that `GITHUB_STEP_SUMMARY` names, if it names one; a complaint when it cannot be."""
    name = environ.get(STEP_SUMMARY, "")
    if not name:
        return ""
    try:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(f"{page}\n")
    except OSError as error:
        return f"the job's summary cannot be written: {error.strerror or error}"
    return ""


def _artefacts(environ: Mapping[str, str]) -> str:
    """Where GitHub Actions lists the artefacts of this workflow run; empty elsewhere."""
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    server, repository, run = parts
    return f"{server}/{repository}/actions/runs/{run}#artifacts" if all(parts) else ""
