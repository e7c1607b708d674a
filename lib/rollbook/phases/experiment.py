"""Experiment: two versions side by side, each user on one of them, until it is known which converts more.

planned = experiment.plan(ctx, version="", rates=(0.2, 0.26), ...) with experiment.users_on_variants(ctx,
planned, rps=80) as running: outcome = running.watch(show)

The context manager is the way back: whatever ends the block early, the variants' routes are taken away, so
that all users are on stable, and the Experiment is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from rollbook.domain.audience import VARIANTS, A, Audience, B
from rollbook.domain.judging import EXPERIMENT_JUDGED, EXPERIMENT_LOOK, SOURCE
from rollbook.domain.traffic import RequestRecord
from rollbook.evidence.journal import Kind
from rollbook.judge.conversion import Comparison, ConversionJudge, Winner
from rollbook.judge.split import SplitJudge
from rollbook.phases.context import PhaseContext
from rollbook.phases.edge import Way
from rollbook.phases.exclusive import exclusive
from rollbook.phases.experiment_end import end_experiment, take_routes_away
from rollbook.phases.experiment_objects import experiment_manifest, experiment_name, route_manifests
from rollbook.phases.experiment_planning import PlannedExperiment
from rollbook.phases.experiment_start import (
    COMPLETED,
    found_now,
    longest_s,
    port_of,
    start,
    until_answered,
)
from rollbook.phases.experiment_users import VariantUsers, count
from rollbook.phases.interrupts import remembered
from rollbook.phases.outage import Outage
from rollbook.ports import Manifest, TrafficRun

LOOK_S = 1.0
STOP_S = 60.0
"""Seconds that Argo, and the pods, may take to end."""
SPLIT_ALPHA = 0.001

Show = Callable[[datetime, Comparison], None]


@dataclass(frozen=True)
class ExperimentOutcome:
    """How an experiment ended, with all that gate and report need of it."""

    planned: PlannedExperiment
    comparison: Comparison
    a: VariantUsers
    b: VariantUsers
    split: str
    """Whether users were dealt out to both variants as they should be, in a sentence."""
    split_holds: bool
    phase: str
    """What Argo called the Experiment at its end."""
    message: str
    stopped_by_argo: bool
    """Whether Argo ended it before its time: the analysis of a variant failed, or its pods did."""
    records: tuple[RequestRecord, ...]
    started_at: datetime
    ended_at: datetime
    seconds: float
    """Of users' traffic."""


class Running:
    """An experiment under way, with users on it."""

    def __init__(
        self,
        ctx: PhaseContext,
        planned: PlannedExperiment,
        way: Way,
        pods: Mapping[str, str],
        traffic: TrafficRun,
        interrupted: Callable[[], None],
    ) -> None:
        self._ctx = ctx
        self._planned = planned
        self._way = way
        self._pods = dict(pods)
        self._traffic = traffic
        self._interrupted = interrupted
        self._judge = ConversionJudge(planned.rules)
        self._split = SplitJudge("assignment", alpha=SPLIT_ALPHA)
        self._seen = (0, 0), (0, 0)
        self.ended = False

    def watch(self, show: Show | None = None) -> ExperimentOutcome:
        """Look each second until a verdict falls or the time is over; then users and routes go, and the rest.

        Where Argo ends the Experiment before, its users are brought back at once, and that is the outcome.
        """
        ctx, planned = self._ctx, self._planned
        clock = ctx.world.clock
        started, began = clock.now(), clock.monotonic()
        by_argo = False
        with ctx.journal.step("compare the variants", longest_s=planned.duration_s) as step:
            while True:
                clock.sleep(LOOK_S)
                self._interrupted()
                comparison = self._look(clock.monotonic() - began, self._traffic.records())
                if show is not None:
                    show(clock.now(), comparison)
                by_argo = _status(ctx).get("phase") in COMPLETED
                decided = planned.stop_early and comparison.verdict is not Winner.UNDECIDED
                if by_argo or decided or clock.monotonic() - began >= planned.duration_s:
                    break
            seconds = round(clock.monotonic() - began, 3)
            step |= {"verdict": comparison.verdict.value, "seconds_of_traffic": seconds}
        with ctx.journal.step("give users back") as step:
            records = tuple(self._traffic.stop())
            comparison = self._look(seconds, records)
            step["routes"] = take_routes_away(ctx)
            for variant in VARIANTS:
                until_answered(ctx, planned, variant, self._pods[variant], by_variant=False)
        a, b = count(records, self._pods)
        ctx.journal.append(
            Kind.DECISION, EXPERIMENT_JUDGED, _data(seconds, comparison, planned), source=SOURCE
        )
        manifest = self._terminate()
        status = manifest.get("status") or {}
        _archive(ctx, manifest)
        ctx.world.cluster.delete("Experiment", ctx.service.namespace, planned.name, wait_s=STOP_S)
        self.ended = True
        split = self._split.look(seconds, 0, 0, 0.5)
        ctx.say(comparison.sentence)
        return ExperimentOutcome(
            planned=planned,
            comparison=comparison,
            a=a,
            b=b,
            split=split.sentence.replace("the canary", "b").replace("requests", "users"),
            split_holds=split.verdict.value != "harmful",
            phase=str(status.get("phase", "")),
            message=str(status.get("message", "")),
            stopped_by_argo=by_argo,
            records=records,
            started_at=started,
            ended_at=clock.now(),
            seconds=seconds,
        )

    def _look(self, at_s: float, records: tuple[RequestRecord, ...] | Any) -> Comparison:
        """Give the judge the users who came since the last look, and write down what it says."""
        a, b = count(records, self._pods)
        now = (a.users, a.conversions), (b.users, b.conversions)
        (users_a, conversions_a), (users_b, conversions_b) = (
            (one[0] - before[0], one[1] - before[1]) for one, before in zip(now, self._seen, strict=True)
        )
        self._seen = now
        comparison = self._judge.look(at_s, (users_a, conversions_a), (users_b, conversions_b))
        self._split.look(at_s, users_a, users_b, 0.5)
        data = _data(at_s, comparison, self._planned)
        self._ctx.journal.append(Kind.OBSERVATION, EXPERIMENT_LOOK, data, source=SOURCE)
        return comparison

    def _terminate(self) -> Manifest:
        """Have Argo end the Experiment and its AnalysisRuns, and wait for it: the object as it is then."""
        ctx, planned = self._ctx, self._planned
        clock = ctx.world.clock
        with ctx.journal.step("end the Experiment") as step:
            ended = experiment_manifest(
                ctx.service,
                planned.overlays,
                replicas=planned.replicas,
                longest_s=longest_s(planned),
                terminate=True,
            )
            Outage(ctx).ask(lambda: ctx.world.cluster.apply([ended]))
            deadline = clock.monotonic() + STOP_S
            while True:
                found = Outage(ctx).ask(lambda: found_now(ctx))
                phase = str((found.get("status") or {}).get("phase", ""))
                if (phase in COMPLETED and _analysed(ctx, found)) or clock.monotonic() >= deadline:
                    step["phase"] = phase
                    return found
                clock.sleep(0.5)


@contextmanager
def users_on_variants(ctx: PhaseContext, planned: PlannedExperiment, *, rps: float) -> Iterator[Running]:
    """Start the Experiment, send each user to a variant, and see to it that an early end brings all back.

    TargetHeldError when another run changes the same target; EnvironmentFailedError when the variants do not
    become ready, or the edge does not send users to them.
    """
    shape = ctx.service.experiment
    assert shape is not None  # noqa: S101  # plan() refuses a service without
    audience = Audience(planned.audience, shape.user_header, shape.variant_header, shape.outcome_header)
    with exclusive(ctx), remembered() as interrupted:
        end_experiment(ctx, "left from before")
        running: Running | None = None
        try:
            experiment, pods = start(ctx, planned)
            way = planned.way
            ports = {name: port_of(ctx, experiment, name) for name in VARIANTS}
            with ctx.journal.step("route users to the variants", header=shape.variant_header):
                routes = route_manifests(ctx.service, way, experiment, shape.variant_header, ports)
                Outage(ctx).ask(lambda: ctx.world.cluster.apply(routes))
                for variant in VARIANTS:
                    until_answered(ctx, planned, variant, pods[variant], by_variant=True)
            plan = ctx.traffic_plan(rps=rps, duration_s=planned.duration_s + 60.0)
            plan = replace(plan, audience=audience)
            with ctx.world.traffic.start(plan, ctx.folder.traffic_log(ctx.phase)) as traffic:
                running = Running(ctx, planned, way, pods, traffic, interrupted)
                yield running
        except BaseException as error:
            if running is None or not running.ended:
                end_experiment(ctx, type(error).__name__)
            raise


def _status(ctx: PhaseContext) -> Mapping[str, Any]:
    status: Mapping[str, Any] = Outage(ctx).ask(lambda: found_now(ctx)).get("status") or {}
    return status


def _analysed(ctx: PhaseContext, experiment: Manifest) -> bool:
    """Whether its AnalysisRuns have ended, too: Argo ends them a moment later, and does not note it there."""
    return all(_ended(ctx, name) for name in _run_names(experiment))


def _ended(ctx: PhaseContext, run: str) -> bool:
    """Whether an AnalysisRun has ended, or is gone."""
    cluster, namespace = ctx.world.cluster, ctx.service.namespace
    found = Outage(ctx).ask(lambda: cluster.get("AnalysisRun", namespace, run))
    return found is None or (found.get("status") or {}).get("phase") in COMPLETED


def _run_names(experiment: Manifest) -> list[str]:
    """Names of the Experiment's AnalysisRuns."""
    runs = (experiment.get("status") or {}).get("analysisRuns") or ()
    return [str(one["analysisRun"]) for one in runs if one.get("analysisRun")]


def _archive(ctx: PhaseContext, experiment: Manifest) -> None:
    """Keep the Experiment, its AnalysisRuns and its ReplicaSets as they are at the end."""
    namespace, cluster = ctx.service.namespace, ctx.world.cluster
    names = [("Experiment", experiment_name(ctx.service))]
    names += [("AnalysisRun", name) for name in _run_names(experiment)]
    names += [("ReplicaSet", f"{experiment_name(ctx.service)}-{variant}") for variant in VARIANTS]
    for kind, name in names:
        manifest = cluster.get(kind, namespace, name)
        if manifest is not None:
            ctx.folder.write_object(ctx.phase, kind, name, manifest)


def _data(at_s: float, comparison: Comparison, planned: PlannedExperiment) -> dict[str, Any]:
    """A look as the journal keeps it."""
    rules = planned.rules
    told = {key: one for key, one in asdict(comparison).items() if key not in (A, B, "verdict")}
    arms = {name: {**asdict(one), "rate": one.rate} for name, one in ((A, comparison.a), (B, comparison.b))}
    return {
        "at_s": round(at_s, 3),
        "verdict": comparison.verdict.value,
        **arms,
        **told,
        "alpha": rules.alpha,
        "effect": rules.effect,
    }
