"""What came of an experiment: the gates, the facts for the record, and the sentence for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rollbook.errors import GateRefusedError
from rollbook.judge.conversion import Winner
from rollbook.phases.context import PhaseContext
from rollbook.phases.experiment import ExperimentOutcome
from rollbook.phases.experiment_planning import Variant
from rollbook.phases.experiment_users import came_again, with_two_variants
from rollbook.phases.validate import Gate, written

ANY = "any"


def gates(ctx: PhaseContext, outcome: ExperimentOutcome, *, require: str) -> tuple[Gate, ...]:
    """Each gate, written down: users were served, each kept one variant, the verdict is `require`."""
    log = (ctx.folder.traffic_log(ctx.phase).relative_to(ctx.folder.path).as_posix(),)
    sides = (outcome.a, outcome.b)
    sent, failed = sum(one.requests for one in sides), sum(one.failed for one in sides)
    allowed = 1 - ctx.service.slo.availability
    moved, elsewhere = with_two_variants(outcome.records), sum(one.elsewhere for one in sides)
    verdict = outcome.comparison.verdict.value
    ended = "by Argo, too early" if outcome.stopped_by_argo else "as it should"
    return tuple(
        written(ctx, one)
        for one in (
            Gate(
                "experiment ended",
                not outcome.stopped_by_argo and outcome.phase == "Successful",
                "Successful",
                outcome.phase,
                f"the Experiment ended {ended}: {outcome.phase}"
                + (f", {outcome.message}" if outcome.message else ""),
            ),
            Gate(
                "experiment users",
                sent > 0 and failed / sent <= allowed,
                f"at most {allowed * 100:.3g} % failed",
                f"{failed:,} of {sent:,}",
                f"{failed:,} of {sent:,} requests of the experiment's users failed",
                log,
            ),
            Gate(
                "experiment assignment",
                not moved and not elsewhere and outcome.split_holds,
                "each user on one variant, half of them on each",
                f"{moved} users on two, {elsewhere} answers of other pods",
                f"{came_again(outcome.records):,} requests were of users who came again: {moved} got another "
                f"variant, {elsewhere} were answered by pods of another. {outcome.split}",
                log,
            ),
            Gate(
                "experiment verdict",
                None if require == ANY else verdict == require,
                require,
                verdict,
                outcome.comparison.sentence,
                log,
            ),
        )
    )


def require_passed(found: tuple[Gate, ...]) -> None:
    """GateRefusedError names each gate that did not pass."""
    refused = [gate for gate in found if gate.passed is False]
    if refused:
        raise GateRefusedError(
            f"the experiment is refused by {', '.join(gate.name for gate in refused)}",
            why="; ".join(gate.sentence for gate in refused),
            next_step="Look at the experiment's section of the report.",
        )


def facts(outcome: ExperimentOutcome) -> dict[str, Any]:
    """The experiment's facts for `run.json`."""
    planned, comparison = outcome.planned, outcome.comparison
    return {
        "experiment": {
            "name": planned.name,
            "verdict": comparison.verdict.value,
            "a": {**_variant(planned.a), **asdict(outcome.a)},
            "b": {**_variant(planned.b), **asdict(outcome.b)},
            "alpha": planned.rules.alpha,
            "effect": planned.rules.effect,
            "seconds": outcome.seconds,
            "argo": outcome.phase,
            "simulated": planned.a.simulated_rate is not None,
        }
    }


def sentence(outcome: ExperimentOutcome) -> str:
    """What came of it, in one sentence or two."""
    planned = outcome.planned
    what = (
        f"A/A test of {planned.a.version}"
        if planned.same
        else f"A/B test of a = {planned.a.version} and b = {planned.b.version}"
    )
    who = "simulated users" if planned.a.simulated_rate is not None else "users"
    users = outcome.a.users + outcome.b.users
    return f"{what}, {users:,} {who} in {outcome.seconds:.0f} s: {outcome.comparison.sentence}"


def next_command(outcome: ExperimentOutcome) -> str:
    """The command that releases the winner as a canary; empty where b did not win, or is what runs
    already."""
    planned = outcome.planned
    if outcome.comparison.verdict is not Winner.B or planned.same:
        return ""
    image = planned.b.image.digest
    return f"rollbook run --phase canary --set version={planned.b.version} --set digest={image}"


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "version": variant.version,
        "digest": variant.image.digest,
        "simulated_rate": variant.simulated_rate,
    }
