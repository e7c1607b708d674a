"""The Rollout's progress deadline, watched by rollbook too.

Argo Rollouts 1.10 does not look at `progressDeadlineSeconds` as long as any older ReplicaSet of the Rollout
has a `scale-down-deadline` annotation, and one keeps it when its canary was aborted and its template taken
out again. The next version whose pods never become ready would then be waited for without an end
(`isWaitingForReplicaSetScaleDown` in its rollout/sync.go).
"""

from __future__ import annotations

from rollbook.domain.rollout import RolloutStatus

GRACE_S = 10.0
"""Seconds that Argo has to do it itself."""


class ProgressDeadline:
    """Tells when a rollout under way has made no progress for its deadline and `GRACE_S` seconds."""

    def __init__(self) -> None:
        self._seen: tuple[str, int | None] | None = None
        self._ready = 0
        self._since_s = 0.0

    def over(self, status: RolloutStatus, now_s: float) -> bool:
        """Whether it is over at `now_s`, seconds of a clock that never goes back.

        Progress is another step, another version, or more pods that are ready; a pause waits on purpose.
        """
        seen = (status.current_hash, status.step_index)
        waits = status.paused or status.aborted or status.settled
        if waits or seen != self._seen or status.ready_replicas > self._ready:
            self._seen, self._ready, self._since_s = seen, status.ready_replicas, now_s
            return False
        limit_s = status.progress_deadline_s
        return limit_s is not None and now_s - self._since_s > limit_s + GRACE_S

    @property
    def sentence(self) -> str:
        """What the journal says of it."""
        return "it made no progress within its progress deadline, and Argo did not give it up"
