"""What a panel of a dashboard says of itself."""

from __future__ import annotations

MAY_BE_EMPTY = "May be empty: "
"""Begins the part of a panel's description that says why it may have no data."""
