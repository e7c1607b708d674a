"""What must be refused is tried, written down, and a refusal that does not come fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.phases.fakes import OVERLAY, FakeCluster, Stage, stage

from rollbook.domain.attempts import Refusal, object_name
from rollbook.errors import NotFoundError
from rollbook.evidence.journal import read_journal
from rollbook.phases import refusals
from rollbook.phases.refusals import ATTEMPTS, ENFORCED, LABEL
from rollbook.ports import Manifest

Answer = Callable[[Mapping[str, Any]], Refusal | None]
BY_POLICY = Refusal(422, "ValidatingAdmissionPolicy 'rollbook-pods' denied request: no")
BY_RBAC = Refusal(403, 'pods is forbidden: User "u" cannot create resource "pods"')
NOT_IN_NAMES = Refusal(403, 'users "x" is forbidden: User "u" cannot impersonate resource "users"')
NO_SECRETS = Refusal(403, "cannot list secrets")
CONTROL = object_name("as released")


def strict(manifest: Mapping[str, Any]) -> Refusal | None:
    """All is refused but the released pod."""
    return None if manifest["metadata"]["name"] == CONTROL else BY_POLICY


@dataclass
class FakeAttempts:
    """Answers as it is told, and keeps what was tried."""

    answer: Answer = strict
    secrets: Refusal | None = NO_SECRETS
    controller: str = "argo"
    tried: list[Mapping[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def create(self, manifest: Mapping[str, Any]) -> Refusal | None:
        self.tried.append(manifest)
        return self.answer(manifest)

    def list_secrets(self, user: str, namespace: str) -> Refusal | None:
        self.asked.append((user, namespace))
        return self.secrets


@dataclass
class Labelled(FakeCluster):
    """A cluster with the released Rollout, in a namespace with these labels."""

    labels: Mapping[str, str] = field(default_factory=lambda: {LABEL: ENFORCED})
    released: bool = True

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        if kind == "Namespace":
            return {"kind": kind, "metadata": {"name": name, "labels": dict(self.labels)}}
        if not self.released:
            return None
        rollout = next(one for one in OVERLAY if one["kind"] == "Rollout")
        template = rollout["spec"]["template"]
        container = template["spec"]["containers"][0]
        pinned = {**container, "image": "registry/orders@sha256:" + "1" * 64}
        spec = {**rollout["spec"], "template": {**template, "spec": {"containers": [pinned]}}}
        metadata = {"name": name, "namespace": namespace}
        return {**rollout, "apiVersion": "argoproj.io/v1alpha1", "metadata": metadata, "spec": spec}


def trying(tmp_path: Path, attempts: FakeAttempts | None, **cluster: Any) -> Stage:
    """A world at rest in which `attempts` can be made."""
    on = stage(tmp_path, phase="validate")
    found = Labelled(on.clock, overlay=OVERLAY, **cluster)
    world = replace(on.ctx.world, cluster=found, attempts=attempts)
    return replace(on, ctx=replace(on.ctx, world=world))


def states(on: Stage) -> dict[str, bool | None]:
    return {gate.name: gate.passed for gate in refusals.refused(on.ctx)}


def test_each_attempt_is_the_released_pod_with_one_thing_changed(tmp_path: Path) -> None:
    """As a pod and as a Rollout, each under a name of its own; the released one is tried first and taken."""
    attempts = FakeAttempts()
    found = states(trying(tmp_path, attempts))

    pods = {one["metadata"]["name"]: one["spec"] for one in attempts.tried if one["kind"] == "Pod"}
    changed = {name: spec for name, spec in pods.items() if spec != pods[CONTROL]}
    assert {object_name(one.name) for one in ATTEMPTS} == set(changed)
    assert 2 * (len(ATTEMPTS) + 1) == len(attempts.tried)
    assert {True} == set(found.values())
    assert [
        ("system:serviceaccount:shop:default", "kube-system"),
        ("system:serviceaccount:shop:default", "shop"),
        ("argo", "shop"),
        ("argo", ""),
    ] == attempts.asked


def test_what_is_let_through_fails(tmp_path: Path) -> None:
    """One attempt that is taken in one form fails its gate, and no other."""
    slack = object_name("no limits")

    def answer(manifest: Mapping[str, Any]) -> Refusal | None:
        name = manifest["metadata"]["name"]
        return None if name == slack and manifest["kind"] == "Rollout" else strict(manifest)

    found = states(trying(tmp_path, FakeAttempts(answer)))

    assert ["refused: no limits"] == [name for name, passed in found.items() if passed is False]


def test_secrets_that_are_given_fail(tmp_path: Path) -> None:
    """Nobody who needs no Secrets may be given them."""
    found = states(trying(tmp_path, FakeAttempts(secrets=None)))

    assert [
        "refused: secrets for the service",
        "refused: secrets for the release controller",
    ] == [name for name, passed in found.items() if passed is False]


def test_a_policy_that_is_heeded_only_now_is_waited_for(tmp_path: Path) -> None:
    """It was applied a moment ago: what it lets through at first is tried again."""
    attempts = FakeAttempts()
    on = trying(tmp_path, attempts)
    attempts.answer = lambda manifest: strict(manifest) if on.clock.monotonic() > 2.0 else None

    assert {True} == set(states(on).values())


def test_a_released_pod_that_is_refused_fails(tmp_path: Path) -> None:
    """Refusals say nothing where everything is refused."""
    found = states(trying(tmp_path, FakeAttempts(lambda _manifest: BY_POLICY)))

    assert found["taken: as released"] is False


@pytest.mark.parametrize(
    ("attempts", "cluster", "untried"),
    [
        (None, {}, {"forbidden pods"}),
        (FakeAttempts(), {"labels": {}}, {"forbidden pods"}),
        (FakeAttempts(lambda _manifest: BY_RBAC), {}, {"forbidden pods"}),
        (
            FakeAttempts(secrets=NOT_IN_NAMES),
            {},
            {"refused: secrets for the service", "refused: secrets for the release controller"},
        ),
    ],
)
def test_what_cannot_be_tried_is_said(
    tmp_path: Path, attempts: FakeAttempts | None, cluster: dict[str, Any], untried: set[str]
) -> None:
    """Without an API server, the label or the right, gates have nothing to check, and say why."""
    on = trying(tmp_path, attempts, **cluster)
    gates = refusals.refused(on.ctx)

    assert untried == {gate.name for gate in gates if gate.passed is None}
    assert all(gate.sentence.startswith("not tried: ") for gate in gates if gate.passed is None)
    assert all(gate.passed is not False for gate in gates)


def test_without_a_release_there_is_nothing_to_try(tmp_path: Path) -> None:
    """The error says what to run first."""
    with pytest.raises(NotFoundError, match="no Rollout"):
        refusals.refused(trying(tmp_path, FakeAttempts(), released=False).ctx)


def test_each_attempt_and_its_refusal_are_written_down(tmp_path: Path) -> None:
    """The journal has what was tried, in which form, and the API server's own words."""
    on = trying(tmp_path, FakeAttempts())
    refusals.refused(on.ctx)

    rows = [one.data for one in read_journal(on.ctx.folder.path / "journal.jsonl") if one.name == "attempt"]
    assert 2 * (len(ATTEMPTS) + 1) + 4 == len(rows)
    assert {"attempt", "of", "refused", "code", "message"} <= set(rows[0])
    assert BY_POLICY.message in {row["message"] for row in rows}
