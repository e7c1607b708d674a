"""The live picture of a canary: one figure that grows in its notebook cell while the rollout goes."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol

from IPython import get_ipython
from IPython.display import DisplayHandle, display

from rollbook.domain.rollout import RolloutStatus
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Entry
from rollbook.evidence.scrub import Scrubber
from rollbook.notebook.live_counts import LiveCounts
from rollbook.notebook.live_figure import Look, draw

BUSY_SHARE = 0.2
"""At most this part of the time goes into drawing, however slow the machine is."""


class Screen(Protocol):
    """Where the picture is shown."""

    def show(self, png: bytes, text: str) -> None:
        """Show the picture in place of the last one; `text` says the same in words."""


class CanaryPicture:
    """Draws weight, requests a second, failed share and p95 of stable and canary, with Argo's decisions.

    Call `update` as often as there is news; it draws at most every `every_s` seconds and spends at most a
    fifth of the time on it. Use it as a context manager, or call `finish`, so that the last state is drawn.
    Outside a notebook it does nothing.
    """

    def __init__(
        self,
        *,
        stable: str,
        canary: str,
        availability: float | None = None,
        p95_s: float | None = None,
        every_s: float = 1.0,
        screen: Screen | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stable` and `canary` are versions; `availability` (0..1) and `p95_s` the objective's bounds."""
        # A picture cannot be scrubbed once it is drawn. The log of requests names versions scrubbed, too.
        clean = Scrubber.of_environment().text
        self._stable = clean(stable)
        self._canary = clean(canary)
        self._availability = availability
        self._p95_s = p95_s
        self._every_s = every_s
        self._screen = screen or _notebook_screen()
        self._monotonic = monotonic
        self._counts = LiveCounts()
        self._weights: list[tuple[float, int]] = []
        self._start: float | None = None
        self._seen: tuple[object, ...] = ()
        self._pending: Callable[[], Look] | None = None
        self._next_draw = -math.inf

    def update(
        self,
        now: datetime,
        records: Sequence[RequestRecord],
        status: RolloutStatus,
        decisions: Sequence[Entry] = (),
    ) -> None:
        """Take in the state at `now`: all requests so far by scheduled time, the Rollout, Argo's decisions.

        `decisions` are entries of the journal; `weight`, `aborted` and `promoted` are marked, others ignored.
        """
        if self._screen is None:
            return
        at = now.timestamp()
        if self._start is None:
            self._start = min(at, records[0].scheduled_s) if records else at
        if not self._weights or self._weights[-1][1] != status.weight:
            self._weights.append((at, status.weight))
        seen = (len(records), len(decisions), status.weight, status.phase)
        if seen == self._seen:
            return
        self._seen = seen
        start = self._start
        self._pending = lambda: self._look(start, at, records, status, decisions)
        if self._monotonic() >= self._next_draw:
            self._draw()

    def finish(self) -> None:
        """Draw what is not shown yet: what the saved notebook will hold."""
        if self._pending is not None:
            self._draw()

    def __enter__(self) -> CanaryPicture:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finish()

    def _look(
        self,
        start: float,
        at: float,
        records: Sequence[RequestRecord],
        status: RolloutStatus,
        decisions: Sequence[Entry],
    ) -> Look:
        self._counts.take(records)
        marks = tuple(
            (
                entry.time.timestamp() - start,
                f"{entry.data.get('weight')} %" if entry.name == "weight" else entry.name,
            )
            for entry in decisions
            if entry.name in {"weight", "aborted", "promoted"}
        )
        return Look(
            stable=self._stable,
            canary=self._canary,
            start_s=start,
            length_s=max(1.0, at - start),
            weights=tuple((max(0.0, since - start), weight) for since, weight in self._weights),
            marks=marks,
            bins=self._counts.bins(),
            availability=self._availability,
            p95_s=self._p95_s,
            words=(
                f"{self._canary} after {at - start:.0f} s: weight {status.weight} %, {status.phase}; "
                f"{len(records):,} requests answered, {self._counts.failed:,} failed"
            ),
        )

    def _draw(self) -> None:
        if self._screen is None or self._pending is None:
            return
        began = self._monotonic()
        look = self._pending()
        self._pending = None
        self._screen.show(draw(look), look.words)
        took = self._monotonic() - began
        self._next_draw = began + max(self._every_s, took / BUSY_SHARE)


class _NotebookScreen:
    """One output of the running cell: shown once, then replaced."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None

    def show(self, png: bytes, text: str) -> None:
        """Show a picture, with its words as text/plain and as its alternative text."""
        data = {"image/png": base64.b64encode(png).decode(), "text/plain": text}
        metadata = {"image/png": {"alt": text}}
        if self._handle is None:
            # IPython annotates neither of the two.
            self._handle = display(  # type: ignore[no-untyped-call]
                data, metadata=metadata, raw=True, display_id=True
            )
        else:
            self._handle.update(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


def _notebook_screen() -> Screen | None:
    """The running notebook; None in a plain Python process and in a terminal."""
    shell = get_ipython()
    return _NotebookScreen() if shell is not None and hasattr(shell, "kernel") else None
