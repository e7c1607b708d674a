"""`rollbook abort`: whatever is rolling out is aborted, and all traffic is on stable."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rollbook import targets
from rollbook.bundle.seal import seal_bundle, unseal
from rollbook.bundle.signing import signer_of
from rollbook.clock import SystemClock
from rollbook.domain.service import Service
from rollbook.domain.target import TargetSpec
from rollbook.errors import EnvironmentFailedError, TargetHeldError
from rollbook.evidence.folder import RunFolder
from rollbook.evidence.journal import Journal
from rollbook.evidence.recorder import Recorder
from rollbook.phases.context import PhaseContext
from rollbook.phases.exclusive import held_by_another
from rollbook.phases.experiment_end import end_experiment
from rollbook.phases.wayback import back_to_stable


def abort(spec: TargetSpec, service: Service, *, run: Path | None, force: bool) -> str:
    """Abort the service's rollout on the target; what was done, in words.

    `run` is the folder of the run that was cut off, whose journal is told; without it nothing is recorded.
    TargetHeldError when a run that still lives holds the target, unless `force`. EnvironmentFailedError when
    the cluster cannot be reached or does not follow.
    """
    with ExitStack() as stack:
        folder = RunFolder.open(run) if run else _nowhere(stack)
        was_sealed = unseal(folder)
        recorder = Recorder(folder, SystemClock(), "abort")
        world = targets.connect(spec, service, recorder)
        journal = folder.journal("abort", world.clock, recorder)
        if was_sealed:
            stack.callback(_seal_again, folder, journal)
        context = PhaseContext(service, world, folder, journal, "abort")
        holder = held_by_another(context)
        if holder and not force:
            raise TargetHeldError(
                f"{service.namespace}/{service.rollout} is being released by {holder}",
                why="that run still lives, and brings traffic back itself when it is interrupted",
                next_step="Interrupt it with Ctrl-C, or abort all the same with --force.",
            )
        ended = end_experiment(context, "rollbook abort", even_if_held=force)
        did = back_to_stable(context, "rollbook abort", even_if_held=force)
        status = world.cluster.rollout(service.namespace, service.rollout)
        if status is not None and status.weight:
            raise EnvironmentFailedError(
                f"{status.weight} % of the traffic is still on the canary",
                why=status.message or "Argo Rollouts did not follow in time",
                next_step="Look at the controller: rollbook sandbox logs argo-rollouts.",
            )
    where = f"{service.namespace}/{service.rollout}"
    if did:
        return f"{where}: aborted, all traffic is on stable"
    if ended:
        return f"{where}: its experiment is ended, all traffic is on stable"
    return f"{where}: nothing was rolling out"


def _seal_again(folder: RunFolder, journal: Journal) -> None:
    """A run that had ended is sealed once more, with the abort in its journal."""
    journal.seal()
    seal_bundle(folder, signer_of(os.environ))


def _nowhere(stack: ExitStack) -> RunFolder:
    """A folder that is gone afterwards: an abort without a run leaves no record."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rollbook-abort-"))
    return RunFolder.create(Path(folder), f"abort-{SystemClock().now():%Y%m%d-%H%M%S}")
