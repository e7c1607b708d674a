"""A cluster that is away for a moment ends nothing: what is asked of it is asked again for a while.

An API server that is started again, or a network that blinks, takes seconds; users are served meanwhile, for
the edge keeps what it knows. One that is away for longer ends the phase.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext

LONGEST_S = 30.0
AGAIN_S = 0.5

Answer = TypeVar("Answer")


class Outage:
    """Since when the cluster has not answered, if it does not; the journal is told unless it is `quiet`.

    `longest_s`: seconds that are put up with.
    """

    def __init__(self, ctx: PhaseContext, *, longest_s: float = LONGEST_S, quiet: bool = False) -> None:
        self._ctx = ctx
        self._longest_s = longest_s
        self._quiet = quiet
        self._since: float | None = None

    def goes_on(self, error: EnvironmentFailedError, *, asked: float | None = None) -> None:
        """The cluster did not answer. Raises `error` when that lasted too long or asking again is no use.

        `asked`: the clock's seconds when the question began. A cluster that hangs lets it wait for minutes.
        """
        now = self._ctx.world.clock.monotonic()
        if self._since is None:
            self._since = now if asked is None else asked
            self._note("cluster away", {"error": str(error)})
        if isinstance(error, NotFoundError) or now - self._since >= self._longest_s:
            raise error

    def over(self) -> None:
        """The cluster answered."""
        if self._since is not None:
            away_s = self._ctx.world.clock.monotonic() - self._since
            self._since = None
            self._note("cluster back", {"away_s": round(away_s, 3)})

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer. Raises the last error when the cluster is away for too long."""
        while True:
            asked = self._ctx.world.clock.monotonic()
            try:
                answer = question()
            except EnvironmentFailedError as error:
                self.goes_on(error, asked=asked)
                self._ctx.world.clock.sleep(AGAIN_S)
            else:
                self.over()
                return answer

    def _note(self, name: str, data: dict[str, object]) -> None:
        if not self._quiet:
            self._ctx.journal.append(Kind.OBSERVATION, name, data)
