"""What every phase is given: the service, the world of its target, and the record of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollbook.domain.rollout import RolloutStatus
from rollbook.domain.service import Service
from rollbook.domain.traffic import TrafficPlan
from rollbook.errors import NotFoundError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Journal, Kind
from rollbook.ports import World

if TYPE_CHECKING:
    from rollbook.phases.infrastructure import Infrastructure


def _silent(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class PhaseContext:
    """One phase of one run. `phase` is its name in the record (`canary`, `drill`, ...)."""

    service: Service
    world: World
    folder: RunFolder
    journal: Journal
    phase: str
    say: Callable[[str], None] = _silent
    infrastructure: Infrastructure | None = None
    """What makes the target; None where rollbook does not, and in phases that leave it as it is."""

    def rollout_status(self) -> RolloutStatus:
        """The Rollout now. NotFoundError when nothing is deployed."""
        status = self.world.cluster.rollout(self.service.namespace, self.service.rollout)
        if status is None:
            raise NotFoundError(
                f"there is no Rollout {self.service.namespace}/{self.service.rollout}",
                why="nothing has been deployed to this cluster yet",
                next_step="Run the deploy runbook first: rollbook run --phase provision --phase deploy.",
            )
        return status

    def wait(self, seconds: float, why: str) -> None:
        """Wait on purpose, and write down that it was asked for."""
        if seconds > 0:
            self.journal.append(Kind.WAIT, why, {"declared_s": round(seconds, 3)})
            self.world.clock.sleep(seconds)

    def traffic_plan(self, *, rps: float, duration_s: float) -> TrafficPlan:
        """Users of this service, as its service file describes them."""
        shape = self.service.traffic
        return TrafficPlan(
            url=self.world.edge_url,
            host=shape.host,
            paths=shape.paths,
            rps=rps,
            duration_s=duration_s,
            timeout_s=shape.timeout_s,
            version_header=shape.version_header,
            pod_header=shape.pod_header,
        )
