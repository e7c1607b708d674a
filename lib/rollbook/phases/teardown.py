"""Teardown: everything that was made for the service goes away again."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.phases import ending
from rollbook.phases.context import PhaseContext
from rollbook.phases.exclusive import exclusive


@dataclass(frozen=True)
class Removed:
    """What was deleted, and what was not there to begin with."""

    deleted: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """What ending the target took away, in order, and what was left alone, with why."""

    sentence: str
    addons: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()


def remove_service(ctx: PhaseContext, *, wait_s: float = 90.0) -> Removed:
    """Delete the service's namespace with everything in it, and wait until it is gone.

    Where the cluster itself is gone already, so is the namespace.
    """
    namespace = ctx.service.namespace
    if _cluster_is_gone(ctx):
        return _removed([(f"namespace {namespace}", False)])
    with exclusive(ctx), ctx.journal.step("delete namespace", namespace=namespace) as step:
        was_there = ctx.world.cluster.delete("Namespace", "", namespace, wait_s=wait_s)
        step["was_there"] = was_there
    return _removed([(f"namespace {namespace}", was_there)])


def remove_registry(ctx: PhaseContext, *, wanted: bool = True, environment: bool = False) -> Removed:
    """Delete the image repository with its images, and the secret, if `wanted`.

    Where Terraform made them they are deleted only together with the `environment`: it would make them again.
    """
    if not wanted:
        return nothing()
    if ctx.infrastructure is not None and not environment:
        ctx.say("repository and secret are Terraform's: they go with the environment")
        return nothing()
    with ctx.journal.step("delete repository and secret") as step:
        repository = ctx.service.image.repository
        rows = [(f"repository {repository}", ctx.world.cloud.delete_repository(repository))]
        if ctx.service.secret:
            rows.append((f"secret {ctx.service.secret}", ctx.world.cloud.delete_secret(ctx.service.secret)))
        step["deleted"] = [name for name, deleted in rows if deleted]
    return _removed(rows)


def end_target(ctx: PhaseContext, *, wanted: bool) -> Ended:
    """Take away what the target stands on, if `wanted`; may be called again when it failed.

    GateRefusedError when the sweep at the end finds something.
    """
    if not wanted:
        return Ended("the target stays as it is")
    if ctx.infrastructure is None:
        return Ended("nothing of this target was made by Terraform")
    addons = ending.remove_addons(ctx)
    leftovers, gone, swept = ending.destroy(ctx)
    return Ended(
        f"{len(gone.deleted)} resources were destroyed; a sweep of {len(swept.asked)} kinds found nothing",
        addons=addons,
        leftovers=leftovers.removed,
        kept=leftovers.kept,
        destroyed=gone.deleted,
    )


def verify_gone(ctx: PhaseContext) -> None:
    """Look again that nothing of the service is left. EnvironmentFailedError names what is."""
    with ctx.journal.step("verify that nothing is left"):
        if (
            not _cluster_is_gone(ctx)
            and ctx.world.cluster.get("Namespace", "", ctx.service.namespace) is not None
        ):
            raise EnvironmentFailedError(
                f"the namespace {ctx.service.namespace} is still there",
                why="something in it has a finalizer that nobody answers",
                next_step=f"Look at it with `kubectl get all -n {ctx.service.namespace}`.",
            )


def nothing() -> Removed:
    """The outcome of a step that was not asked for."""
    return Removed(deleted=(), absent=())


def sentence(service: Removed, registry: Removed, ended: Ended | None = None) -> str:
    """What was deleted, in one sentence."""
    removals = (service, registry)
    deleted = [name for removed in removals for name in removed.deleted]
    absent = [name for removed in removals for name in removed.absent]
    words = f"deleted {', '.join(deleted)}" if deleted else "nothing was there to delete"
    words += f"; not there: {', '.join(absent)}" if absent and deleted else ""
    return f"{words}; {ended.sentence}" if ended is not None and ended.destroyed else words


def _cluster_is_gone(ctx: PhaseContext) -> bool:
    """Whether an earlier teardown has destroyed the cluster already."""
    if ctx.infrastructure is None:
        return False
    try:
        ctx.world.cluster.get("Namespace", "", "default")
    except NotFoundError:
        return True
    return False


def _removed(rows: list[tuple[str, bool]]) -> Removed:
    return Removed(
        deleted=tuple(name for name, deleted in rows if deleted),
        absent=tuple(name for name, deleted in rows if not deleted),
    )
