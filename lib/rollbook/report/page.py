"""The page as HTML: one file that needs nothing else, no script, no address outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2

from rollbook.bundle.load import load
from rollbook.evidence.folder import RunFolder, write_atomically
from rollbook.report import formats
from rollbook.report.canary_view import CanaryView
from rollbook.report.figures import failures_figure, timeline_figure
from rollbook.report.headline import VERDICT_WORDS, why
from rollbook.report.record_tables import signal_data, timeline_data
from rollbook.report.sheet import Picture
from rollbook.report.signal_figure import signals_figure
from rollbook.report.tables import Table
from rollbook.report.view import page_view


@dataclass(frozen=True)
class _Figures:
    """The figures of one canary phase, each with its data; None where there is nothing to draw."""

    timeline: Picture | None
    timeline_data: Table | None
    failures: Picture | None
    signals: Picture | None
    signals_data: Table | None


def render(folder: RunFolder, *, base: str = "") -> str:
    """The report of a run as HTML: the same bytes for the same folder.

    `base` is put before links to files of the folder; it is empty when the page lies in the folder itself.
    BadInputError and EvidenceInvalidError when `run.json` cannot be read.
    """
    page = page_view(load(folder), base)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rollbook.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        page=page,
        figures={view.anchor: _figures(view) for view in page.canaries},
        why=why,
        words=VERDICT_WORDS,
        formats=formats,
    )


def write(folder: RunFolder, out: Path) -> Path:
    """Write the report to `out`, whole or not at all, and return it. EnvironmentFailedError if it cannot."""
    relative = Path(os.path.relpath(folder.path.resolve(), out.resolve().parent)).as_posix()
    base = "" if relative == "." else quote(relative) + "/"
    write_atomically(out, render(folder, base=base).encode())
    return out


def _figures(view: CanaryView) -> _Figures:
    timeline = view.timeline
    start_s = timeline.start_s if timeline else 0.0
    return _Figures(
        timeline=timeline_figure(
            timeline,
            anchor=f"{view.anchor}-timeline",
            title=f"Timeline of {view.phase.name}",
            description=f"{why(view)} The same figures are in the table below the picture.",
        )
        if timeline
        else None,
        timeline_data=timeline_data(timeline) if timeline and timeline.lanes else None,
        failures=failures_figure(
            timeline,
            anchor=f"{view.anchor}-failures",
            description=f"{formats.counted(view.failed, 'request')} failed; a table below lists the moments.",
        )
        if timeline and view.failed
        else None,
        signals=signals_figure(
            view.signals,
            start_s,
            anchor=f"{view.anchor}-signals",
            description="Each signal of the service for stable and canary; the table below lists the values.",
        ),
        signals_data=signal_data(view.signals, start_s),
    )
