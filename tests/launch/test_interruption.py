"""Signals while a run goes."""

from __future__ import annotations

import os
import signal

import pytest

from rollbook.errors import CancelledError
from rollbook.launch.interruption import SIGNALS, Interruption, interruptible


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_remembered_instead_of_ending_the_process(number: signal.Signals) -> None:
    """The run is told to stop at its next step; the process itself goes on to end in order."""
    with interruptible() as interruption:
        os.kill(os.getpid(), number)
        assert interruption.asked
        with pytest.raises(CancelledError, match="interrupted"):
            interruption.check()


def test_signals_mean_what_they_meant_afterwards() -> None:
    """The handlers of before are put back."""
    before = signal.getsignal(signal.SIGTERM)
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) is not before

    assert signal.getsignal(signal.SIGTERM) is before
    assert Interruption.current is None


def test_blocks_nest() -> None:
    """An inner block hears what the outer one was told."""
    with interruptible() as outer:
        os.kill(os.getpid(), signal.SIGINT)
        with interruptible() as inner:
            assert inner is outer
            assert inner.asked
