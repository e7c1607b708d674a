"""The judge against Argo's usual rule and a peeked Fisher test, on simulated canaries; 1 when a bar is
missed.

    python benchmarks/judge.py [--json | --limits] [--canaries 2000]

Every canary: 5 minutes of looks 5 s apart, stable fails 0.5 % of its requests, alpha is 0.01. All three see
the same counts. The rule is that of a common AnalysisTemplate: success rate of the canary over the last 60
s at least 99 %, measured each 60 s, failureLimit 0. Fisher's exact test, one-sided, is asked at each look.

Variants: weights that change every 30 s; processes that restart, whose counters begin again from zero (each
side in 2 % of looks); 10 % of scrapes missing; and errors in bursts, beta-binomial with correlation 0.01
within 5 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rollbook.judge import beliefs, replay, table
from rollbook.judge.counters import Counters, Reading
from rollbook.judge.model import Block
from rollbook.judge.rates import RatesJudge, as_counts
from rollbook.judge.standing import RateMetric, Rules, Standing, advance

Array = NDArray[np.float64]

ALPHA, STABLE, EVERY_S, LOOKS = 0.01, 0.005, 5, 60
RATES = (5, 20, 100)
BARS_S = {0.05: 60, 0.2: 10, 0.5: 5}
JUST_TOO_BAD = 0.016
"""A share of errors a little beyond the margin of 0.01: calling it safe is the mistake that alpha limits."""
STEPS = (0.1, 0.2, 0.05, 0.3, 0.5, 0.1, 0.25, 0.05, 0.2, 0.1)
SEED = 20260101
LOOK_MS, DAY_S = 5.0, 2.0
METRICS = 20


@dataclass(frozen=True)
class Variant:
    """What is not ideal in the counts that are judged."""

    name: str
    weights: tuple[float, ...] = (0.1,)
    rho: float = 0.0
    restarts: float = 0.0
    missing: float = 0.0


VARIANTS = (
    Variant("ideal"),
    Variant("weights change every 30 s", weights=STEPS),
    Variant("restarts", restarts=0.02),
    Variant("10 % of scrapes missing", missing=0.1),
    Variant("errors in bursts", rho=0.01),
)


@dataclass(frozen=True)
class FalseAlarms:
    """Share of healthy canaries that each called harmful within 5 minutes."""

    rps: int
    judge: float
    argo: float
    fisher: float
    warned: float
    """Share of the judge's verdicts that warn of bursts."""


@dataclass(frozen=True)
class Detection:
    """Median seconds until each called a broken canary harmful, at 20 requests a second; None is more than
    300."""

    errors: float
    judge_s: float | None
    argo_s: float | None
    fisher_s: float | None
    called_safe: float
    """Share of the canaries that the judge called safe at any look."""


def simulate(
    rng: np.random.Generator,
    canaries: int,
    rps: int,
    errors: float,
    variant: Variant,
    *,
    stable: float = STABLE,
    healthy_looks: int = 0,
) -> Array:
    """Counts since the look before, (looks, canaries, 4), as a reader of counters sees them.

    The canary fails as `stable` does for `healthy_looks`, and `errors` of its requests in the LOOKS after.
    """
    looks = healthy_looks + LOOKS
    weight = np.array([variant.weights[row * EVERY_S // 30 % len(variant.weights)] for row in range(looks)])
    n_c = rng.binomial(rps * EVERY_S, weight[:, None], (looks, canaries))
    n_s = rps * EVERY_S - n_c

    def failed(n: NDArray[np.int64], share: Array) -> NDArray[np.int64]:
        if not variant.rho:
            return rng.binomial(n, share)
        spread = 1.0 / variant.rho - 1.0
        return rng.binomial(n, rng.beta(share * spread, (1.0 - share) * spread, n.shape))

    late = np.where(np.arange(looks) < healthy_looks, stable, errors)[:, None]
    counts = np.stack((n_s, failed(n_s, np.full_like(late, stable)), n_c, failed(n_c, late)), axis=-1)
    if variant.restarts or variant.missing:
        seen = [_read(rng, counts[:, one], variant) for one in range(canaries)]
        return np.array(seen, dtype=np.float64).transpose(1, 0, 2)
    return counts.astype(np.float64)


def _read(rng: np.random.Generator, counts: NDArray[np.int64], variant: Variant) -> list[tuple[int, ...]]:
    """One canary's counters, kept and read the way that a service and Prometheus do."""
    counters, kept, rows = Counters(), np.zeros(4, dtype=np.int64), []
    counters.read(Reading(0.0, (0, 0), (0, 0)))
    for row, added in enumerate(counts):
        for side in (0, 2):
            if rng.random() < variant.restarts:
                # What came before the restart, within this look, is lost with the process.
                n, k = added[side], added[side + 1]
                left = rng.binomial(n, rng.random())
                added[side], added[side + 1] = left, rng.hypergeometric(k, n - k, left) if left else 0
                kept[side : side + 2] = 0
        kept += added
        at_s = float((row + 1) * EVERY_S)
        now = [int(one) for one in kept]
        scraped = (
            None if rng.random() < variant.missing else Reading(at_s, (now[0], now[1]), (now[2], now[3]))
        )
        rows.append(as_counts(counters.read(scraped) or Block()))
    return rows


def judge(counts: Array) -> tuple[Array, Array, Array]:
    """When the judge called each canary harmful, and safe (seconds, infinity for never); whether it
    warned."""
    rules = Rules.of((RateMetric(alpha=ALPHA),))
    moments = (np.arange(len(counts)) + 1.0) * EVERY_S
    standing = advance(rules, Standing.start(counts.shape[1]), moments, counts).standing
    first = np.where(np.isnan(standing.first), np.inf, standing.first)
    return first[:, 0], first[:, 1], beliefs.bursty(standing.past).astype(np.float64)


def argo(counts: Array) -> Array:
    """When the rule failed."""
    in_minute = counts.reshape(LOOKS // 12, 12, -1, 4).sum(axis=1)
    fails = in_minute[..., 3] > 0.01 * in_minute[..., 2]
    return np.where(fails.any(axis=0), (fails.argmax(axis=0) + 1.0) * 60.0, np.inf)


def fisher(counts: Array) -> Array:
    """When Fisher's exact test, asked at each look whether the canary fails more, first gave p < alpha."""
    totals = counts.cumsum(axis=0)
    log_factorial = np.concatenate(
        ([0.0], np.cumsum(np.log(np.arange(1, totals[-1, :, ::2].sum(-1).max() + 1))))
    )
    found = np.full(counts.shape[1], np.inf)
    for row in range(LOOKS):
        open_ones = np.flatnonzero(np.isinf(found))
        p = _hypergeometric_tail(totals[row, open_ones].astype(np.int64), log_factorial)
        found[open_ones[p < ALPHA]] = (row + 1.0) * EVERY_S
    return found


def _hypergeometric_tail(totals: NDArray[np.int64], log_factorial: Array) -> Array:
    """P(at least k_c of the k bad requests fall to the canary), each request alike."""
    n_s, k_s, n_c, k_c = totals.T
    k, n = k_s + k_c, n_s + n_c

    def choose(a: NDArray[np.int64], b: NDArray[np.int64]) -> Array:
        return np.asarray(log_factorial[a] - log_factorial[b] - log_factorial[a - b])

    term = np.exp(choose(n_c, k_c) + choose(n_s, k_s) - choose(n, k))
    tail, at = term.copy(), k_c.copy()
    while (term > 1e-12).any():
        more = (n_c - at) * (k - at) / ((at + 1.0) * np.maximum(n_s - k + at + 1.0, 1.0))
        term = np.where((at < n_c) & (at < k), term * more, 0.0)
        at = at + 1
        tail += term
    return tail


def median(moments: Array) -> float | None:
    """The median; None when it is never."""
    middle = float(np.median(moments))
    return middle if np.isfinite(middle) else None


def measure(variant: Variant, canaries: int) -> tuple[list[FalseAlarms], list[Detection]]:
    """One variant, healthy and broken."""
    rng = np.random.default_rng([SEED, VARIANTS.index(variant)])
    alarms = []
    for rps in RATES:
        counts = simulate(rng, canaries, rps, STABLE, variant)
        harmful, _, warned = judge(counts)
        shares = [float(np.isfinite(one).mean()) for one in (harmful, argo(counts), fisher(counts))]
        alarms.append(FalseAlarms(rps, *shares, warned=float(warned.mean())))
    found = []
    for errors in (JUST_TOO_BAD, *BARS_S):
        counts = simulate(rng, canaries, 20, errors, variant)
        harmful, safe, _ = judge(counts)
        moments = [median(one) for one in (harmful, argo(counts), fisher(counts))]
        found.append(Detection(errors, *moments, called_safe=float(np.isfinite(safe).mean())))
    return alarms, found


def missed(alarms: Sequence[FalseAlarms], found: Sequence[Detection]) -> list[str]:
    """What does not hold."""
    said = [f"{one.judge:.2%} false alarms at {one.rps} rps" for one in alarms if one.judge > ALPHA]
    for one in found:
        bar = BARS_S.get(one.errors)
        if bar is not None and (one.judge_s is None or one.judge_s > bar):
            said.append(f"{one.errors:.0%} errors after {one.judge_s} s, and not {bar} s")
        if one.called_safe > ALPHA:
            said.append(f"{one.errors:.1%} errors called safe in {one.called_safe:.2%}")
    return said


def limits(canaries: int) -> dict[str, Any]:
    """Where the judge alarms too often, or is slow: stronger bursts, other rates, late faults, safety."""
    rng = np.random.default_rng([SEED, len(VARIANTS)])
    ideal, everything = VARIANTS[0], Variant("all", STEPS, rho=0.01, restarts=0.02, missing=0.1)

    def alarms(variant: Variant, stable: float = STABLE) -> list[float]:
        found = [judge(simulate(rng, canaries, rps, stable, variant, stable=stable))[0] for rps in RATES]
        return [float(np.isfinite(one).mean()) for one in found]

    def detected(more: float, stable: float, healthy_looks: int = 0) -> float | None:
        counts = simulate(
            rng, canaries // 4, 20, stable + more, ideal, stable=stable, healthy_looks=healthy_looks
        )
        return median(judge(counts)[0] - healthy_looks * EVERY_S)

    def safe(rps: int, weight: float) -> tuple[float, float | None]:
        found = judge(simulate(rng, canaries, rps, STABLE, Variant("", (weight,))))[1]
        return float(np.isfinite(found).mean()), median(found)

    return {
        "false alarms at 5, 20, 100 rps, all variants at once": alarms(everything),
        **{
            f"false alarms at 5, 20, 100 rps, bursts with correlation {rho:g}": alarms(Variant("", rho=rho))
            for rho in (0.02, 0.05)
        },
        **{
            f"false alarms at 5, 20, 100 rps, stable fails {stable:.2%}": alarms(ideal, stable)
            for stable in (0.0001, 0.001, 0.02, 0.05, 0.2)
        },
        **{
            f"median s to detect 4.5, 20, 50 points more at 20 rps, stable fails {stable:.1%}": [
                detected(more, stable) for more in (0.045, 0.2, 0.5)
            ]
            for stable in (0.001, 0.005, 0.02, 0.05, 0.2)
        },
        "the same when the canary breaks after a healthy hour, stable fails 0.5%": [
            detected(more, STABLE, 3600 // EVERY_S) for more in (0.045, 0.2, 0.5)
        ],
        **{
            f"share of healthy canaries called safe, and median s, at {rps} rps and weight {weight:g}": safe(
                rps, weight
            )
            for rps in (20, 100)
            for weight in (0.1, 0.5)
        },
    }


def look_ms() -> float:
    """Median milliseconds of a look at 20 metrics, verdicts with intervals and sentences included."""
    every = RatesJudge([RateMetric(f"metric {number}", ALPHA / METRICS) for number in range(METRICS)])
    blocks = [Block(90, number % 3, 10, number % 2) for number in range(METRICS)]
    return 1000 * float(np.median([_timed(lambda: every.look(0.0, blocks)) for _ in range(200)]))


def day_s() -> float:
    """Fastest of three: a day of counters 5 s apart, from the text of its file to the object of `--json`."""
    rng = np.random.default_rng(SEED)
    looks = 86_400 // EVERY_S
    added = rng.binomial(np.array([90, 90, 10, 10]), (1.0, STABLE, 1.0, STABLE), (looks, 4))
    lines = [f"{row * EVERY_S},{','.join(map(str, one))}" for row, one in enumerate(added.cumsum(axis=0))]
    data = "\n".join((",".join(table.COLUMNS), *lines)).encode()

    def judged() -> None:
        found = replay.replay(table.parse(data, "day.csv"), RateMetric(alpha=ALPHA))
        json.dumps(replay.as_json(found))

    return min(_timed(judged) for _ in range(3))


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _seconds(value: float | None) -> str:
    return "  > 300" if value is None else f"{value:7.1f}"


def _told(name: str, alarms: Sequence[FalseAlarms], found: Sequence[Detection]) -> None:
    print(f"\n{name}\n  false alarms     judge     Argo's rule   peeked Fisher   warned of bursts")
    for one in alarms:
        shares = f"{one.judge:8.2%}   {one.argo:8.2%}      {one.fisher:8.2%}  {one.warned:12.1%}"
        print(f"  {one.rps:>4} rps      {shares}")
    print("  median s to detect, 20 rps; called safe by the judge")
    for each in found:
        moments = "   ".join(_seconds(one) for one in (each.judge_s, each.argo_s, each.fisher_s))
        print(f"  {each.errors:>6.1%} errors  {moments}   {each.called_safe:8.2%}")


def main() -> int:
    """Simulate all variants, print the tables, and say whether the bars hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--limits", action="store_true", help="measure where it does not hold, and no bars")
    parser.add_argument("--canaries", type=int, default=2000)
    asked = parser.parse_args()
    if asked.limits:
        for what, figures in limits(asked.canaries).items():
            print(f"{what}: {', '.join('never' if one is None else f'{one:g}' for one in figures)}")
        return 0
    began = time.perf_counter()
    per_look, per_day = look_ms(), day_s()
    measured = {variant.name: measure(variant, asked.canaries) for variant in VARIANTS}
    failures = {name: missed(*found) for name, found in measured.items() if missed(*found)}
    passed = not failures and per_look < LOOK_MS and per_day < DAY_S
    if asked.as_json:
        rows = {
            name: {
                "false_alarms": [asdict(one) for one in alarms],
                "detection": [asdict(one) for one in found],
                "missed": failures.get(name, []),
            }
            for name, (alarms, found) in measured.items()
        }
        print(
            json.dumps({"variants": rows, "look_ms": per_look, "day_s": per_day, "passed": passed}, indent=2)
        )
        return 0 if passed else 1
    for name, found in measured.items():
        _told(name, *found)
    print(f"\none look at {METRICS} metrics: {per_look:.1f} ms (at most {LOOK_MS:g})")
    print(f"a day of looks 5 s apart: {per_day:.2f} s (at most {DAY_S:g})")
    print(f"{asked.canaries} canaries a row, {time.perf_counter() - began:.0f} s in all")
    for name, said in failures.items():
        print(f"missed, {name}: {'; '.join(said)}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
