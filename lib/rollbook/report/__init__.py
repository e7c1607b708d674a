"""The report of a run: one HTML file made from the run's folder alone."""

from __future__ import annotations

from rollbook.report.page import render, write

__all__ = ["render", "write"]
