"""The end of a target that rollbook made: from what stands in the cluster outwards, each step repeatable."""

from __future__ import annotations

from dataclasses import asdict

from rollbook.costs import records as cost_records
from rollbook.costs.estimate import estimate
from rollbook.domain.infrastructure import Leftovers, Sweep
from rollbook.errors import BadInputError, GateRefusedError, NotFoundError
from rollbook.phases.context import PhaseContext
from rollbook.phases.infrastructure import Infrastructure, spent
from rollbook.phases.validate import Gate, written
from rollbook.terraform.port import Applied, Outputs, OverdueError


def remove_addons(ctx: PhaseContext) -> tuple[str, ...]:
    """Remove the cluster's add-ons, so that their controllers take their load balancers away."""
    made_by = ctx.infrastructure
    if made_by is None or made_by.addons is None:
        return ()
    with ctx.journal.step("remove add-ons") as step:
        try:
            removed = made_by.addons.remove(ctx.say)
        except NotFoundError:
            removed = ()  # an earlier teardown ended after the cluster was gone
        step |= {"removed": list(removed)}
    return removed


def destroy(ctx: PhaseContext) -> tuple[Leftovers, Applied, Sweep]:
    """Remove what controllers left, destroy everything, and look whether anything is left.

    May be called again after it failed. GateRefusedError when the sweep finds something; BadInputError for a
    target that Terraform does not make; OverdueError when Terraform took too long twice.
    """
    made_by = ctx.infrastructure
    if made_by is None:
        raise BadInputError(f"the target {ctx.world.target} has nothing that Terraform could destroy")
    there = _outputs(made_by)
    since = made_by.remains.there_since()
    resources = made_by.provisioner.resources()
    found = estimate(resources, made_by.prices, made_by.region) if resources else None
    if found is not None:
        cost_records.keep_estimate(made_by.records, found, emulated=made_by.emulated)
    leftovers, gone = _all_removed(ctx, made_by, there)
    spent(ctx, found, since)
    with ctx.journal.step("sweep the account") as step:
        swept = made_by.remains.sweep(there.tags if there is not None else {})
        step |= {"left": list(swept.left), "asked": len(swept.asked)}
    sentence = (
        f"nothing is left of {made_by.cluster}: {len(swept.asked)} kinds were looked for"
        if swept.clean
        else f"{len(swept.left)} are left: {', '.join(swept.left[:5])}"
    )
    written(ctx, Gate("nothing left", swept.clean, "nothing", sentence, sentence))
    if not swept.clean:
        raise GateRefusedError(
            "something is left in the account",
            why=sentence,
            next_step="Run teardown again; what stays has to be removed by hand.",
        )
    ctx.say(f"{len(gone.deleted)} resources were destroyed; {sentence}")
    return leftovers, gone, swept


def _all_removed(
    ctx: PhaseContext, made_by: Infrastructure, there: Outputs | None
) -> tuple[Leftovers, Applied]:
    """What controllers left, then the rest. What was stopped for taking too long is tried once more.

    A request that was never answered is made anew, and what a controller made meanwhile is removed before.
    """
    leftovers = Leftovers(removed=())
    for last in (False, True):
        if there is not None:
            with ctx.journal.step("remove what controllers left") as step:
                found = made_by.remains.remove(there.vpc_id)
                step |= asdict(found)
            leftovers = Leftovers((*leftovers.removed, *found.removed), found.kept)
        try:
            with ctx.journal.step("destroy infrastructure") as step:
                gone = made_by.provisioner.destroy()
                step |= {"deleted": len(gone.deleted), "left": [one.address for one in gone.resources]}
            break
        except OverdueError as error:
            if last:
                raise
            ctx.say(f"{error}. It is tried once more.")
    return leftovers, gone


def _outputs(made_by: Infrastructure) -> Outputs | None:
    try:
        return made_by.provisioner.outputs()
    except NotFoundError:
        return None
