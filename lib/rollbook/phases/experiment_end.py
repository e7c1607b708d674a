"""The way back from an experiment: its routes go first, so that users are on stable, and then the rest."""

from __future__ import annotations

from contextlib import suppress

from rollbook.errors import NotFoundError, RollbookError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.exclusive import held_by_another
from rollbook.phases.experiment_objects import experiment_name
from rollbook.phases.outage import Outage

ROUTES_AT_MOST = 8
DELETE_S = 60.0


def take_routes_away(ctx: PhaseContext) -> int:
    """Delete the variants' routes: the edge sends everybody to the users' own way. How many there were."""
    name = experiment_name(ctx.service)
    taken = 0
    for number in range(ROUTES_AT_MOST):
        route = f"{name}-{number}" if number else name
        if not _delete(ctx, "IngressRoute", route):
            break
        taken += 1
    return taken


def end_experiment(ctx: PhaseContext, why: str, *, even_if_held: bool = False) -> bool:
    """Take away whatever is there of an experiment; True when something was.

    What another run has under way is left alone, unless `even_if_held`. Never raises an error of the
    environment: it is called while another error is on its way. What it could not do is in the journal.
    """
    name = experiment_name(ctx.service)
    try:
        if not even_if_held and Outage(ctx, quiet=True).ask(lambda: held_by_another(ctx)):
            return False
        routes = take_routes_away(ctx)
        there = _delete(ctx, "Experiment", name)
        if routes or there:
            _note(ctx, {"state": "done", "seconds": 0, "why": why, "routes": routes})
            ctx.say(f"the experiment {name} is taken away, its users are on stable")
    except NotFoundError:
        return False  # a cluster that does not know the kinds has no experiment
    except RollbookError as error:
        _note(ctx, {"state": "failed", "error": str(error)})
        ctx.say(f"could not take the experiment {name} away: {error}")
        return True
    return bool(routes or there)


def _delete(ctx: PhaseContext, kind: str, name: str) -> bool:
    """Delete one object if it is there; asked for first, for a cluster may not know the kind."""
    namespace, cluster = ctx.service.namespace, ctx.world.cluster
    if Outage(ctx, quiet=True).ask(lambda: cluster.get(kind, namespace, name)) is None:
        return False
    return Outage(ctx, quiet=True).ask(lambda: cluster.delete(kind, namespace, name, wait_s=DELETE_S))


def _note(ctx: PhaseContext, data: dict[str, object]) -> None:
    """Write into the journal, unless it cannot be written."""
    with suppress(RollbookError):
        ctx.journal.append(Kind.STEP, "end the experiment", data)
