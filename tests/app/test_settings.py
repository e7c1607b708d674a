"""The service's environment: what it means, and what it may not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hello.faults import Share
from hello.settings import Faults, Settings, SettingsError


def test_without_an_environment_nothing_is_wrong() -> None:
    """The defaults are a service without faults that listens on loopback only."""
    settings = Settings.read({"PATH": "/bin", "PORT": ""})
    assert Settings() == settings
    assert Faults() == settings.faults
    assert "127.0.0.1" == settings.host


def test_every_variable_has_its_meaning() -> None:
    """Each variable reaches its field, and the token's value reaches none."""
    settings = Settings.read(
        {
            "HOST": "127.9.0.1",
            "PORT": "81",
            "APP_VERSION": "1.2",
            "APP_POD": "p",
            "GREETING": "Grüß Gott",
            "HELLO_TOKEN": "s3cret",
            "ACCESS_LOG": "true",
            "SHUTDOWN_SECONDS": "3",
            "FAULT_ERROR_SHARE": "0.2",
            "FAULT_LATENCY_SECONDS": "0.5",
            "FAULT_LATENCY_SHARE": "0.1",
            "FAULT_CRASH_AFTER_SECONDS": "5",
            "FAULT_LEAK_MIB_PER_SECOND": "8",
            "FAULT_NEVER_READY": "1",
            "FAULT_NO_METRICS": "1",
            "FAULT_OVERLOAD_RPS": "15",
        }
    )
    faults = Faults(0.2, 0.5, 0.1, 5.0, 8.0, never_ready=True, no_metrics=True, overload_rps=15.0)
    assert Settings("127.9.0.1", 81, "1.2", "p", "Grüß Gott", True, True, 3, faults) == settings
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("APP_VERSION", "1\r\nX-Evil: 1"),
        ("APP_POD", "pöd"),
        ("ACCESS_LOG", "maybe"),
        ("SHUTDOWN_SECONDS", "0"),
        ("FAULT_ERROR_SHARE", "20"),
        ("FAULT_ERROR_SHARE", "nan"),
        ("FAULT_ERROR_SHARE", "-0.1"),
        ("FAULT_LATENCY_SECONDS", "inf"),
        ("FAULT_NEVER_READY", "ja"),
        ("FAULT_ERORR_SHARE", "0.2"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    """A wrong value, and a misspelt fault too, is told of by its variable's name."""
    with pytest.raises(SettingsError, match=name):
        Settings.read({name: value})


def test_all_bad_values_are_named_at_once() -> None:
    """Nobody has to mend one variable to hear of the next."""
    with pytest.raises(SettingsError, match=r"PORT=.*FAULT_ERROR_SHARE="):
        Settings.read({"PORT": "x", "FAULT_ERROR_SHARE": "x"})


@given(share=st.floats(0, 1), calls=st.integers(1, 500))
def test_a_share_picks_as_many_calls_as_it_says(share: float, calls: int) -> None:
    """After any number of calls, the picked ones differ from the exact share by less than one."""
    picker = Share(share)
    picked = sum(picker.pick() for _ in range(calls))
    assert abs(picked - share * calls) < 1 + 1e-6


def test_one_in_five_is_exactly_one_in_five() -> None:
    """A share that binary fractions cannot hold is still met exactly."""
    picker = Share(0.2)
    assert 200 == sum(picker.pick() for _ in range(1000))
