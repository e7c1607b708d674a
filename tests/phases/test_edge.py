"""Before a canary: the edge must show a change that was made now."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.phases.fakes import OVERLAY, FakeTraffic, HandClock, Stage, answer, image, stage

from rollbook.domain.traffic import Cause, RequestRecord, TrafficPlan
from rollbook.errors import EnvironmentFailedError, ExitCode
from rollbook.phases import canary, planning
from rollbook.phases.edge import IN_A_ROW, LONGEST_S, NAME, find_way, probe_objects, until_it_follows
from rollbook.phases.manifests import Release

ROUTE = {
    "kind": "Rule",
    "match": "Host(`orders.test`) || Host(`shop.test`)",
    "middlewares": [{"name": "limits"}],
    "services": [{"kind": "TraefikService", "name": "orders"}],
}
OTHER_ROUTE = {"kind": "Rule", "match": "PathPrefix(`/docs`)", "services": [{"name": "docs", "port": 80}]}
STABLE_PORT = {"name": "web", "port": 9000, "targetPort": "http"}
CHILD = {"name": "orders-stable", "port": "web", "scheme": "h2c", "weight": 100}


def overlay(
    *, children: Sequence[Any] = (CHILD,), routes: Sequence[Any] = (ROUTE, OTHER_ROUTE)
) -> tuple[Any, ...]:
    """The overlay of the fakes, with users who come by Traefik."""
    found: list[Any] = [copy.deepcopy(one) for one in OVERLAY]
    stable, split = found[0], found[2]
    for one in found:
        one["metadata"]["namespace"] = "shop"
    stable["apiVersion"] = "v1"
    stable["spec"]["ports"] = [{"name": "admin", "port": 9901}, STABLE_PORT]
    split["apiVersion"] = "traefik.io/v1alpha1"
    split["spec"] = {"weighted": {"services": [*children, {"name": "orders-canary", "weight": 0}]}}
    route = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": {"name": "users", "namespace": "shop"},
        "spec": {"entryPoints": ["websecure"], "tls": {"secretName": "orders"}, "routes": list(routes)},
    }
    return (*found, route)


@dataclass
class FakeEdge(FakeTraffic):
    """An edge that follows the cluster after a while; until then `stale` answers."""

    clock: HandClock = field(default_factory=HandClock)
    after_s: float = 0.0
    stale: RequestRecord = field(default_factory=lambda: answer(0.0))
    asked: list[TrafficPlan] = field(default_factory=list)

    def probe(self, plan: TrafficPlan) -> RequestRecord:
        self.asked.append(plan)
        if self.clock.monotonic() < self.after_s:
            return self.stale
        word = plan.paths[0].partition("=")[2]
        return replace(answer(0.0), pod=f"{word}=8d0a; Path=/")


def scene(tmp_path: Path, **edge: Any) -> tuple[Stage, FakeEdge]:
    """A world whose users come by Traefik."""
    on = stage(tmp_path)
    on.cluster.overlay = overlay()
    users = FakeEdge(script=on.traffic.script, clock=on.clock, **edge)
    return replace(on, ctx=replace(on.ctx, world=replace(on.ctx.world, traffic=users))), users


def release() -> Release:
    return Release("1.1.0", image())


def test_an_edge_that_follows_is_seen_at_once(tmp_path: Path) -> None:
    """So many answers alike, for it may have several replicas, by a path of the users' own."""
    on, users = scene(tmp_path)

    assert until_it_follows(on.ctx, release())

    assert IN_A_ROW == len(users.asked)
    assert {"Set-Cookie"} == {plan.pod_header for plan in users.asked}
    assert users.asked[0].paths[0].startswith(f"/?{NAME}=probe-")
    done = [entry.data for entry in on.ctx.journal.entries() if entry.data.get("state") == "done"]
    assert [0.0] == [data["seconds"] for data in done]


@pytest.mark.parametrize(
    "stale",
    [
        answer(0.0),  # by the users' route
        replace(answer(0.0), pod="session=1; Path=/"),
        replace(answer(0.0), pod="probe-00000000=1; Path=/"),  # by a split of an earlier check
        replace(answer(0.0), status=503, cause=Cause.PROXY_ERROR, version="", pod=""),  # knows no pods
        replace(answer(0.0), status=0, cause=Cause.REFUSED, version="", pod=""),
    ],
)
def test_an_edge_that_does_not_follow_yet_is_waited_for(tmp_path: Path, stale: RequestRecord) -> None:
    """Whoever else answers meanwhile, that is not the answer."""
    on, users = scene(tmp_path, after_s=60.0, stale=stale)

    assert until_it_follows(on.ctx, release())

    assert on.clock.monotonic() >= 60.0
    assert len(users.asked) > IN_A_ROW


def test_a_replica_that_lags_behind_is_waited_for(tmp_path: Path) -> None:
    """One answer that is not alike begins the count anew."""
    on, users = scene(tmp_path)
    calm = users.probe
    lagging = iter([False] * (IN_A_ROW - 1) + [True])

    def probe(plan: TrafficPlan) -> RequestRecord:
        seen = calm(plan)
        return answer(0.0) if next(lagging, False) else seen

    users.probe = probe  # type: ignore[method-assign]

    assert until_it_follows(on.ctx, release())
    assert 2 * IN_A_ROW == len(users.asked)


def test_no_canary_begins_behind_an_edge_that_does_not_follow(tmp_path: Path) -> None:
    """Exit code 4 with the reason; nothing was rolled out, and no user was sent."""
    on, users = scene(tmp_path, after_s=10 * LONGEST_S)
    planned = planning.plan(on.ctx, version="", fault="")
    block = canary.users_and_rollout(on.ctx, planned, image(), rps=50, timings=canary.Timings())

    with pytest.raises(EnvironmentFailedError, match="does not follow the cluster") as caught:
        block.__enter__()

    assert ExitCode.ENVIRONMENT_FAILED is caught.value.exit_code
    assert "answered by 1.0.0 with HTTP 200" in caught.value.why
    assert {NAME} == {one["metadata"]["name"] for one in on.cluster.applied}
    assert ["apply"] == on.cluster.calls
    assert 0 == users.ended
    assert {} == on.leases.held


@pytest.mark.parametrize(
    "found",
    [
        OVERLAY,
        overlay(children=()),
        overlay(routes=(OTHER_ROUTE,)),
    ],
)
def test_another_way_to_the_service_is_not_judged(tmp_path: Path, found: tuple[Any, ...]) -> None:
    """Where no route leads to a Traefik split with the stable Service, nothing is written or asked."""
    on, users = scene(tmp_path)
    on.cluster.overlay = found

    assert not until_it_follows(on.ctx, release())

    assert [] == on.cluster.calls
    assert [] == users.asked


def test_the_objects_are_as_the_users_own(tmp_path: Path) -> None:
    """Entry points, TLS, middlewares, scheme and target port are those of the users' way; names are ours."""
    way = find_way("orders-stable", overlay())
    assert way is not None

    service, split, route = probe_objects(way, "probe-1")

    assert [("shop", NAME)] * 3 == [
        (one["metadata"]["namespace"], one["metadata"]["name"]) for one in (service, split, route)
    ]
    assert {"app": "orders"} == service["spec"]["selector"]
    assert [{**STABLE_PORT, "name": "probe-1"}] == service["spec"]["ports"]
    assert {
        "services": [{"name": NAME, "port": "probe-1", "scheme": "h2c", "weight": 1}],
        "sticky": {"cookie": {"name": "probe-1"}},
    } == split["spec"]["weighted"]
    assert ["websecure"] == route["spec"]["entryPoints"]
    assert {"secretName": "orders"} == route["spec"]["tls"]
    (rule,) = route["spec"]["routes"]
    assert "(Host(`orders.test`) || Host(`shop.test`)) && Query(`rollbook-edge`, `probe-1`)" == rule["match"]
    assert [{"name": "limits"}] == rule["middlewares"]
    assert [{"kind": "TraefikService", "name": NAME}] == rule["services"]


def test_each_entry_has_an_entry_of_ours(tmp_path: Path) -> None:
    """Users who come by two IngressRoutes are asked for by both, each with its own entry points."""
    *found, route = overlay()
    plain = {**route, "metadata": {"name": "plain"}, "spec": {"entryPoints": ["web"], "routes": [ROUTE]}}
    way = find_way("orders-stable", (*found, route, plain))
    assert way is not None

    first, second = probe_objects(way, "probe-1")[2:]

    assert [NAME, f"{NAME}-1"] == [first["metadata"]["name"], second["metadata"]["name"]]
    assert [["websecure"], ["web"]] == [first["spec"]["entryPoints"], second["spec"]["entryPoints"]]
    assert "tls" not in second["spec"]
