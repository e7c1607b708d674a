"""Before a canary begins: does the edge follow the cluster?

After an outage of the API server the edge goes on with what it knew. It tries each of its watches again by
itself, after up to a minute (client-go's reflector backs off to 30 s and adds as much again at random): of
Services, EndpointSlices, IngressRoutes and TraefikServices. A canary that begins meanwhile moves its weights
before the edge knows its pods, or takes pods away that the edge still sends users to.

So the edge is shown a change to objects of our own beside the service's: a route as the users' is, for
requests with a word that nobody else knows; a split that marks its answers with a cookie of that name; and a
Service whose port has that name. An answer of the service with the cookie needs the latest state of all four
kinds: no other split sets the cookie, and Traefik looks the port's name up in Service and EndpointSlices.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rollbook.domain.traffic import RequestRecord
from rollbook.errors import EnvironmentFailedError
from rollbook.phases.context import PhaseContext
from rollbook.phases.manifests import Release, overlay_manifests
from rollbook.phases.outage import Outage
from rollbook.ports import Manifest

NAME = "rollbook-edge"
"""Of the objects in the service's namespace, and of the query parameter that asks for them.

They stay, for who releases need not be allowed to delete; each check writes them anew.
"""
LONGEST_S = 90.0
IN_A_ROW = 10
"""An edge of several replicas must answer so often alike, each time over a new connection."""
AGAIN_S = 0.1
FIRST_OF_ALL = 1_000_000
"""Priority of the route: before all of the users', which count the characters of their rules."""


@dataclass(frozen=True)
class Way:
    """How users come to the service by Traefik, as the overlay has it."""

    stable: Manifest
    """The stable Service."""
    split: Manifest
    """The TraefikService."""
    child: Manifest
    """The stable Service's entry in it."""
    entries: tuple[Manifest, ...]
    """IngressRoutes that lead to the split."""


def until_it_follows(ctx: PhaseContext, release: Release) -> bool:
    """Wait until the edge shows a change made now; False where no Traefik splits the users, unasked.

    To be called while no other run may change the target. Users see nothing of it. EnvironmentFailedError
    when the edge does not show it within LONGEST_S seconds.
    """
    way = find_way(ctx.service.stable_service, overlay_manifests(ctx.service, ctx.world, release))
    if way is None:
        return False
    word, clock = f"probe-{secrets.token_hex(4)}", ctx.world.clock
    plan = ctx.traffic_plan(rps=1.0, duration_s=1.0)
    path = f"{plan.paths[0]}{'&' if '?' in plan.paths[0] else '?'}{NAME}={word}"
    plan = replace(plan, paths=(path,), pod_header="Set-Cookie")  # not who answers matters, but which split
    with ctx.journal.step("see that the edge follows the cluster", word=word) as step:
        began, alike = clock.monotonic(), 0
        Outage(ctx).ask(lambda: ctx.world.cluster.apply(probe_objects(way, word)))
        while alike < IN_A_ROW:
            answer = ctx.world.traffic.probe(plan)
            if answer.version and f"{word}=" in answer.pod:
                alike += 1
                continue
            alike = 0
            if clock.monotonic() - began > LONGEST_S:
                raise EnvironmentFailedError(
                    f"the edge does not follow the cluster: {LONGEST_S:g} s were not enough for a change",
                    why=f"a request for the route {NAME} was still answered by {_who(answer)}",
                    next_step="Look at Traefik's log; after an outage of the API server, wait a minute.",
                )
            clock.sleep(AGAIN_S)
        step["seconds"] = round(clock.monotonic() - began, 3)
    return True


def find_way(stable_service: str, manifests: Sequence[Manifest]) -> Way | None:
    """The users' way in an overlay's objects; None when it is not by a Traefik split with a route."""

    def of_kind(kind: str) -> list[Manifest]:
        return [one for one in manifests if one.get("kind") == kind]

    stable = next((one for one in of_kind("Service") if one["metadata"]["name"] == stable_service), None)
    split = next((one for one in of_kind("TraefikService") if _child(one, stable_service)), None)
    if stable is None or split is None or not stable["spec"].get("ports"):
        return None
    entries = tuple(one for one in of_kind("IngressRoute") if _routes(one, split["metadata"]["name"]))
    return Way(stable, split, _child(split, stable_service), entries) if entries else None


def probe_objects(way: Way, word: str) -> tuple[Manifest, ...]:
    """Service, split and route of our own, made anew with a word: a DNS label of at most 15 characters."""
    stable = way.stable["spec"]
    known = _port(stable["ports"], way.child.get("port"))
    chosen = {key: known[key] for key in ("port", "targetPort", "protocol", "appProtocol") if key in known}
    ports = [{**chosen, "name": word}]
    child = {**way.child, "name": NAME, "port": word, "weight": 1}
    sticky = {"cookie": {"name": word}}
    return (
        _object(way.stable, NAME, {"selector": stable.get("selector", {}), "ports": ports}),
        _object(way.split, NAME, {"weighted": {"services": [child], "sticky": sticky}}),
        *(
            _object(entry, f"{NAME}-{number}" if number else NAME, _route_spec(entry, way.split, word))
            for number, entry in enumerate(way.entries)
        ),
    )


def _route_spec(entry: Manifest, split: Manifest, word: str) -> Manifest:
    """An IngressRoute's spec with those of its routes that lead to the split, for requests with the word."""
    name = split["metadata"]["name"]
    routes = [
        {
            **route,
            "match": f"({route['match']}) && Query(`{NAME}`, `{word}`)",
            "priority": FIRST_OF_ALL,
            "services": [{**one, "name": NAME} for one in route["services"] if one["name"] == name],
        }
        for route in _routes(entry, name)
    ]
    return {**entry["spec"], "routes": routes}


def _object(like: Manifest, name: str, spec: Manifest) -> Manifest:
    """An object of our own of the same kind and in the same namespace."""
    labels = {"app.kubernetes.io/managed-by": "rollbook"}
    place = {key: value for key, value in like["metadata"].items() if key == "namespace"}
    metadata = {**place, "name": name, "labels": labels}
    return {"apiVersion": like["apiVersion"], "kind": like["kind"], "metadata": metadata, "spec": spec}


def _child(split: Manifest, name: str) -> Manifest:
    """The entry of a Service in a weighted TraefikService; empty when it has none."""
    children = split.get("spec", {}).get("weighted", {}).get("services", ())
    return next((one for one in children if one["name"] == name), {})


def _routes(entry: Manifest, split: str) -> list[Manifest]:
    """The routes of an IngressRoute that lead to a TraefikService."""

    def leads(route: Manifest) -> bool:
        named = [(one.get("kind"), one["name"]) for one in route.get("services", ())]
        return ("TraefikService", split) in named

    return [route for route in entry["spec"].get("routes", ()) if leads(route)]


def _port(ports: Sequence[Manifest], wanted: object) -> Manifest:
    """The Service's port of that name or number, else its first."""
    return next((one for one in ports if wanted in (one.get("name"), one["port"])), ports[0])


def _who(record: RequestRecord) -> str:
    said = f"HTTP {record.status}" if record.status else record.cause.value
    return f"{record.version or 'the edge'} with {said}"
