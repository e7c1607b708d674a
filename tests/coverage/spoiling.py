"""Ways to spoil a world in which everything went well."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.coverage.worlds import API, World, pod
from tests.report.runs import GOOD

from rollbook.domain.secret import BROUGHT
from rollbook.domain.traffic import Cause
from rollbook.evidence.journal import Kind
from rollbook.evidence.seal import Seal

Spoil = Callable[[World], object]
BAD_RUN = "objects/canary/AnalysisRun-hello-7d4b9c6f5-2.json"
BAD_ROLLOUT = "objects/drill/Rollout-hello.json"
GOOD_ROLLOUT = "objects/canary/Rollout-hello.json"
APPLY = "PATCH /apis/argoproj.io/v1alpha1/namespaces/hello/rollouts/hello"
KEY = "AKIA" + "Q7R2M4X9C1V8B6N3"
REFUSAL = {"kind": "Status", "message": "denied", "metadata": {}}


def drop(*paths: str) -> Spoil:
    """Delete files."""
    return lambda world: [world.files.pop(path) for path in paths]


def patch(path: str, **changes: Any) -> Spoil:
    """Change keys of a kept object's status."""

    def spoil(world: World) -> None:
        kept = json.loads(world.files[path])
        kept["status"] |= changes
        world.keep(path, kept)

    return spoil


def without(of: str, call: str = "") -> Spoil:
    return lambda world: world.without(of, call)


def edit(of: str, call: str, **changes: Any) -> Spoil:
    return lambda world: world.edit(of, call, **changes)


def project(path: str, text: str) -> Spoil:
    return lambda world: world.project(path, text)


def no_phase(*names: str) -> Spoil:
    """The run never came to these phases."""

    def spoil(world: World) -> None:
        world.run["phases"] = [phase for phase in world.run["phases"] if phase["name"] not in names]

    return spoil


def requests(phase: str, **changes: Any) -> Spoil:
    """Change each request of the last ten."""

    def spoil(world: World) -> None:
        records = world.traffic[phase]
        world.traffic[phase] = [*records[:-10], *(replace(record, **changes) for record in records[-10:])]

    return spoil


def no_requests(*names: str) -> Spoil:
    return lambda world: world.traffic.update({name: [] for name in names})


def pods(**changes: Any) -> Spoil:
    """The list of pods has one more, with a container that is different."""

    def spoil(world: World) -> None:
        other = pod("1.1.0", "third")
        for key, value in changes.items():
            if key == "status":
                other["status"] = value
            elif value is None:
                del other["spec"]["containers"][0][key]
            else:
                other["spec"]["containers"][0][key] = value
        listed = {"kind": "PodList", "items": [other], "metadata": {}}
        world.answered("kube-apiserver", "GET /api/v1/namespaces/hello/pods", listed, at=151)

    return spoil


def no_pods(world: World) -> None:
    world.without("kube-apiserver", "GET /api/v1/namespaces/hello/pods")
    for path in [path for path in world.files if "/Pod-" in path]:
        del world.files[path]


def journal_gone(world: World) -> None:
    world.seal = Seal.BROKEN


def no_weights(world: World) -> None:
    world.without("kube-apiserver", API)
    world.entries = [entry for entry in world.entries if entry.source != "argo-rollouts"]


def weights(*seen: tuple[float, int]) -> Spoil:
    """Argo set these weights in the canary: seconds after it began, percent."""

    def spoil(world: World) -> None:
        world.without("kube-apiserver", API)
        for second, weight in seen:
            world.tell("canary", Kind.DECISION, "weight", "argo-rollouts", weight=weight)
            moment = GOOD.begins + timedelta(seconds=second)
            world.entries[-1] = replace(world.entries[-1], time=moment)

    return spoil


def aborted_by_hand(world: World) -> None:
    path = "PATCH /apis/argoproj.io/v1alpha1/namespaces/hello/rollouts/hello/status"
    body = {"status": {"abort": True}}
    world.answered("kube-apiserver", path, {}, phase="drill", at=125, fieldManager="rollbook", body=body)


def gate(passed: bool | None, evidence: str = "") -> Spoil:
    def spoil(world: World) -> None:
        world.tell(
            "validate",
            Kind.GATE,
            "edge",
            passed=passed,
            sentence="Said.",
            evidence=[evidence] if evidence else [],
        )

    return spoil


def no_gates(world: World) -> None:
    world.entries = [entry for entry in world.entries if entry.kind is not Kind.GATE]


def not_provoked(world: World) -> None:
    world.without("prometheus", "alerts")
    world.entries = [entry for entry in world.entries if entry.name != "wait for alert"]


def moved(seconds: float) -> Spoil:
    """The canary's requests are those of another time."""

    def spoil(world: World) -> None:
        world.traffic["canary"] = [
            replace(record, scheduled_s=record.scheduled_s + seconds) for record in world.traffic["canary"]
        ]

    return spoil


def named(commit: str) -> Spoil:
    return lambda world: world.run.update(commit={"sha": commit, "dirty": False})


def on_aws(world: World) -> None:
    world.without("aws")
    world.answered("aws:sts", "sts:GetCallerIdentity", {})


def no_query(world: World) -> None:
    run = json.loads(world.files[BAD_RUN])
    run["spec"]["metrics"][0]["provider"] = {}
    world.keep(BAD_RUN, run)


def unseen(world: World) -> None:
    lone = {"kind": "Rollout", "metadata": {"name": "hello", "generation": 1}, "spec": {}, "status": {}}
    world.answered("kube-apiserver", API, lone)


def experiment(world: World, phase: str) -> None:
    world.edit("kube-apiserver", "GET /experiments", kind="Experiment")
    answer = world.answers[-1].answer
    answer["status"]["phase"] = phase


def helm(world: World, status: str) -> None:
    labels = {"owner": "helm", "name": "argo-rollouts", "status": status, "version": "3"}
    secret = {"kind": "Secret", "metadata": {"name": "sh.helm.v3", "labels": labels}}
    world.answered("kube-apiserver", "GET /secrets", secret, at=152)


def other_text(world: World, path: str) -> None:
    for one in world.answers:
        if one.asked.parameters.get("path") == path:
            one.answer["sha256"] = "0" * 64


def no_files(world: World) -> None:
    world.edit("project", "git ls-files", files={})


def tagged() -> dict[str, Any]:
    tagged = pod("1.1.0", "x")
    tagged["spec"]["containers"][0]["image"] = "hello:latest"
    return tagged


def other_image() -> dict[str, Any]:
    other = pod("1.1.0", "canary-1")
    other["status"]["containerStatuses"][0]["imageID"] = "hello@sha256:0"
    return other


def no_objects(world: World) -> None:
    for path in [path for path in world.files if path.startswith("objects/")]:
        del world.files[path]


def leases(world: World, holder: str, second: float) -> None:
    call = "POST /apis/coordination.k8s.io/v1/namespaces/default/leases"
    world.without("kube-apiserver", call)
    if holder:
        lease = {"kind": "Lease", "metadata": {"name": "l"}, "spec": {"holderIdentity": holder}}
        world.answered("kube-apiserver", call, lease, status="201", phase="run", at=second)


def refused(world: World) -> None:
    found = [one for one in world.answers if one.asked.call == APPLY]
    world.without("kube-apiserver", APPLY)
    for one in found:
        world.answered("kube-apiserver", APPLY, REFUSAL, status="422", **one.asked.parameters)


def namespace(world: World, profile: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": profile}
    space = {"kind": "Namespace", "metadata": {"name": "hello", "labels": labels}}
    world.answered("kube-apiserver", "GET /api/v1/namespaces/hello", space, at=152)


def degraded(world: World) -> None:
    found = next(one for one in world.answers if one.asked.call == f"{API}/hello")
    found.answer["status"]["phase"] = "Degraded"


def sick_rule(world: World) -> None:
    rules = [{"type": "alerting", "name": "HelloSlow", "health": "err", "lastError": "no"}]
    world.edit("prometheus", "rules", data={"groups": [{"rules": rules}]})


def checklist(world: World, before: str, after: str) -> None:
    text = world.files["requirements.yaml"].decode()
    assert before in text
    world.project("docs/requirements.yaml", text.replace(before, after, 1))


def no_failures(world: World) -> None:
    world.traffic["drill"] = [replace(record, cause=Cause.OK) for record in world.traffic["drill"]]


def without_ids(world: World) -> None:
    for name, records in world.traffic.items():
        world.traffic[name] = [replace(record, request_id="") for record in records]


def other_lines(world: World) -> None:
    """The logs of the drill's pods say something else."""
    for path in list(world.files):
        if path.startswith("logs/drill/") and path.endswith(".log"):
            world.files[path] = b"all is well\n"


def all_on_stable(world: World) -> None:
    world.traffic["canary"] = [replace(record, version="1.0.0") for record in world.traffic["canary"]]


def unready(world: World, kind: str) -> None:
    found = next(one for one in world.answers if one.asked.call == f"GET /{kind}")
    found.answer["status"]["conditions"] = [{"type": "Ready", "status": "False", "message": "no access"}]


def brought(**changes: Any) -> Spoil:
    """Change what the canary told of its secret's version."""

    def spoil(world: World) -> None:
        world.entries = [
            replace(one, data={**one.data, **changes}) if one.name == BROUGHT else one
            for one in world.entries
        ]

    return spoil


def plan(world: World, actions: list[str]) -> None:
    changes = [{"address": "aws_vpc.main", "change": {"actions": actions}}]
    world.edit("terraform", "plan", resource_changes=changes)


def stated(*, passed: bool) -> Spoil:
    """The gates of the drill's statements end so."""

    def spoil(world: World) -> None:
        world.entries = [
            replace(entry, data={**entry.data, "passed": passed})
            if entry.name.startswith("drill: ")
            else entry
            for entry in world.entries
        ]

    return spoil


def unstated(world: World) -> None:
    """The drill ended before it was held against what it states."""
    world.entries = [entry for entry in world.entries if not entry.name.startswith("drill: ")]


def measured_otherwise(world: World) -> None:
    """The drill says that nobody was hit."""
    for phase in world.run["phases"]:
        if phase["name"] == "drill":
            phase["drill"]["measured"]["failed"] = 0


def decided_by_judge(world: World) -> None:
    """The judge of the drill may abort, so that nothing is left to Argo."""
    for phase in world.run["phases"]:
        if phase["name"] == "drill":
            phase["parameters"]["judge"] = "abort"


TRIED = "POST /api/v1/namespaces/hello/pods"


def tried(status: str, attempt: str = "") -> Spoil:
    """What was tried as a pod was answered so: all of it, or one attempt."""

    def spoil(world: World) -> None:
        for one in [one for one in world.answers if one.asked.call == TRIED]:
            name = one.asked.parameters["body"]["metadata"]["name"]
            if name.endswith(attempt.replace(" ", "-")):
                world.answers.remove(one)
                world.answered(
                    "kube-apiserver", TRIED, {"message": "so"}, status=status, **one.asked.parameters
                )

    return spoil


def not_tried(world: World) -> None:
    """Nobody tried what must be refused."""
    world.answers = [one for one in world.answers if not {"dryRun", "as"} & one.asked.parameters.keys()]


def untaken(world: World) -> None:
    """The released pod itself was refused, in whatever form."""
    for one in [one for one in world.answers if "dryRun" in one.asked.parameters]:
        world.answers.remove(one)
        asked = one.asked
        world.answered("kube-apiserver", asked.call, {"message": "no"}, status="403", **asked.parameters)


def secrets_for(status: str, message: str = "no") -> Spoil:
    """Secrets were asked for in the name of others, and that was the answer."""

    def spoil(world: World) -> None:
        for one in [one for one in world.answers if "as" in one.asked.parameters]:
            world.answers.remove(one)
            asked = one.asked
            told = {"message": message}
            world.answered("kube-apiserver", asked.call, told, status=status, **asked.parameters)

    return spoil


def without_inventory(world: World) -> None:
    """The images were built elsewhere: nothing says what is in them."""
    for path in [path for path in world.files if path.startswith("images/")]:
        del world.files[path]


def another_inventory(world: World) -> None:
    """An inventory was written again after the build."""
    path = next(path for path in world.files if path.endswith("/sbom.cdx.json"))
    world.keep(path, {**json.loads(world.files[path]), "version": 2})


def lost_inventory(world: World) -> None:
    """One image of several has none."""
    del world.files[next(path for path in world.files if path.endswith("/sbom.cdx.json"))]
