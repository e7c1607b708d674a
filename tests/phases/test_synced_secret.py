"""A release brings the version of its secret into the cluster before it starts a pod."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.phases.fakes import FakeCloud, FakeCluster, Stage, image, stage

from rollbook.domain.secret import BROUGHT, VERSION_ANNOTATION
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.journal import read_journal
from rollbook.phases.deploy import apply
from rollbook.phases.manifests import Release, overlay_manifests
from rollbook.phases.synced_secret import PLACEHOLDER, POLL_S, SYNC_S
from rollbook.ports import Manifest

RELEASE = Release("1.0.0", image("1.0.0"))
STORE = {"kind": "SecretStore", "metadata": {"name": "aws"}, "spec": {}}
EXTERNAL = {
    "kind": "ExternalSecret",
    "metadata": {"name": "orders"},
    "spec": {"data": [{"secretKey": "token", "remoteRef": {"key": "orders/config", "version": PLACEHOLDER}}]},
}


class Operated(FakeCluster):
    """A cluster with an operator, which says of ExternalSecrets what `said` gives for each look."""

    said: Callable[[int], dict[str, Any]]
    looks = 0

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The ExternalSecret as the operator has it, of generation 3; other objects are not there."""
        if kind != "ExternalSecret":
            return None
        self.looks += 1
        return {"kind": kind, "metadata": {"name": name, "generation": 3}, "status": self.said(self.looks)}


def synced(version: str) -> dict[str, Any]:
    """A status after a sync of that resource version."""
    return {"syncedResourceVersion": version, "conditions": [{"type": "Ready", "status": "True"}]}


def on_stage(tmp_path: Path, said: Callable[[int], dict[str, Any]]) -> tuple[Stage, Operated]:
    """A service with a secret in an overlay that has it brought."""
    on = stage(tmp_path)
    cluster = Operated(on.clock, overlay=(STORE, EXTERNAL, *on.cluster.overlay))
    cluster.said = said
    cast("FakeCloud", on.ctx.world.cloud).secret_versions["orders/config"] = "aaaa-bbbb"
    return replace(on, ctx=replace(on.ctx, world=replace(on.ctx.world, cluster=cluster))), cluster


def test_the_current_version_is_pinned(tmp_path: Path) -> None:
    """The ExternalSecret refers to that version, and the pod template names it."""
    on, _cluster = on_stage(tmp_path, lambda _look: {})
    found = {one["kind"]: one for one in overlay_manifests(on.ctx.service, on.ctx.world, RELEASE)}
    [data] = found["ExternalSecret"]["spec"]["data"]
    assert {"key": "orders/config", "version": "uuid/aaaa-bbbb"} == data["remoteRef"]
    assert "aaaa-bbbb" == found["Rollout"]["spec"]["template"]["metadata"]["annotations"][VERSION_ANNOTATION]


def test_an_overlay_without_one_asks_for_nothing(tmp_path: Path) -> None:
    """No annotation, no step, one apply: as a service without a secret always was."""
    on = stage(tmp_path)
    apply(on.ctx, RELEASE)
    [rollout] = [one for one in on.cluster.applied if one["kind"] == "Rollout"]
    assert VERSION_ANNOTATION not in rollout["spec"]["template"]["metadata"]["annotations"]
    assert ["apply"] == on.cluster.calls
    assert BROUGHT not in {one.name for one in read_journal(on.ctx.folder.path / "journal.jsonl")}


def test_pods_come_after_their_secret(tmp_path: Path) -> None:
    """The store and the ExternalSecret first; everything once the operator has synced what is wanted now."""
    on, cluster = on_stage(tmp_path, lambda look: synced("2-old" if look < 4 else "3-new"))
    apply(on.ctx, RELEASE)
    entries = [one for one in read_journal(on.ctx.folder.path / "journal.jsonl") if one.name == BROUGHT]
    assert ["apply", "apply"] == cluster.calls
    assert 4 == cluster.looks
    assert ["started", "done"] == [one.data["state"] for one in entries]
    assert ("aaaa-bbbb", "", ["3-new"]) == tuple(
        entries[1].data[name] for name in ("version", "before", "synced")
    )
    assert round(3 * POLL_S, 3) == round(entries[1].data["seconds"], 3)
    assert list((on.ctx.folder.path / "objects").rglob("ExternalSecret*.json"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "says nothing"),
        (synced("2-old"), "says nothing"),
        ({"conditions": [{"type": "Ready", "status": "False", "message": "no access"}]}, "no access"),
    ],
)
def test_a_secret_that_does_not_come_ends_the_release(tmp_path: Path, said: dict[str, Any], why: str) -> None:
    """No pod is started without it, and the error tells what the operator says."""
    on, cluster = on_stage(tmp_path, lambda _look: said)
    with pytest.raises(EnvironmentFailedError, match=f"within {SYNC_S:g} s") as caught:
        apply(on.ctx, RELEASE)
    assert why in caught.value.why
    assert ["SecretStore", "ExternalSecret"] == [one["kind"] for one in cluster.applied]


def test_a_secret_without_a_value_is_told(tmp_path: Path) -> None:
    """There is nothing to pin: provision makes the first value."""
    on, _cluster = on_stage(tmp_path, lambda _look: {})
    cast("FakeCloud", on.ctx.world.cloud).secret_versions.clear()
    with pytest.raises(EnvironmentFailedError, match="orders/config has no value"):
        overlay_manifests(on.ctx.service, on.ctx.world, RELEASE)


def test_a_service_file_without_the_secret_is_told(tmp_path: Path) -> None:
    """The overlay wants a version of a secret that nobody names."""
    on, _cluster = on_stage(tmp_path, lambda _look: {})
    with pytest.raises(BadInputError, match="names no secret"):
        overlay_manifests(replace(on.ctx.service, secret=""), on.ctx.world, RELEASE)
