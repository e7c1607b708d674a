"""The page as HTML, from the view model alone: one file that needs nothing else and runs no script."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from rollbook.errors import BadInputError, EvidenceInvalidError
from rollbook.evidence.folder import RunFolder, write_atomically
from rollbook.report import embedding, formats
from rollbook.report.build import build
from rollbook.report.canary_view import CanaryView
from rollbook.report.coverage_view import word
from rollbook.report.experiment_figure import experiment_figure
from rollbook.report.experiment_view import ExperimentView
from rollbook.report.fates_figure import fates_figure
from rollbook.report.figure_data import failures_data, moments_data, signals_data, timeline_data
from rollbook.report.figures import failures_figure, timeline_figure
from rollbook.report.headline import VERDICT_WORDS
from rollbook.report.judge_figure import judge_figure
from rollbook.report.model import ViewModel
from rollbook.report.page_tables import OUTCOME_TONES, gate_table, phase_table, short_digests
from rollbook.report.panel_figure import drawn_panels
from rollbook.report.places import address
from rollbook.report.sheet import Picture
from rollbook.report.signal_figure import signals_figure
from rollbook.report.svg_compact import Styles
from rollbook.report.tables import Table


@dataclass(frozen=True)
class _Figures:
    """The figures of one canary phase, each with its data; None where there is nothing to draw."""

    timeline: Picture | None
    timeline_data: tuple[Table, ...]
    failures: Picture | None
    failures_data: Table | None
    fates: Picture | None
    judge: Picture | None
    signals: Picture | None
    signals_data: Table | None


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rollbook.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ticks=_ticks, breaks=_breaks, short_digests=short_digests)
    environment.globals.update(
        css=_css(environment),
        words=VERDICT_WORDS,
        formats=formats,
        tones=OUTCOME_TONES,
        word=word,
        address=address,
        element=embedding.ELEMENT,
    )
    return environment


def _css(environment: jinja2.Environment) -> Markup:
    """The style sheets without what only their authors need."""
    whole = "".join(environment.get_template(name).render() for name in ("page.css", "parts.css"))
    plain = re.sub(r"/\*.*?\*/", "", whole, flags=re.DOTALL)
    return Markup(re.sub(r"\s*([{};])\s*", r"\1", plain).replace("}", "}\n"))  # noqa: S704 - our own files


def _ticks(text: str) -> Markup:
    """A sentence with what stands in backticks in fixed width, as people write it in Markdown."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _breaks(text: str) -> Markup:
    """A reference of an image that breaks its line before the digest, if it must."""
    return Markup(str(escape(text)).replace("@sha256:", "<wbr>@sha256:"))  # noqa: S704 - escaped before


def render(model: ViewModel) -> str:
    """The report as HTML: the same bytes for the same model."""
    styles = Styles()
    text = embedding.packed(embedding.to_json(model))
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=model,
            phases=phase_table(model),
            gates=gate_table(model),
            figures={view.anchor: _figures(view, styles) for view in model.canaries},
            experiment_figures={view.anchor: _experiment(view, styles) for view in model.experiments},
            panels=drawn_panels(model.dashboards.phases if model.dashboards else (), styles.collected),
            styles=Markup(styles.css()),  # noqa: S704 - from matplotlib's own styles, no text of others
            model_json=Markup(text),  # noqa: S704 - embedding.to_json escapes what HTML could mistake
            model_sha256=embedding.digest(text),
        )
    )


def render_folder(folder: RunFolder, *, base: str = "") -> str:
    """The report of a run's folder. BadInputError and EvidenceInvalidError when `run.json` cannot be read."""
    return render(build(folder, base=base))


def write(folder: RunFolder, out: Path) -> Path:
    """Write the report to `out`, whole or not at all, and return it. EnvironmentFailedError if it cannot."""
    relative = Path(os.path.relpath(folder.path.resolve(), out.resolve().parent)).as_posix()
    base = "" if relative == "." else quote(os.fsencode(relative)) + "/"
    write_atomically(out, render_folder(folder, base=base).encode())
    return out


def again(page: Path, out: Path | None) -> Path:
    """Make a page again from the model in it, and write it to `out` if that is given; the page's path else.

    BadInputError when `page` is no report or of a newer rollbook. EvidenceInvalidError when its model was
    changed, or when the page is not what its model makes; `out` is written all the same in the latter case.
    """
    try:
        before = page.read_bytes()
    except OSError as error:
        raise BadInputError(f"{page} cannot be read", why=error.strerror or str(error)) from error
    made = render(embedding.from_page(before, page.name)).encode()
    if out is not None:
        write_atomically(out, made)
    if made != before:
        raise EvidenceInvalidError(
            f"{page.name} is not the page that its view model makes",
            why="it was changed after it was made, or another version of rollbook made it",
            next_step=f"{out} is the page that the model makes."
            if out
            else "Add -o FILE to write the page that the model makes.",
        )
    return out or page


def _experiment(view: ExperimentView, styles: Styles) -> Picture | None:
    if not view.lines:
        return None
    description = f"{view.sentence} A table has every look."
    anchor = view.anchor.replace("experiment-", "x")
    drawn = experiment_figure(view.lines, anchor=anchor, description=description)
    return replace(drawn, wide=styles.collected(drawn.wide), narrow=styles.collected(drawn.narrow))


def _figures(view: CanaryView, styles: Styles) -> _Figures:
    timeline, signals, anchor = view.timeline, view.signals, view.anchor.replace("canary-", "c")

    def styled(picture: Picture) -> Picture:
        return replace(picture, wide=styles.collected(picture.wide), narrow=styles.collected(picture.narrow))

    failed = timeline is not None and any(any(lane.failed) for lane in timeline.lanes)
    return _Figures(
        timeline=styled(
            timeline_figure(
                timeline,
                anchor=f"{anchor}t",
                title=f"Timeline of {view.name}",
                description=f"{view.why} The same figures are in the table below the picture.",
            )
        )
        if timeline
        else None,
        timeline_data=tuple(
            table
            for table in (timeline_data(timeline, view.sources), moments_data(timeline, view.sources))
            if table.rows
        )
        if timeline and timeline.lanes
        else (),
        failures=styled(
            failures_figure(
                timeline,
                anchor=f"{anchor}f",
                description=f"{formats.counted(view.failed, 'request')} failed; a table has the moments.",
            )
        )
        if timeline and failed
        else None,
        failures_data=failures_data(timeline, view.sources) if timeline and failed else None,
        fates=styled(
            fates_figure(
                view.fates.changes,
                anchor=f"{anchor}e",
                description=f"{view.fates.sentence} A table has the counts.",
            )
        )
        if view.fates
        else None,
        judge=styled(
            judge_figure(
                view.judge,
                anchor=f"{anchor}j",
                description="Each value that Argo Rollouts measured, with its verdict; tables have them.",
            )
        )
        if view.judge
        else None,
        signals=styled(
            signals_figure(
                signals,
                anchor=f"{anchor}s",
                description="Each signal of the service, for stable and canary; a table has the values.",
            )
        )
        if signals
        else None,
        signals_data=signals_data(signals) if signals else None,
    )
