"""The gates of validate, each shown passing and refusing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.phases.fakes import AT_REST, DIGEST, STABLE_HASH, START, Stage, answer, at, stage

from rollbook.clock import SystemClock
from rollbook.domain.rollout import PodStatus
from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.errors import GateRefusedError
from rollbook.evidence.journal import Kind
from rollbook.evidence.record import RunRecord
from rollbook.evidence.requests import LogWriter
from rollbook.phases import split, validate
from rollbook.phases.versions import TEMPLATE_HASH, next_minor
from rollbook.ports import RuleGroup, ScrapeTarget


def pod(name: str, digest: str = DIGEST, *, ready: bool = True) -> PodStatus:
    return PodStatus(
        name, STABLE_HASH, "Running", ready, "127.9.1.1", "n", "i", f"registry/orders@{digest}", 0, False
    )


def at_rest(tmp_path: Path, *pods: PodStatus) -> Stage:
    on = stage(tmp_path)
    on.cluster.pods_by_selector[f"{TEMPLATE_HASH}={STABLE_HASH}"] = pods or (pod("a"), pod("b"))
    return on


def test_pods_of_the_released_digest_pass(tmp_path: Path) -> None:
    """Every pod runs the digest that the Rollout names, and the registry has it."""
    assert validate.running_digest(at_rest(tmp_path).ctx).passed is True


@pytest.mark.parametrize("pods", [(pod("a"), pod("b", "sha256:" + "2" * 64)), (pod("a", ""),)])
def test_a_pod_of_another_digest_is_refused(tmp_path: Path, pods: tuple[PodStatus, ...]) -> None:
    """One pod that runs something else is enough."""
    assert validate.running_digest(at_rest(tmp_path, *pods).ctx).passed is False


def test_an_image_that_the_registry_lacks_is_refused(tmp_path: Path) -> None:
    """What runs must be in the registry under the same digest."""
    on = at_rest(tmp_path)
    on.cluster.status = replace(AT_REST, image="registry/orders@sha256:" + "2" * 64)

    assert validate.running_digest(on.ctx).passed is False


def test_a_healthy_rollout_passes(tmp_path: Path) -> None:
    """Healthy, with as many ready pods as wanted."""
    assert validate.rollout_healthy(at_rest(tmp_path).ctx).passed is True


def test_a_rollout_under_way_is_refused(tmp_path: Path) -> None:
    """A canary that still goes on is not what was released."""
    on = at_rest(tmp_path)
    on.cluster.status = at(20, 1)

    assert validate.rollout_healthy(on.ctx).passed is False


def test_too_few_ready_pods_are_refused(tmp_path: Path) -> None:
    """Healthy counts for nothing when a pod is missing."""
    assert validate.rollout_healthy(at_rest(tmp_path, pod("a"), pod("b", ready=False)).ctx).passed is False


def test_the_edge_must_serve_stable_alone(tmp_path: Path) -> None:
    """One answer of another version, or one failed request, is refused."""
    on = at_rest(tmp_path)
    assert validate.edge_serves_stable(on.ctx, 3).passed is True

    on.traffic.answers = [answer(0), answer(0, "1.1.0"), answer(0)]
    assert validate.edge_serves_stable(on.ctx, 3).passed is False


def test_monitoring_must_be_whole(tmp_path: Path) -> None:
    """Rules without errors, targets up, Alertmanager there; each is refused when it is not so."""
    on = at_rest(tmp_path)
    assert validate.rules_loaded(on.ctx).passed is True
    assert validate.targets_up(on.ctx).passed is True
    assert validate.alertmanager_ready(on.ctx).passed is True

    on.metrics.groups = (RuleGroup("service", "r.yaml", ("Down",), ("x:y",), ("x:y: bad",)),)
    on.metrics.scraped = (ScrapeTarget("pods", "127.1.1.1:80", "down", "refused"),)
    on.metrics.alertmanager_healthy = False
    assert validate.rules_loaded(on.ctx).passed is False
    assert validate.targets_up(on.ctx).passed is False
    assert validate.alertmanager_ready(on.ctx).passed is False

    on.metrics.groups = ()
    on.metrics.scraped = ()
    assert validate.rules_loaded(on.ctx).passed is False
    assert validate.targets_up(on.ctx).passed is False


@pytest.mark.parametrize(("looks", "passed"), [(3, True), (1000, False)])
def test_a_target_that_was_found_just_now_is_waited_for(tmp_path: Path, looks: int, passed: bool) -> None:
    """A target without its first scrape is neither up nor down, for as long as a scrape may take."""
    on = at_rest(tmp_path)
    on.metrics.unscraped_looks = looks

    assert passed == validate.targets_up(on.ctx).passed


def test_a_refused_gate_is_raised_with_its_reason(tmp_path: Path) -> None:
    """`require` lets by what passed or had nothing to check, and raises for the rest."""
    on = at_rest(tmp_path)
    good = validate.rollout_healthy(on.ctx)
    empty = replace(good, passed=None)

    assert validate.require((good, empty)) == (good, empty)
    with pytest.raises(GateRefusedError, match="1 of 2 gates refused"):
        validate.require((good, replace(good, passed=False)))


def recorded_canary(on: Stage, requests: list[RequestRecord]) -> None:
    """A canary in the record that was at 20 % from second 10 to second 40."""
    record = RunRecord(on.ctx.folder)
    record.begin(START, {})
    record.phase_started(START, "canary", "canary", {}, "promoted")
    on.clock.passed = 10.0
    on.ctx.journal.append(Kind.DECISION, "weight", {"weight": 20, "previous": 0})
    on.clock.passed = 40.0
    record.phase_facts(
        "canary", canary={"version": "1.1.0", "hash": "bbbb"}, decided=on.clock.now().isoformat()
    )
    with on.ctx.folder.traffic_log("canary").open("w") as file:
        writer = LogWriter(file)
        for request in requests:
            writer.write(request)


@pytest.mark.parametrize(("every", "passed"), [(5, True), (2, False), (1000, False)])
def test_the_split_that_users_saw_must_fit_the_weight(tmp_path: Path, every: int, passed: bool) -> None:
    """A fifth of the answers fits 20 %; a half, or next to none, does not."""
    on = stage(tmp_path)
    requests = [answer(10 + n / 20, "1.1.0" if n % every == 0 else "1.0.0") for n in range(600)]
    recorded_canary(on, requests)

    gates = split.gates(on.ctx)

    assert [gate.passed for gate in gates] == [passed]


def test_a_run_without_a_canary_has_no_split(tmp_path: Path) -> None:
    """Nothing to compare is said, and is no pass."""
    on = stage(tmp_path)
    RunRecord(on.ctx.folder).begin(SystemClock().now(), {})

    assert [gate.passed for gate in split.gates(on.ctx)] == [None]


def test_failed_requests_do_not_count_into_the_split(tmp_path: Path) -> None:
    """A request that no version answered says nothing about the split."""
    on = stage(tmp_path)
    lost = [answer(10 + n / 20, "", Cause.TIMEOUT) for n in range(600)]
    recorded_canary(on, lost)

    assert [gate.passed for gate in split.gates(on.ctx)] == [None]


@pytest.mark.parametrize(
    ("version", "following"),
    [("1.4.2", "1.5.0"), ("1.0.0", "1.1.0"), ("2.3", "2.3.1"), ("", "0.1"), ("blue", "blue.1")],
)
def test_the_next_minor_version(version: str, following: str) -> None:
    """Three numbers count up in the middle; anything else gets `.1`."""
    assert next_minor(version) == following
