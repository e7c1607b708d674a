"""Many looks: the e-process as a whole, by counting all outcomes and by simulation; and what it finds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.judge import outcomes

from rollbook.errors import BadInputError
from rollbook.judge.evariable import log_e
from rollbook.judge.model import Block, Margin, Verdict
from rollbook.judge.rates import RateJudge, RatesJudge, as_counts
from rollbook.judge.standing import VERDICTS, RateMetric, Rules, Standing, Trace, advance
from rollbook.judge.wealth import HARM_EFFECTS, HARM_PRIOR, SHARE_AFTER, tempering

counts = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)).map(
    lambda one: Block(one[0], min(one[0], one[1]), one[2], min(one[2], one[3]))
)


def judged(blocks: np.ndarray, metric: RateMetric | None = None) -> Trace:
    """All streams of `blocks`, (T, streams, 4)."""
    moments = np.arange(len(blocks)) * 5.0
    return advance(Rules.of((metric or RateMetric(),)), Standing.start(blocks.shape[1]), moments, blocks)


def simulated(
    seed: int, streams: int, n: int, weights: np.ndarray, stable: np.ndarray, canary: np.ndarray
) -> np.ndarray:
    """Blocks of `n` requests; weights and shares by look."""
    rng = np.random.default_rng(seed)
    n_c = rng.binomial(n, weights[:, None], (len(weights), streams))
    k_s, k_c = rng.binomial(n - n_c, stable[:, None]), rng.binomial(n_c, canary[:, None])
    return np.stack((n - n_c, k_s, n_c, k_c), axis=-1).astype(np.float64)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0, 1), st.floats(0, 1)),
        min_size=3,
        max_size=3,
    ),
    st.sampled_from((0.005, 0.05, 0.5)),
)
def test_evidence_of_harm_is_at_most_1_on_average_at_every_look(
    blocks: list[tuple[int, int, float, float]], guess: float
) -> None:
    """Over all outcomes of three blocks, what each teaches for the next included, with shares that move."""
    no_worse = [(n_s, n_c, max(p, q), min(p, q)) for n_s, n_c, p, q in blocks]
    all_counts, chances = outcomes.streams(no_worse)
    trace = judged(all_counts, RateMetric(guess=guess))

    assert max(np.exp(trace.log_e[:, :, 0]) @ chances) <= 1.0 + 1e-9


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0, 0.8)), min_size=3, max_size=3),
    st.sampled_from((Margin(0.01), Margin(0.2), Margin(0.25, relative=True))),
)
def test_evidence_of_safety_is_at_most_1_on_average_at_every_look(
    blocks: list[tuple[int, int, float]], margin: Margin
) -> None:
    """Over all outcomes of three blocks of a canary that is just as bad as the margin."""
    at_margin = [(n_s, n_c, s, margin.slope * s + margin.shift) for n_s, n_c, s in blocks]
    all_counts, chances = outcomes.streams(at_margin)
    trace = judged(all_counts, RateMetric(margin=margin))

    assert max(np.exp(trace.log_e[:, :, 1]) @ chances) <= 1.0 + 1e-9


@settings(max_examples=12, derandomize=True, deadline=None)
@given(st.floats(0.0005, 0.3), st.floats(0.02, 0.9), st.sampled_from((5, 50, 400)), st.integers(0, 10**6))
def test_healthy_canaries_are_called_harmful_no_more_often_than_alpha(
    share: float, weight: float, n: int, seed: int
) -> None:
    """400 canaries, 80 looks, alpha 0.05: so many alarms come by chance once in ten million tests."""
    looks, streams, alpha = 80, 400, 0.05
    flat = np.full(looks, share)
    blocks = simulated(seed, streams, n, np.full(looks, weight), flat, flat)
    trace = judged(blocks, RateMetric(alpha=alpha))

    assert int((trace.log_top[-1, :, 0] >= -math.log(alpha)).sum()) <= outcomes.most(streams, alpha)


def test_alpha_holds_when_weights_and_rates_move_together() -> None:
    """Errors of both sides rise fivefold just when the canary gets half of the traffic: totals mislead."""
    looks, streams, alpha = 60, 2000, 0.05
    late = np.arange(looks) >= 30
    share = np.where(late, 0.05, 0.01)
    blocks = simulated(11, streams, 200, np.where(late, 0.5, 0.05), share, share)
    trace = judged(blocks, RateMetric(alpha=alpha))

    assert int((trace.log_top[-1, :, 0] >= -math.log(alpha)).sum()) <= outcomes.most(streams, alpha)


@pytest.mark.parametrize("margin", [Margin(0.02), Margin(1.0, relative=True)])
def test_a_canary_at_the_margin_is_called_safe_no_more_often_than_alpha(margin: Margin) -> None:
    """2,000 canaries that fail exactly as often as the margin allows, looked at 60 times, at alpha 0.05."""
    looks, streams, alpha = 60, 2000, 0.05
    stable = np.full(looks, 0.02)
    blocks = simulated(12, streams, 200, np.full(looks, 0.3), stable, margin.slope * stable + margin.shift)
    trace = judged(blocks, RateMetric(alpha=alpha, margin=margin))

    assert int((trace.log_e[..., 1] >= -math.log(alpha)).any(axis=0).sum()) <= outcomes.most(streams, alpha)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(counts, min_size=1, max_size=12))
def test_a_day_at_once_is_the_same_as_look_by_look(blocks: list[Block]) -> None:
    """Nothing of a later block is known to an earlier one."""
    at_once = judged(np.array([[as_counts(one)] for one in blocks], dtype=np.float64))
    judge = RateJudge(RateMetric())
    said = [judge.look(5.0 * row, one) for row, one in enumerate(blocks)]

    assert pytest.approx([math.exp(one) for one in at_once.log_e[:, 0, 0]]) == [one.e_value for one in said]
    assert pytest.approx([math.exp(one) for one in at_once.log_e[:, 0, 1]]) == [one.e_safe for one in said]
    assert [VERDICTS[one] for one in at_once.verdicts(np.array([0.01]))[:, 0]] == [
        one.verdict for one in said
    ]


@settings(max_examples=20, derandomize=True, deadline=None)
@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=6))
def test_metrics_do_not_touch_each_other(blocks: list[tuple[Block, Block]]) -> None:
    """Two metrics judged in one go say what each says alone."""
    metrics = RateMetric("a", 0.01), RateMetric("b", 0.05, Margin(0.5, relative=True), guess=0.05)
    both, alone = RatesJudge(metrics), [RateJudge(one) for one in metrics]
    for row, pair in enumerate(blocks):
        together = both.look(row, pair)

        for one, other, block in zip(together, alone, pair, strict=True):
            assert pytest.approx(one.e_value) == other.look(row, block).e_value


def test_wealth_is_a_mean_of_bets_that_shares_a_little_after_each_block() -> None:
    """Three blocks, worked out here with plain arithmetic."""
    blocks = [(90, 1, 10, 2), (80, 0, 20, 1), (95, 2, 5, 0)]
    trace = judged(np.array([[one] for one in blocks], dtype=np.float64))

    parts, wealth = list(HARM_PRIOR), 1.0
    bad, total = 0.0, 0.0
    for number, (n_s, k_s, n_c, k_c) in enumerate(blocks):
        s = (bad + 0.5) / (total + 100)
        before = blocks[:number]
        left = 1 - sum(n * n for n, *_ in before) / max(total, 1) ** 2
        excess = sum((k - n * s) ** 2 - n * s * (1 - s) * left for n, k, *_ in before)
        information = sum(s * (1 - s) * n * (n - 1) * left for n, *_ in before)
        rho = min(max((excess + 5000 * 0.007) / (information + 5000), 0.0), 0.5)
        power = float(tempering(np.array(float(n_s)), np.array(float(n_c)), np.array(rho)))
        factors = [1.0]
        for effect in HARM_EFFECTS:
            c = s + effect * (1 - s)
            null = (n_s * s + n_c * c) / (n_s + n_c)
            ratio = (c / null) ** k_c * ((1 - c) / (1 - null)) ** (n_c - k_c)
            ratio *= (s / null) ** k_s * ((1 - s) / (1 - null)) ** (n_s - k_s)
            factors.append(ratio**power)
        grown = [part * factor for part, factor in zip(parts, factors, strict=True)]
        wealth *= sum(grown)
        share = 1 / (number + SHARE_AFTER)
        parts = [
            (1 - share) * one / sum(grown) + share * prior
            for one, prior in zip(grown, HARM_PRIOR, strict=True)
        ]
        bad, total = bad + k_s, total + n_s

    assert pytest.approx(math.log(wealth)) == float(trace.log_e[-1, 0, 0])


def test_a_broken_canary_is_found_soon_and_a_late_fault_too() -> None:
    """At 20 requests a second, weight 10: half broken is seen at once; broken after an hour, in a minute."""
    flat, weights = np.full(12, 0.005), np.full(12, 0.1)
    at_once = judged(simulated(13, 200, 100, weights, flat, np.full(12, 0.5)))
    looks = 732
    late = np.where(np.arange(looks) >= 720, 0.2, 0.005)
    after = judged(simulated(14, 50, 100, np.full(looks, 0.1), np.full(looks, 0.005), late))

    assert 0.0 == np.median(at_once.standing.first[:, 0])
    assert 720 * 5.0 + 60.0 > np.nanmedian(after.standing.first[:, 0])
    assert 0 == int((after.standing.first[:, 0] < 3600).sum())


@pytest.mark.parametrize(
    ("block", "verdict"),
    [
        (None, Verdict.NO_DATA),
        (Block(), Verdict.NO_DATA),
        (Block(100, 1, 0, 0), Verdict.NO_DATA),
        (Block(0, 0, 100, 100), Verdict.NO_DATA),
        (Block(100, 1, 10, 0), Verdict.UNDECIDED),
        (Block(1000, 5, 1000, 500), Verdict.HARMFUL),
        (Block(10**6, 5000, 10**5, 50_000), Verdict.HARMFUL),
        (Block(2000, 10, 500, 2), Verdict.UNDECIDED),
        (Block(1000, 1000, 1000, 1000), Verdict.UNDECIDED),
    ],
)
def test_one_look_ends_in_the_verdict_that_its_counts_allow(block: Block | None, verdict: Verdict) -> None:
    """Nothing of one side is no data, and never good news."""
    said = RateJudge(RateMetric()).look(5.0, block)

    assert verdict is said.verdict
    assert (said.effect is None) == (verdict is Verdict.NO_DATA)


def test_harmful_stays_and_safe_does_not() -> None:
    """A canary that was shown harmful is not forgiven; one that was safe and breaks is harmful, not safe."""
    judge = RateJudge(RateMetric())
    good, broken = Block(5000, 25, 5000, 25), Block(5000, 25, 5000, 2500)
    said = [
        judge.look(float(row), one).verdict for row, one in enumerate([*[good] * 8, broken, *[good] * 50])
    ]

    assert Verdict.SAFE in said[:8]
    assert {Verdict.HARMFUL} == set(said[8:])


def test_harmful_stays_though_evidence_falls() -> None:
    """Four of ten fail at first, none of 2,000 after: the e-value falls below its bound."""
    judge = RateJudge(RateMetric())
    judge.look(0.0, Block(90, 0, 10, 4))
    said = [judge.look(row + 1.0, Block(90, 0, 10, 0)) for row in range(200)][-1]

    assert said.e_value is not None
    assert said.e_value < 100.0
    assert said.p_value is not None
    assert said.p_value <= 0.01
    assert Verdict.HARMFUL is said.verdict


def test_the_interval_says_what_the_verdict_has_shown() -> None:
    """A failure at each of six looks: below 0 is excluded, though the interval alone reaches there."""
    judge = RateJudge(RateMetric())
    said = [judge.look(row, Block(90, row % 2, 10, 1)) for row in range(6)]
    undecided, harmful = said[0], said[-1]

    assert (Verdict.UNDECIDED, Verdict.HARMFUL) == (undecided.verdict, harmful.verdict)
    assert undecided.effect is not None
    assert harmful.effect is not None
    assert undecided.effect.low < 0.0
    assert 0.0 == harmful.effect.low


def test_the_verdict_has_what_it_rests_on() -> None:
    """Counts, window, query, moments and a sentence with the figures."""
    judge = RateJudge(RateMetric(query="sum(rate(requests))"))
    judge.look(5.0, Block(90, 1, 10, 5))
    said = judge.look(10.0, Block(90, 0, 10, 6))

    assert Block(180, 1, 20, 11) == said.counts
    assert said.window is not None
    assert (5.0, 10.0) == (said.window.begins_s, said.window.ends_s)
    assert "sum(rate(requests))" == said.query
    assert 5.0 == said.first_harmful_s
    assert said.p_value is not None
    assert said.p_value <= 0.01
    assert said.effect is not None
    assert 0.0 <= said.effect.low < said.effect.value < said.effect.high
    assert "11 of 20 (55 %) canary requests failed and 1 of 180 (0.56 %) of stable" in said.sentence


def test_looks_that_compare_nothing_are_said() -> None:
    """After three looks without a request of the canary, the verdict says that it is of before."""
    judge = RateJudge(RateMetric())
    judge.look(5.0, Block(90, 1, 10, 0))
    said = [judge.look(5.0 * row, Block(90, 0, 0, 0)).warnings for row in range(2, 6)]

    assert [(), ()] == said[:2]
    assert "The last 3 looks had no requests of one side" in said[2][0]
    assert "The last 4 looks" in said[3][0]


def test_errors_in_bursts_are_said_and_count_for_less() -> None:
    """Beta-binomial errors of stable, correlation 0.02: a warning, and less evidence by the same counts."""
    rng = np.random.default_rng(15)
    calm, bursts = RateJudge(RateMetric()), RateJudge(RateMetric())
    for row in range(40):
        calm.look(row, Block(900, int(rng.binomial(900, 0.01)), 100, 1))
        bursts.look(row, Block(900, int(rng.binomial(900, rng.beta(0.49, 48.51))), 100, 1))
    after_calm, after_bursts = (one.look(50.0, Block(900, 9, 100, 8)) for one in (calm, bursts))

    assert () == after_calm.warnings
    assert "come in bursts" in after_bursts.warnings[0]


@pytest.mark.parametrize(
    "make", [lambda: RateMetric(alpha=0.0), lambda: RateMetric(alpha=0.5), lambda: Margin(0.0)]
)
def test_what_is_no_level_or_margin_is_refused(make: object) -> None:
    """An alpha outside (0, 0.5) and a margin of nothing are bad input."""
    assert callable(make)
    with pytest.raises(BadInputError):
        make()


@pytest.mark.parametrize("counts", [(1, 2, 0, 0), (0, 0, 3, 4), (-1, 0, 0, 0), (2, -1, 2, 0)])
def test_what_cannot_be_counted_is_refused(counts: tuple[int, int, int, int]) -> None:
    """More errors than requests, and counts below 0."""
    with pytest.raises(BadInputError):
        Block(*counts)


def test_tempering_is_a_power() -> None:
    """1 for independent requests and for a request each; falling with correlation and with requests."""
    n = np.array([1.0, 90.0, 900.0])
    powers = [tempering(n, np.array([1.0, 10.0, 100.0]), np.array(rho)) for rho in (0.0, 0.01, 0.5)]

    assert [1.0, 1.0, 1.0] == powers[0].tolist()
    assert (np.diff(powers[1]) < 0).all()
    assert (powers[2][1:] < powers[1][1:]).all()
    assert (powers[2] > 0).all()


def test_growth_is_what_information_says() -> None:
    """Log wealth of a right bet grows by its Kullback-Leibler divergence, on average over outcomes."""
    n_s, n_c, s, c = 12, 4, 0.1, 0.4
    null = (n_s * s + n_c * c) / (n_s + n_c)
    mean = 0.0
    for block, chance in outcomes.block(n_s, n_c, s, c):
        row = tuple(np.array([float(one)]) for one in block)
        mean += chance * float(log_e(row, np.array([s]), np.array([c]))[0])

    divergence = sum(
        n * (p * math.log(p / null) + (1 - p) * math.log((1 - p) / (1 - null)))
        for n, p in ((n_s, s), (n_c, c))
    )
    assert pytest.approx(divergence) == mean
