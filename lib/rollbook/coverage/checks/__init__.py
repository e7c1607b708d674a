"""The checks, a module for each part of the world that they look at."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "alerts",
    "analysis",
    "bundle",
    "checklist",
    "cloud",
    "cluster",
    "documents",
    "drills",
    "edge",
    "images",
    "metrics",
    "notebooks",
    "pods",
    "project",
    "record",
    "refusals",
    "rollback",
    "rollout",
    "secrets_store",
    "terraform",
    "users",
)


def load() -> None:
    """Import every module, so that its checks are registered."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
