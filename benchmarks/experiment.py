"""A/B tests: how often equal variants are told apart, and whether a lift of 30 % is found.

Simulated users, 50 requests a second for 3 minutes, looked at each second: three requests in four are of a
user who was not there before (`domain.experiment.user_number`). Two bars. Of 20 A/A experiments no more
name a winner than alpha 0.05 allows: at most 4, which a binomial of that rate exceeds once in 400
benchmarks. All 20 A/B experiments with a lift of 30 % (20 to 26 % of the users) name b. `--runs` does more
of them, to see the rate.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter

import numpy as np

from rollbook.judge.conversion import ConversionJudge, ConversionRules, Winner

RPS = 50
NEW_USERS = 0.75
SECONDS = 180
BASE = 0.20
LIFT = 1.3
MOST_OF_20 = 4
SEED = 20_260_310


def experiment(rng: np.random.Generator, rate_a: float, rate_b: float) -> tuple[Winner, float | None]:
    """The verdict after three minutes, and the second at which it fell."""
    judge = ConversionJudge(ConversionRules())
    users = int(RPS * NEW_USERS)
    comparison = None
    for second in range(1, SECONDS + 1):
        of_b = int(rng.binomial(users, 0.5))
        of_a = users - of_b
        a = of_a, int(rng.binomial(of_a, rate_a))
        b = of_b, int(rng.binomial(of_b, rate_b))
        comparison = judge.look(float(second), a, b)
    assert comparison is not None  # noqa: S101 - there is at least one second
    return comparison.verdict, comparison.first_s


def main() -> int:
    """Print the figures; 0 when both bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rng, began = np.random.default_rng(SEED), time.perf_counter()
    equal = Counter(experiment(rng, BASE, BASE)[0].value for _ in range(asked.runs))
    lifted = [experiment(rng, BASE, BASE * LIFT) for _ in range(asked.runs)]
    found = [at for verdict, at in lifted if verdict is Winner.B and at is not None]
    named = equal[Winner.A.value] + equal[Winner.B.value]
    figures = {
        "runs": asked.runs,
        "a_a": dict(sorted(equal.items())),
        "a_a_named_a_winner": named,
        "a_b_found": len(found),
        "a_b_median_s": float(np.median(found)) if found else None,
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(figures) if asked.json else "\n".join(f"{key}: {one}" for key, one in figures.items()))
    allowed = MOST_OF_20 if asked.runs == 20 else 0.05 * asked.runs + 3 * (0.05 * 0.95 * asked.runs) ** 0.5
    return 0 if named <= allowed and len(found) >= 0.95 * asked.runs else 1


if __name__ == "__main__":
    sys.exit(main())
