"""Judges a table of counts from its first row to its last, as it would have been judged at the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from rollbook.judge.counters import Counters, Reading
from rollbook.judge.model import Block, Effect, MetricVerdict, Verdict, Window, e_from_log
from rollbook.judge.rates import as_counts, told
from rollbook.judge.standing import VERDICTS, RateMetric, Rules, Standing, advance
from rollbook.judge.table import Row

MISTAKEN_SHARE = 0.2
MISTAKEN_ROWS = 10


@dataclass(frozen=True)
class Look:
    """What was known after one row: counts and e-values since the first."""

    at_s: float
    verdict: Verdict
    e_value: float
    p_value: float
    e_safe: float
    counts: Block


@dataclass(frozen=True)
class Replay:
    """The last verdict, and each look's, one a row."""

    metric: RateMetric
    last: MetricVerdict
    looks: tuple[Look, ...]


def replay(rows: Sequence[Row], metric: RateMetric, *, per_block: bool = False) -> Replay:
    """Judge `rows`, at least one, of counters, or of requests since the row before with `per_block`."""
    blocks, notes = _of_blocks(rows) if per_block else _of_counters(rows)
    counts = np.array([[as_counts(one or Block())] for one in blocks], dtype=np.float64)
    at_s = np.array([one.at_s for one in rows], dtype=np.float64)
    rules = Rules.of((metric,))
    trace = advance(rules, Standing.start(1), at_s, counts)
    [last] = told((metric,), trace.standing, Window(rows[0].at_s, rows[-1].at_s))
    looks = tuple(
        Look(
            row.at_s,
            VERDICTS[verdict],
            e_from_log(log_e[0]),
            min(1.0, e_from_log(-log_top[0])),
            e_from_log(log_e[1]),
            Block(*(int(one) for one in totals)),
        )
        for row, verdict, log_e, log_top, totals in zip(
            rows,
            trace.verdicts(rules.alpha)[:, 0].tolist(),
            trace.log_e[:, 0].tolist(),
            trace.log_top[:, 0].tolist(),
            trace.totals[:, 0].tolist(),
            strict=True,
        )
    )
    return Replay(metric, replace(last, warnings=(*notes, *last.warnings)), looks)


def changes(found: Replay) -> tuple[Look, ...]:
    """The looks at which the verdict became another, the first look among them."""
    looks = found.looks
    return tuple(
        look
        for number, look in enumerate(looks)
        if number == 0 or look.verdict is not looks[number - 1].verdict
    )


def as_json(found: Replay) -> dict[str, Any]:
    """The object that `rollbook judge --json` prints; all numbers in it are finite."""
    last, metric = found.last, found.metric
    return {
        "verdict": last.verdict.value,
        "first": {"harmful": last.first_harmful_s, "safe": last.first_safe_s},
        "alpha": last.alpha,
        "margin": metric.margin.value,
        "margin_kind": "relative" if metric.margin.relative else "absolute",
        "e_value": last.e_value,
        "p_value": last.p_value,
        "e_safe": last.e_safe,
        "p_safe": last.p_safe,
        "effect": None if last.effect is None else _effect(last.effect),
        "counts": _counts(last.counts),
        "sentence": last.sentence,
        "warnings": list(last.warnings),
        "looks": [
            {
                "time": look.at_s,
                "verdict": look.verdict.value,
                "e_value": look.e_value,
                "p_value": look.p_value,
                "e_safe": look.e_safe,
                "counts": _counts(look.counts),
            }
            for look in found.looks
        ],
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "value": effect.value,
        "low": effect.low,
        "high": effect.high,
        "confidence": effect.confidence,
        "unit": effect.unit,
    }


def _counts(block: Block) -> dict[str, int]:
    return {
        "stable_total": block.stable_total,
        "stable_errors": block.stable_errors,
        "canary_total": block.canary_total,
        "canary_errors": block.canary_errors,
    }


def _of_blocks(rows: Sequence[Row]) -> tuple[list[Block | None], tuple[str, ...]]:
    blocks = [None if row.missing else Block(*row.stable, *row.canary) for row in rows]
    missing = sum(row.missing for row in rows)
    notes = [f"{missing} row(s) lack a count: their requests are not judged."] if missing else []
    whole = [one for one in blocks if one is not None]
    rising = all(
        one.stable_total <= two.stable_total and one.canary_total <= two.canary_total
        for one, two in pairwise(whole)
    )
    if rising and len(whole) >= MISTAKEN_ROWS and whole[-1].stable_total > 2 * whole[0].stable_total:
        notes.append("Requests never fall from row to row: are these counters? Then leave --per-block out.")
    return blocks, tuple(notes)


def _of_counters(rows: Sequence[Row]) -> tuple[list[Block | None], tuple[str, ...]]:
    counters = Counters()
    blocks = [
        counters.read(None if row.missing else Reading(row.at_s, row.stable, row.canary)) for row in rows
    ]
    notes = list(counters.oddities.told())
    fell = counters.oddities.restarts + counters.oddities.unreadable
    if len(rows) >= MISTAKEN_ROWS and fell > MISTAKEN_SHARE * len(rows):
        notes.append("Counters fall in many rows: are these requests since the row before, for --per-block?")
    return blocks, tuple(notes)
