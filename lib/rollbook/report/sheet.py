"""A sheet that is filled with panels from the top, drawn once for a wide page and once for a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rollbook.report.bare_axes import BareAxes
from rollbook.report.svg import MUTED, TEXT, embed, new_figure, page_style

WIDE_PX, NARROW_PX = 980.0, 340.0
LEFT_PX, RIGHT_PX, TITLE_PX, COLUMN_GAP_PX = 50.0, 6.0, 34.0, 30.0


@dataclass(frozen=True)
class Picture:
    """One figure in its two forms, as SVG elements; the page shows the one that fits."""

    wide: str
    narrow: str


@dataclass
class Sheet:
    """A figure and how far it is filled; all lengths in CSS pixels."""

    figure: Figure
    width: float
    height: float
    filled: float = 0.0

    @property
    def narrow(self) -> bool:
        """Whether this is the form for a phone."""
        return self.width < WIDE_PX

    def space(self, height: float) -> None:
        """Leave room below what is there."""
        self.filled += height

    def panel(
        self,
        height: float,
        title: str,
        note: str = "",
        *,
        column: int = 0,
        columns: int = 1,
        last: bool = True,
    ) -> Axes:
        """Axes of that height below what is there, under a title line; `last` of its row moves on."""
        gap = LEFT_PX + RIGHT_PX + COLUMN_GAP_PX
        full = self.width - LEFT_PX - RIGHT_PX
        width = (full - gap * (columns - 1)) / columns
        left = LEFT_PX + column * (width + gap)
        top = self.filled + TITLE_PX
        axes = BareAxes(
            self.figure,
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            ),
            facecolor="none",
        )
        self.figure.add_axes(axes)
        axes.set_axis_off()
        # The title begins where the tick labels begin, so that all titles stand in one line with the text.
        _above(axes, title, at=0, offset=-LEFT_PX, bold=True)
        if note and not self.narrow:
            _above(axes, note, at=1, offset=0, bold=False)
        if last:
            self.filled = top + height
        return axes


def _above(axes: Axes, text: str, *, at: int, offset: float, bold: bool) -> None:
    """Write a line above axes, from their left end (`at` 0) or up to their right one (1)."""
    axes.annotate(
        text,
        (at, 1),
        (offset, 12),
        xycoords="axes fraction",
        textcoords="offset points",
        annotation_clip=False,
        ha="right" if at else "left",
        weight="bold" if bold else "normal",
        fontsize=12.5 if bold else 11,
        color=TEXT if bold else MUTED,
    )


def both_forms(
    draw: Callable[[Sheet], None],
    height: Callable[[bool], float],
    *,
    anchor: str,
    title: str,
    description: str,
) -> Picture:
    """Draw twice; `height` gives the pixels for the narrow form (True) and the wide one (False)."""

    def drawn(width: float, tall: float) -> Figure:
        sheet = Sheet(new_figure(width, tall), width, tall)
        draw(sheet)
        return sheet.figure

    with page_style():
        wide, narrow = drawn(WIDE_PX, height(False)), drawn(NARROW_PX, height(True))
        return Picture(
            wide=embed(wide, anchor=f"{anchor}w", title=title, description=description),
            narrow=embed(narrow, anchor=f"{anchor}n", named=f"{anchor}w"),
        )
