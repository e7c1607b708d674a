"""The report of a run: one HTML file made from the run's folder alone, by way of one view model."""

from __future__ import annotations

from rollbook.report.build import build
from rollbook.report.page import again, render, render_folder, write

__all__ = ["again", "build", "render", "render_folder", "write"]
