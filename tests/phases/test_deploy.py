"""The deploy phase, on a world that follows a script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.phases.fakes import AT_REST, DIGEST, PROMOTED, START, UNDER_WAY, answer, at, image, stage

from rollbook.domain.rollout import ClusterEvent
from rollbook.domain.traffic import Cause
from rollbook.errors import BadInputError, EnvironmentFailedError, GateRefusedError
from rollbook.phases import deploy
from rollbook.phases.manifests import Release, overlay_manifests

RELEASE = Release("1.0.0", image("1.0.0"))


def test_a_first_install_is_healthy_without_steps(tmp_path: Path) -> None:
    """Argo skips the steps when nothing is stable yet; deploy only waits."""
    on = stage(tmp_path, (replace(UNDER_WAY, stable_hash=""), AT_REST))

    installed = deploy.install(on.ctx, RELEASE, timeout_s=60)

    assert installed.status == AT_REST
    assert on.cluster.calls == ["apply"]


def test_another_stable_version_is_replaced_at_once(tmp_path: Path) -> None:
    """Deploy lays a baseline: it promotes fully, once, instead of going through the steps."""
    on = stage(tmp_path, (UNDER_WAY, UNDER_WAY, PROMOTED))

    deploy.install(on.ctx, RELEASE, timeout_s=60)

    assert on.cluster.calls == ["apply", "promote_full"]


def test_a_stale_status_is_not_taken_for_health(tmp_path: Path) -> None:
    """Healthy counts only once the controller has seen the newest template."""
    stale = replace(AT_REST, generation=2, observed_generation=1)
    on = stage(tmp_path, (stale, UNDER_WAY, PROMOTED))

    assert deploy.install(on.ctx, RELEASE, timeout_s=60).status == PROMOTED


def test_a_rollout_that_never_gets_healthy_says_why(tmp_path: Path) -> None:
    """The error holds Argo's message and the last warning of the namespace."""
    on = stage(tmp_path, (replace(at(20, 1), message="more replicas need to be updated"),))
    on.cluster.warnings = (
        ClusterEvent(START, "Pod", "orders-1", "BackOff", "crashing", "Warning", "kubelet", "u1"),
    )

    with pytest.raises(EnvironmentFailedError) as caught:
        deploy.install(on.ctx, RELEASE, timeout_s=5)

    assert "more replicas need to be updated; orders-1: BackOff: crashing" in caught.value.why


def test_live_traffic_is_answered_by_the_version(tmp_path: Path) -> None:
    """The first answers may come before the edge knows the route; after that every one must be good."""
    on = stage(tmp_path)
    on.traffic.answers = [answer(0, "", Cause.PROXY_ERROR), answer(1, "0.9.0"), answer(2, "1.0.0")]

    live = deploy.verify_traffic(on.ctx, "1.0.0", probes=5)

    assert (live.sent, live.good, live.versions) == (5, 5, (("1.0.0", 5),))


def test_one_bad_answer_is_refused(tmp_path: Path) -> None:
    """A failed request after the first good one fails the gate."""
    on = stage(tmp_path)
    good, bad = answer(0, "1.0.0"), answer(1, "", Cause.PROXY_ERROR)
    on.traffic.answers = [good, good, bad, good]

    with pytest.raises(GateRefusedError, match="4 of 5 requests"):
        deploy.verify_traffic(on.ctx, "1.0.0", probes=5)


def test_a_silent_edge_ends_in_time(tmp_path: Path) -> None:
    """When the edge never answers well, the phase ends and tells the last answer."""
    on = stage(tmp_path)
    on.traffic.answers = [answer(0, "", Cause.REFUSED)]

    with pytest.raises(EnvironmentFailedError, match=r"no good answer of 1\.0\.0"):
        deploy.verify_traffic(on.ctx, "1.0.0", probes=5, ready_s=2.0)


def test_manifests_name_the_image_by_digest(tmp_path: Path) -> None:
    """The service's container gets the digest, its version and its fault; a sidecar stays as it is."""
    on = stage(tmp_path)
    release = Release("1.1.0", image(), "errors", {"LOSE": "0.2"})

    manifests = overlay_manifests(on.ctx.service, on.ctx.world, release)

    template = next(one for one in manifests if one["kind"] == "Rollout")["spec"]["template"]
    chosen, sidecar = template["spec"]["containers"]
    assert chosen["image"] == f"registry/orders@{DIGEST}"
    assert chosen["env"] == [{"name": "LOSE", "value": "0.2"}]
    assert sidecar["image"] == "other"
    assert template["metadata"]["annotations"] == {
        "rollbook.dev/version": "1.1.0",
        "rollbook.dev/fault": "errors",
    }


def test_the_targets_address_is_put_into_the_manifests(tmp_path: Path) -> None:
    """What only the target knows stands in the rendered objects."""
    on = stage(tmp_path)

    manifests = overlay_manifests(on.ctx.service, on.ctx.world, RELEASE)

    analysis = next(one for one in manifests if one["kind"] == "AnalysisTemplate")
    assert analysis["spec"]["args"] == [{"value": "http://127.0.0.1:9090"}]


def test_an_overlay_without_the_rollout_is_refused(tmp_path: Path) -> None:
    """The message names what the service file says."""
    on = stage(tmp_path)
    on.cluster.overlay = on.cluster.overlay[:3]

    with pytest.raises(BadInputError, match="holds 0 Rollouts called orders"):
        overlay_manifests(on.ctx.service, on.ctx.world, RELEASE)
