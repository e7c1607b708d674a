"""Numbers and times as people read them."""

from __future__ import annotations

import math

import pytest

from rollbook.report import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.2, "20.0 %"),
        (0.0004, "0.04 %"),
        (0.99996, "99.996 %"),
        (0.0000001, "< 0.001 %"),
        (0.9999999, "> 99.999 %"),
    ],
)
def test_a_share_never_rounds_to_none_or_all(value: float | None, text: str) -> None:
    """A share that is neither 0 nor 1 is never written as 0 % or 100 %."""
    assert text == formats.share(value).replace(formats.NBSP, " ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0.0, "0 ms"),
        (0.0042, "4.2 ms"),
        (0.48, "480 ms"),
        (0.9999, "1.0 s"),
        (58.0, "58.0 s"),
        (120.0, "2 min"),
        (158.2, "2 min 38 s"),
    ],
)
def test_a_duration_has_the_unit_that_fits(value: float | None, text: str) -> None:
    """Durations are in milliseconds, seconds or minutes, whichever reads best."""
    assert text == formats.seconds(value).replace(formats.NBSP, " ")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.01, "share", "1.0 %"),
        (0.02, "s", "20 ms"),
        (3 * 2**20, "bytes", "3.0 MiB"),
        (12.0, "requests/s", "12 requests/s"),
        (math.nan, "s", "–"),
    ],
)
def test_a_signal_is_written_in_its_unit(value: float, unit: str, text: str) -> None:
    """Values of signals carry their unit."""
    assert text == formats.in_unit(value, unit).replace(formats.NBSP, " ")


def test_a_digest_is_shortened_behind_its_algorithm() -> None:
    """The first 12 hex digits of a digest are kept."""
    assert "sha256:0123456789ab" == formats.short_digest("sha256:0123456789abcdef")
