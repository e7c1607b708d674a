"""Verdicts as JSON, for the journal and for whoever asks over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rollbook.judge.canary import ERRORS
from rollbook.judge.model import Judgement, MetricVerdict


def as_json(found: Judgement) -> dict[str, Any]:
    """The verdict in all; beside it the counts of errors, which each service has, and each metric's own."""
    errors = next(one for one in found.metrics if one.name == ERRORS)
    return {
        "verdict": found.verdict.value,
        "e_value": found.e_value,
        "p_value": found.p_value,
        "e_safe": errors.e_safe,
        "counts": asdict(errors.counts),
        "effect": asdict(errors.effect) if errors.effect else None,
        "alpha": found.alpha,
        "sentence": found.sentence,
        "warnings": [f"{one.name}: {warning}" for one in found.metrics for warning in one.warnings],
        "metrics": {one.name: _metric(one) for one in found.metrics},
    }


def _metric(one: MetricVerdict) -> dict[str, Any]:
    """One metric's verdict with all that it rests on, as JSON."""
    return {
        "verdict": one.verdict.value,
        "alpha": one.alpha,
        "e_value": one.e_value,
        "p_value": one.p_value,
        "e_safe": one.e_safe,
        "p_safe": one.p_safe,
        "effect": asdict(one.effect) if one.effect else None,
        "counts": asdict(one.counts),
        "window": asdict(one.window) if one.window else None,
        "query": one.query,
        "sentence": one.sentence,
    }
