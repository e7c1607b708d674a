"""Refusals: what must not run is asked for, as a dry run, and has to be refused.

Each attempt is the released pod with one thing changed that k8s/policies forbids; the pod as it is, which has
to be taken, shows that nothing else stood in the way. Secrets are asked for as those who need none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rollbook.domain.attempts import CONTROL, Attempts, Refusal, object_name
from rollbook.errors import NotFoundError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.phases.validate import Gate, written
from rollbook.ports import Manifest

LABEL, ENFORCED = "rollbook.dev/admission", "enforced"
"""A namespace with this label is one that k8s/policies holds for."""
FOLLOWS_S = 15.0
"""A policy that was applied a moment ago is heeded within seconds."""
NOT_ALLOWED = ("cannot create resource", "cannot impersonate resource")
"""What the API server says when the attempt itself is not allowed: then it tells nothing of the policy."""
POLICY = "ValidatingAdmissionPolicy"
OTHER_REGISTRY = "registry.example/other"

Spec = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One thing that must not run: `change` makes it of a pod's spec and its container of the service."""

    name: str
    change: Callable[[Spec, Spec], object]


def _by_tag(_pod: Spec, of: Spec) -> None:
    of["image"] = f"{of['image'].partition('@')[0]}:latest"


def _elsewhere(_pod: Spec, of: Spec) -> None:
    of["image"] = f"{OTHER_REGISTRY}@{of['image'].partition('@')[2]}"


def _privileged(_pod: Spec, of: Spec) -> None:
    of["securityContext"] = {"privileged": True, "runAsNonRoot": True}


def _capable(_pod: Spec, of: Spec) -> None:
    of["securityContext"] = {**of.get("securityContext", {}), "capabilities": {"add": ["NET_ADMIN"]}}


def _on_the_network(pod: Spec, _of: Spec) -> None:
    pod["hostNetwork"] = True


def _with_folder(pod: Spec, _of: Spec) -> None:
    pod["volumes"] = [*pod.get("volumes", []), {"name": "node", "hostPath": {"path": "/"}}]


def _as_root(pod: Spec, _of: Spec) -> None:
    for each in (pod, *pod["containers"]):
        context = {key: one for key, one in each.get("securityContext", {}).items() if key != "runAsNonRoot"}
        each["securityContext"] = {**context, "runAsUser": 0}


def _unbounded(_pod: Spec, of: Spec) -> None:
    of["resources"] = {}


def _with_token(pod: Spec, _of: Spec) -> None:
    pod["automountServiceAccountToken"] = True


ATTEMPTS = (
    Attempt("image by tag", _by_tag),
    Attempt("image of another registry", _elsewhere),
    Attempt("privileged container", _privileged),
    Attempt("added capability", _capable),
    Attempt("network of the node", _on_the_network),
    Attempt("folder of the node", _with_folder),
    Attempt("root", _as_root),
    Attempt("no limits", _unbounded),
    Attempt("token of the ServiceAccount", _with_token),
)


def refused(ctx: PhaseContext) -> tuple[Gate, ...]:
    """Try everything of `ATTEMPTS` as a pod and as a Rollout, and Secrets for the service and for Argo.

    Gates are None where it cannot be tried: a target whose API server is not asked, a namespace without the
    label, a user who may make no pods at all or may ask in nobody's name. NotFoundError when nothing is
    deployed.
    """
    attempts = ctx.world.attempts
    if attempts is None:
        return (written(ctx, _nothing("forbidden pods", "this target's API server is not asked for them")),)
    rollout = ctx.world.cluster.get("Rollout", ctx.service.namespace, ctx.service.rollout)
    if rollout is None:
        raise NotFoundError(
            f"there is no Rollout {ctx.service.namespace}/{ctx.service.rollout}",
            next_step="Run the deploy phase first.",
        )
    with ctx.journal.step("try what must be refused", attempts=len(ATTEMPTS)) as step:
        gates = (*_admission(ctx, attempts, rollout), *_secrets(ctx, attempts, rollout))
        step["refused"] = sum(gate.passed is True for gate in gates)
    ctx.say(f"{sum(gate.passed is True for gate in gates)} of {len(gates)} attempts ended as they have to")
    return gates


def _admission(ctx: PhaseContext, attempts: Attempts, rollout: Manifest) -> tuple[Gate, ...]:
    namespace = ctx.world.cluster.get("Namespace", "", ctx.service.namespace) or {}
    if (namespace.get("metadata", {}).get("labels") or {}).get(LABEL) != ENFORCED:
        why = f"the namespace {ctx.service.namespace} has no label {LABEL}: {ENFORCED}"
        return (written(ctx, _nothing("forbidden pods", why)),)
    container = ctx.service.image.container
    kinds = {"Pod": _as_pod, "Rollout": _as_rollout}
    taken = {}
    for kind, make in kinds.items():
        said = attempts.create(make(rollout, Attempt(CONTROL, lambda _pod, _of: None), container))
        _note(ctx, CONTROL, kind, said)
        taken[kind] = said
    tried = {kind: make for kind, make in kinds.items() if not _out_of_reach(taken[kind])}
    if not tried:
        return (written(ctx, _nothing("forbidden pods", "this user may make neither pods nor Rollouts")),)
    refusals = {kind: said for kind in tried if (said := taken[kind]) is not None}
    told = "; ".join(f"{kind}: {said.message}" for kind, said in refusals.items())
    control = Gate(
        f"taken: {CONTROL}",
        not refusals,
        "taken",
        "refused" if refusals else "taken",
        f"the released pod itself would be refused: {told}"
        if refusals
        else f"the released pod itself is taken as {' and '.join(tried)}",
    )
    deadline = ctx.world.clock.monotonic() + FOLLOWS_S
    gates = [written(ctx, control)]
    for attempt in ATTEMPTS:
        answers = {}
        for kind, make in tried.items():
            manifest = make(rollout, attempt, container)
            answers[kind] = _until_refused(ctx, attempts, manifest, deadline)
            _note(ctx, attempt.name, kind, answers[kind])
        gates.append(written(ctx, _gate(attempt.name, answers)))
    return tuple(gates)


def _until_refused(
    ctx: PhaseContext, attempts: Attempts, manifest: Manifest, deadline: float
) -> Refusal | None:
    said = attempts.create(manifest)
    while said is None and ctx.world.clock.monotonic() < deadline:
        ctx.world.clock.sleep(0.5)
        said = attempts.create(manifest)
    return said


def _secrets(ctx: PhaseContext, attempts: Attempts, rollout: Manifest) -> tuple[Gate, ...]:
    """Nobody is given Secrets who needs none: the service's pods, anywhere, and the release controller."""
    own = ctx.service.namespace
    account = rollout["spec"]["template"]["spec"].get("serviceAccountName", "default")
    asked = [("secrets for the service", f"system:serviceaccount:{own}:{account}", ("kube-system", own))]
    if attempts.controller:
        asked.append(("secrets for the release controller", attempts.controller, (own, "")))
    gates = []
    for name, user, places in asked:
        answers = {}
        for place in places:
            where = place or "all namespaces"
            answers[where] = attempts.list_secrets(user, place)
            _note(ctx, name, where, answers[where], user=user)
        if any(_out_of_reach(said) for said in answers.values()):
            gates.append(written(ctx, _nothing(f"refused: {name}", "this user may ask in nobody's name")))
        else:
            gates.append(written(ctx, _gate(name, answers)))
    return tuple(gates)


def _gate(name: str, answers: dict[str, Refusal | None]) -> Gate:
    taken = [kind for kind, said in answers.items() if said is None]
    messages = [said.message for said in answers.values() if said is not None]
    messages.sort(key=lambda words: POLICY not in words)  # the policy's own words first
    return Gate(
        f"refused: {name}",
        not taken,
        "refused",
        "refused" if not taken else f"taken: {', '.join(taken)}",
        f"{', '.join(taken)}: it would be let through" if taken else messages[0],
    )


def _nothing(name: str, why: str) -> Gate:
    return Gate(name, None, "refused", "not tried", f"not tried: {why}")


def _out_of_reach(said: Refusal | None) -> bool:
    """Whether the attempt itself was not allowed."""
    return said is not None and any(words in said.message for words in NOT_ALLOWED)


def _note(ctx: PhaseContext, attempt: str, what: str, said: Refusal | None, user: str = "") -> None:
    ctx.journal.append(
        Kind.OBSERVATION,
        "attempt",
        {
            "attempt": attempt,
            "of": what,
            "refused": said is not None,
            "code": said.code if said else None,
            "message": said.message if said else "",
            **({"user": user} if user else {}),
        },
        source="kube-apiserver",
    )


def _pod_of(rollout: Manifest, attempt: Attempt, container: str) -> Spec:
    pod: Spec = copy.deepcopy(dict(rollout["spec"]["template"]["spec"]))
    of = next(each for each in pod["containers"] if each["name"] == container)
    attempt.change(pod, of)
    return pod


def _as_pod(rollout: Manifest, attempt: Attempt, container: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": object_name(attempt.name), "namespace": rollout["metadata"]["namespace"]},
        "spec": _pod_of(rollout, attempt, container),
    }


def _as_rollout(rollout: Manifest, attempt: Attempt, container: str) -> Manifest:
    spec = copy.deepcopy(dict(rollout["spec"]))
    spec["template"]["spec"] = _pod_of(rollout, attempt, container)
    return {
        "apiVersion": rollout["apiVersion"],
        "kind": "Rollout",
        "metadata": {"name": object_name(attempt.name), "namespace": rollout["metadata"]["namespace"]},
        "spec": spec,
    }
