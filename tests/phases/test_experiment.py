"""An experiment's objects and users, and the way back from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.errors import BadInputError
from rollbook.phases.edge import find_way
from rollbook.phases.experiment_objects import experiment_manifest, route_manifests
from rollbook.phases.experiment_users import came_again, count, with_two_variants
from rollbook.settings import service_file

SERVICE = service_file.load(Path(__file__).resolve().parents[2] / "service.yaml")
PODS = {"a": "hello-experiment-a-", "b": "hello-experiment-b-"}


def overlay(image: str) -> tuple[dict[str, Any], ...]:
    """What a release's overlay holds, as far as an experiment needs it."""
    analysis = {
        "templates": [{"templateName": "hello-success-rate"}],
        "args": [
            {"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "stable-hash", "valueFrom": {"podTemplateHashValue": "Stable"}},
            {"name": "namespace", "value": "hello"},
        ],
    }
    template = {
        "metadata": {"labels": {"app": "hello"}},
        "spec": {"containers": [{"name": "hello", "image": image}]},
    }
    rollout = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "hello", "namespace": "hello"},
        "spec": {
            "selector": {"matchLabels": {"app": "hello"}},
            "strategy": {"canary": {"analysis": analysis}},
            "template": template,
        },
    }
    stable = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hello-stable", "namespace": "hello"},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    split = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "TraefikService",
        "metadata": {"name": "hello", "namespace": "hello"},
        "spec": {"weighted": {"services": [{"name": "hello-stable", "port": "http"}]}},
    }
    route = {
        "match": "Host(`hello.test`)",
        "kind": "Rule",
        "middlewares": [{"name": "headers"}],
        "services": [{"kind": "TraefikService", "name": "hello"}],
    }
    other = {"match": "Path(`/x`)", "kind": "Rule", "services": [{"name": "other", "port": 80}]}
    entry = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": {"name": "hello", "namespace": "hello"},
        "spec": {"entryPoints": ["web", "websecure"], "routes": [route, other]},
    }
    return rollout, stable, split, entry


def made() -> dict[str, Any]:
    """The Experiment of two images."""
    overlays = {"a": overlay("repo@sha256:1"), "b": overlay("repo@sha256:2")}
    return dict(experiment_manifest(SERVICE, overlays, replicas=2, longest_s=660))


def test_each_variant_has_the_pods_of_its_release_and_a_service() -> None:
    """Images differ, labels keep the pods apart, and Argo makes a Service and ends it all by itself."""
    spec = made()["spec"]
    templates = spec["templates"]

    assert ["a", "b"] == [one["name"] for one in templates]
    assert ["repo@sha256:1", "repo@sha256:2"] == [
        one["template"]["spec"]["containers"][0]["image"] for one in templates
    ]
    assert [{}, {}] == [one["service"] for one in templates]
    for one in templates:
        labels = {"app": "hello", "rollbook.dev/variant": one["name"]}
        assert labels == one["selector"]["matchLabels"] == one["template"]["metadata"]["labels"]
    assert ("660s", 2) == (spec["duration"], templates[0]["replicas"])


def test_each_variant_is_measured_by_the_analysis_of_the_rollout() -> None:
    """The canary's hash becomes that of the variant, stable's that of a; other arguments stay."""
    analyses = {
        one["name"]: {arg["name"]: arg["value"] for arg in one["args"]} for one in made()["spec"]["analyses"]
    }

    assert {"hello-success-rate-a", "hello-success-rate-b"} == set(analyses)
    assert {
        "canary-hash": "{{templates.b.podTemplateHash}}",
        "stable-hash": "{{templates.a.podTemplateHash}}",
        "namespace": "hello",
    } == analyses["hello-success-rate-b"]


def test_an_overlay_without_the_rollout_is_refused() -> None:
    """There is nothing to take pods from."""
    with pytest.raises(BadInputError):
        experiment_manifest(SERVICE, {"a": (), "b": ()}, replicas=1, longest_s=60)


def test_routes_are_the_users_own_with_a_header() -> None:
    """Entry points and middlewares stay, the priority is higher, and the Experiment owns them."""
    way = find_way("hello-stable", overlay("repo@sha256:1"))
    assert way is not None
    experiment = made()
    experiment["metadata"] = {**experiment["metadata"], "uid": "u-1"}
    ports = {"a": ("hello-experiment-a", 8080), "b": ("hello-experiment-b", 8080)}

    [route] = route_manifests(SERVICE, way, experiment, "X-Variant", ports)

    rules = route["spec"]["routes"]
    assert ["web", "websecure"] == route["spec"]["entryPoints"]
    assert [
        "(Host(`hello.test`)) && Header(`X-Variant`, `a`)",
        "(Host(`hello.test`)) && Header(`X-Variant`, `b`)",
    ] == [one["match"] for one in rules]
    assert [
        [{"name": "hello-experiment-a", "port": 8080}],
        [{"name": "hello-experiment-b", "port": 8080}],
    ] == [one["services"] for one in rules]
    assert all(one["middlewares"] == [{"name": "headers"}] and one["priority"] > 1000 for one in rules)
    assert ["u-1"] == [one["uid"] for one in route["metadata"]["ownerReferences"]]


def request(number: int, user: str, variant: str, **more: Any) -> RequestRecord:
    """One request of a named user."""
    fields = {"status": 200, "cause": Cause.OK, "pod": f"{PODS[variant]}xyz", "converted": False, **more}
    return RequestRecord(
        scheduled_s=float(number),
        sent_s=float(number),
        latency_s=0.01,
        version="1",
        request_id=f"id-{number}",
        user=user,
        variant=variant,
        **fields,
    )


def test_each_user_counts_once_and_by_the_first_visit() -> None:
    """A second visit counts nobody; a first request that failed is a user who did not convert."""
    records = [
        request(0, "one", "a", converted=True),
        request(1, "two", "b", converted=True),
        request(2, "three", "b", cause=Cause.TIMEOUT, pod="", converted=None),
        request(3, "one", "a", converted=True),
        request(4, "four", "a", pod="hello-stable-1"),
    ]

    a, b = count(records, PODS)

    assert (2, 1, 3, 0, 1) == (a.users, a.conversions, a.requests, a.failed, a.elsewhere)
    assert (2, 1, 2, 1, 0) == (b.users, b.conversions, b.requests, b.failed, b.elsewhere)
    assert (1, 0) == (came_again(records), with_two_variants(records))


def test_a_user_on_two_variants_is_seen() -> None:
    """Who is sent elsewhere at the second visit is counted, once."""
    records = [request(0, "one", "a"), request(3, "one", "b"), request(7, "one", "b")]

    assert 1 == with_two_variants(records)
