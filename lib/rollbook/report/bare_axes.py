"""Axes without ticks: `scales` draws the few lines and labels that a panel needs.

matplotlib makes four ticks for each new pair of axes only to set their looks. Where none is drawn, they take
a good part of the time of a figure.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis


class _WithoutTicks:
    """What would make ticks in order to change them does nothing."""

    def set_tick_params(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: there are no ticks."""

    def set_clip_path(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: there is nothing to clip."""


class _Horizontal(_WithoutTicks, XAxis):
    pass


class _Vertical(_WithoutTicks, YAxis):
    pass


class BareAxes(Axes):
    """Axes for `Figure.add_axes`; they are switched off, so that neither frame nor ticks are drawn."""

    name = "bare"

    def _init_axis(self) -> None:
        # What projections of their own override, as matplotlib's guide to projections has it.
        self.xaxis = _Horizontal(self, clear=False)
        self.yaxis = _Vertical(self, clear=False)
        for side in ("bottom", "top"):
            self.spines[side].register_axis(self.xaxis)
        for side in ("left", "right"):
            self.spines[side].register_axis(self.yaxis)
