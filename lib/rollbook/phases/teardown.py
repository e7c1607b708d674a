"""Teardown: everything that was made for the service goes away again."""

from __future__ import annotations

from dataclasses import dataclass

from rollbook.errors import EnvironmentFailedError
from rollbook.phases.context import PhaseContext
from rollbook.phases.exclusive import exclusive


@dataclass(frozen=True)
class Removed:
    """What was deleted, and what was not there to begin with."""

    deleted: tuple[str, ...]
    absent: tuple[str, ...]


def remove_service(ctx: PhaseContext, *, wait_s: float = 90.0) -> Removed:
    """Delete the service's namespace with everything in it, and wait until it is gone."""
    namespace = ctx.service.namespace
    with exclusive(ctx), ctx.journal.step("delete namespace", namespace=namespace) as step:
        was_there = ctx.world.cluster.delete("Namespace", "", namespace, wait_s=wait_s)
        step["was_there"] = was_there
    return _removed([(f"namespace {namespace}", was_there)])


def remove_registry(ctx: PhaseContext) -> Removed:
    """Delete the image repository with its images, and the secret."""
    with ctx.journal.step("delete repository and secret") as step:
        repository = ctx.service.image.repository
        rows = [(f"repository {repository}", ctx.world.cloud.delete_repository(repository))]
        if ctx.service.secret:
            rows.append((f"secret {ctx.service.secret}", ctx.world.cloud.delete_secret(ctx.service.secret)))
        step["deleted"] = [name for name, deleted in rows if deleted]
    return _removed(rows)


def verify_gone(ctx: PhaseContext) -> None:
    """Look again that nothing of the service is left. EnvironmentFailedError names what is."""
    with ctx.journal.step("verify that nothing is left"):
        if ctx.world.cluster.get("Namespace", "", ctx.service.namespace) is not None:
            raise EnvironmentFailedError(
                f"the namespace {ctx.service.namespace} is still there",
                why="something in it has a finalizer that nobody answers",
                next_step=f"rollbook sandbox kubectl get all -n {ctx.service.namespace}",
            )


def nothing() -> Removed:
    """The outcome of a step that was not asked for."""
    return Removed(deleted=(), absent=())


def sentence(*removals: Removed) -> str:
    """What was deleted, in one sentence."""
    deleted = [name for removed in removals for name in removed.deleted]
    absent = [name for removed in removals for name in removed.absent]
    words = f"deleted {', '.join(deleted)}" if deleted else "nothing was there to delete"
    return words + (f"; not there: {', '.join(absent)}" if absent and deleted else "")


def _removed(rows: list[tuple[str, bool]]) -> Removed:
    return Removed(
        deleted=tuple(name for name, deleted in rows if deleted),
        absent=tuple(name for name, deleted in rows if not deleted),
    )
