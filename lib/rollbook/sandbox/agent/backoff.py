from __future__ import annotations

from dataclasses import dataclass

FIRST_S = 10.0
LIMIT_S = 300.0
FORGET_S = 600.0


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the next attempt: at once, then 10 s, doubling to 5 min, as the kubelet does.

    `delay_s` is the wait that follows the next failure; a run of 10 min makes up for all earlier ones.
    """

    delay_s: float = 0.0

    def after_failure(self, *, ran_s: float = 0.0) -> tuple[float, Backoff]:
        """Seconds to wait after an attempt that lasted `ran_s` seconds, and the back-off to go on with."""
        delay = 0.0 if ran_s >= FORGET_S else self.delay_s
        return delay, Backoff(min(LIMIT_S, delay * 2 if delay else FIRST_S))
