"""What an experiment compares, decided before anything is changed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollbook.domain.audience import A, B
from rollbook.domain.release import Image
from rollbook.domain.service import ExperimentShape
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.journal import Kind
from rollbook.judge.conversion import ConversionRules
from rollbook.phases.context import PhaseContext
from rollbook.phases.edge import Way, find_way
from rollbook.phases.experiment_objects import experiment_name
from rollbook.phases.images import release_image
from rollbook.phases.manifests import Release, overlay_manifests
from rollbook.phases.versions import next_minor, stable_version
from rollbook.ports import Manifest


@dataclass(frozen=True)
class Variant:
    """One of the two: a version in an image, and the share of simulated users who convert on it."""

    name: str
    version: str
    image: Image
    simulated_rate: float | None
    """None where the service knows by itself who converts."""


@dataclass(frozen=True)
class PlannedExperiment:
    """What is compared, by which rules, for how long."""

    name: str
    a: Variant
    b: Variant
    rules: ConversionRules
    duration_s: float
    stop_early: bool
    replicas: int
    audience: str
    """Part of the users' ids: another one in each experiment, so that users are dealt out anew."""
    overlays: Mapping[str, Sequence[Manifest]] = field(repr=False)
    """By variant, the objects of the overlay as a release of that version would have them."""
    way: Way = field(repr=False)

    @property
    def same(self) -> bool:
        """Whether both variants are the same version: an A/A experiment."""
        return self.a.version == self.b.version


@dataclass(frozen=True)
class Wanted:
    """What a person asked for. `version` of b, empty for the next minor one; that of stable makes it an
    A/A test."""

    version: str = ""
    digest: str = ""
    """Of an image in the registry; empty: one is built."""
    rates: tuple[float, float] = (0.2, 0.26)
    rules: ConversionRules = field(default_factory=ConversionRules)
    duration_s: float = 60.0
    stop_early: bool = True
    replicas: int = 1


def plan(ctx: PhaseContext, wanted: Wanted) -> PlannedExperiment:
    """Decide what is compared: a is what is stable now, b the wanted version.

    Its image is built, or found by its digest.

    BadInputError when the service tells no outcomes, or its users do not come by a Traefik split.
    EnvironmentFailedError when the Rollout is busy, or not healthy.
    """
    shape = ctx.service.experiment
    if shape is None:
        raise BadInputError(
            f"{ctx.service.source.name} says nothing of experiments",
            why="without them nobody knows which user converted",
            next_step="Add `experiment:` with userHeader, variantHeader and outcomeHeader.",
        )
    status = ctx.rollout_status()
    if not status.settled:
        raise EnvironmentFailedError(
            f"the Rollout {status.name} is {status.phase}, not healthy",
            why=status.message or "another release may be under way",
            next_step="Wait for it, or lay the baseline again: rollbook run --phase deploy.",
        )
    running = stable_version(ctx)
    chosen = wanted.version or next_minor(running)
    repository, _, digest = status.image.rpartition("@")
    stable = Image(repository=repository, tag="", digest=digest, size_bytes=None)
    simulated = wanted.rates if shape.rate_variable else (None, None)
    a = Variant(A, running, stable, simulated[0])
    b = Variant(
        B, chosen, stable if chosen == running else release_image(ctx, chosen, wanted.digest), simulated[1]
    )
    overlays = {one.name: overlay_manifests(ctx.service, ctx.world, _release(one, shape)) for one in (a, b)}
    way = find_way(ctx.service.stable_service, overlays[A])
    if way is None:
        raise BadInputError(
            "this service's users cannot be sent to variants",
            why=f"the overlay {ctx.world.overlay} has no IngressRoute that leads to a Traefik split",
            next_step="Route users as k8s/rollouts/edge.yaml does.",
        )
    planned = PlannedExperiment(
        name=experiment_name(ctx.service),
        a=a,
        b=b,
        rules=wanted.rules,
        duration_s=wanted.duration_s,
        stop_early=wanted.stop_early,
        replicas=wanted.replicas,
        audience=f"u{secrets.token_hex(4)}",
        overlays=overlays,
        way=way,
    )
    ctx.journal.append(
        Kind.STEP,
        "plan",
        {"state": "done", "seconds": 0, "a": a.version, "b": b.version, "rates": list(simulated)},
    )
    what = "the same version twice" if planned.same else f"{b.version} beside {a.version}"
    ctx.say(f"to compare: {what}" + (", with simulated users" if shape.rate_variable else ""))
    return planned


def _release(variant: Variant, shape: ExperimentShape) -> Release:
    """The release whose pods are a variant's."""
    rate = variant.simulated_rate
    environment = {} if rate is None else {shape.rate_variable: f"{rate:g}"}
    return Release(variant.version, variant.image, fault_env=environment)
