"""An interrupt is not lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from rollbook.phases.interrupts import remembered


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT as a terminal gives it: a shell's background job, as CI may be, is born ignoring it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_was_swallowed_is_raised_again_once() -> None:
    """The loop hears of it at its next turn, and the handler is put back afterwards."""
    before = signal.getsignal(signal.SIGINT)
    with remembered() as again:
        again()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            again()
        again()
    assert before is signal.getsignal(signal.SIGINT)


def test_outside_the_main_thread_it_does_nothing() -> None:
    """No signal comes there, and no handler may be set there."""
    ended: list[str] = []

    def work() -> None:
        with remembered() as again:
            again()
            ended.append("well")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ["well"] == ended
