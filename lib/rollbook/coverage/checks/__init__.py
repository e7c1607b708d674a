"""The checks, a module for each part of the world that they look at."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "analysis",
    "bundle",
    "checklist",
    "cloud",
    "cluster",
    "documents",
    "edge",
    "images",
    "metrics",
    "notebooks",
    "pods",
    "project",
    "record",
    "rollback",
    "rollout",
    "terraform",
)


def load() -> None:
    """Import every module, so that its checks are registered."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
