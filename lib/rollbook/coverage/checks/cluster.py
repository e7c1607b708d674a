"""What the API server answered: that it is one, what was applied to it, who held the Lease, what is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rollbook.coverage.lookup import (
    Bundle,
    NoDataError,
    NotExercisedError,
    failed,
    few,
    judged,
    only_on,
    phases,
    proved,
    ran,
)
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import Need, check
from rollbook.coverage.world import CLUSTER, Seen, answers, manifests_in, objects, required
from rollbook.evidence.answers import Answer

TEARDOWN = Need("teardown", lambda bundle: bool(ran(bundle, "teardown")))
GOOD = ("200", "201")
_GIT_VERSION = re.compile(r"v\d+\.\d+\.\d+.*")


@check("api.is_real_kubernetes")
def is_real_kubernetes(bundle: Bundle, target: str = "") -> Finding:
    """An API server told its build, and gave what was applied a uid and a resource version.

    With `target`, only a run on that target says anything.
    """
    only_on(bundle, target)
    found = required(
        bundle, CLUSTER, "GET /version", status="200", told="asked an API server for its version"
    )
    answer, ref = found[-1]
    build = answer.answer
    whole = all(build.get(key) for key in ("major", "minor", "goVersion", "platform"))
    version = str(build.get("gitVersion", ""))
    if not whole or not _GIT_VERSION.fullmatch(version):
        return failed(f"What answered /version is no API server's build: {version or 'no gitVersion'}.", ref)
    given = [
        (manifest, where)
        for one, where in _applies(bundle)
        for manifest in manifests_in(one.answer)
        if manifest["metadata"].get("uid") and manifest["metadata"].get("resourceVersion")
    ]
    if not given:
        raise NoDataError(f"Kubernetes {version} answered, but nothing was applied to it.", (ref,))
    manifest, where = given[-1]
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    return proved(f"Kubernetes {version} ({build['goVersion']}) answered, and stored {name}.", ref, where)


def _applies(bundle: Bundle) -> Iterator[tuple[Answer, EvidenceRef]]:
    """Server-side applies that were taken, dry runs left out."""
    for answer, ref in answers(bundle, CLUSTER, "PATCH "):
        parameters = answer.asked.parameters
        if answer.status in GOOD and "fieldManager" in parameters and "dryRun" not in parameters:
            yield answer, ref


@check("manifests.kind_applied")
def kind_applied(bundle: Bundle, kind: str, name: str = "") -> Finding:
    """The API server took an object of this kind (and name) by server-side apply, and stored it."""
    taken = [
        (manifest, ref)
        for answer, ref in _applies(bundle)
        for manifest in manifests_in(answer.answer)
        if manifest.get("kind") == kind and name in {"", manifest["metadata"]["name"]}
    ]
    asked = [
        (answer, ref)
        for answer, ref in answers(bundle, CLUSTER, "PATCH ")
        for manifest in manifests_in(answer.asked.parameters.get("body"))
        if manifest.get("kind") == kind and name in {"", manifest["metadata"]["name"]}
    ]
    told = f"{kind} {name}".strip()
    if taken:
        manifest, ref = taken[-1]
        version = manifest["metadata"].get("resourceVersion")
        return proved(f"{told} was applied and is stored, resource version {version}.", ref)
    if asked:
        answer, ref = asked[-1]
        why = answer.answer.get("message", "") if isinstance(answer.answer, dict) else ""
        return failed(f"The API server refused {told} ({answer.status}): {why or 'it gave no reason'}.", ref)
    raise NotExercisedError(f"This run applied no {told}.")


@check("argo.controller_answers")
def controller_answers(bundle: Bundle) -> Finding:
    """The API server serves Rollouts, and Argo's controller has looked at one and written its status."""
    seen = [one for one in objects(bundle, "Rollout") if one.at is not None]
    if not seen:
        raise NotExercisedError("No Rollout was asked for in this run.")
    done = [one for one in seen if _observed(one)]
    last = (done or seen)[-1]
    name = last.manifest["metadata"]["name"]
    if not done:
        return failed(f"Nobody acts on Rollout {name}: its status has no observed generation.", last.ref)
    now = last.manifest["status"]
    return proved(
        f"Argo observed generation {now['observedGeneration']} of Rollout {name}: {now.get('phase')}.",
        last.ref,
    )


def _observed(seen: Seen) -> bool:
    observed = (seen.manifest.get("status") or {}).get("observedGeneration")
    return observed is not None and int(observed) >= int(seen.manifest["metadata"].get("generation") or 0)


@check("lease.held")
def lease_held(bundle: Bundle) -> Finding:
    """A Lease in the name of this run, and of nobody else, was written before the Rollout was changed."""
    writes = [
        (answer, ref)
        for verb in ("POST", "PUT")
        for answer, ref in answers(bundle, CLUSTER, f"{verb} /apis/coordination.k8s.io/")
    ]
    changes = [
        (answer, ref)
        for answer, ref in _applies(bundle)
        if any(manifest.get("kind") == "Rollout" for manifest in manifests_in(answer.answer))
    ]
    if not changes:
        raise NotExercisedError("This run changed no Rollout, so it needed no Lease.")
    held = sorted((pair for pair in writes if pair[0].status in GOOD), key=lambda pair: pair[0].at)
    first, change = changes[0]
    if not held:
        return failed("The Rollout was changed, and no Lease was written.", change)
    holders = sorted({str((answer.answer.get("spec") or {}).get("holderIdentity")) for answer, _ in held})
    evidence = (*few([ref for _, ref in held], 4), change)
    if held[0][0].at > first.at:
        return failed("The Rollout was changed before a Lease was held.", *evidence)
    strangers = [holder for holder in holders if not holder.startswith(f"{bundle.evidence.run_id}@")]
    if strangers:
        return failed(f"The Lease was written in the name of {', '.join(strangers)}.", *evidence)
    return proved(f"The Lease was held by {', '.join(holders)} before the Rollout was changed.", *evidence)


@check("teardown.nothing_left", needs=TEARDOWN)
def nothing_left(bundle: Bundle) -> Finding:
    """Asked again after teardown, the API server knows no namespace of the service."""
    evidence: list[EvidenceRef] = []
    namespace = bundle.evidence.run.service.namespace
    for phase in phases(bundle, "teardown"):
        path = f"GET /api/v1/namespaces/{namespace}"
        found = answers(bundle, CLUSTER, path, phase=phase.name)
        if not found:
            raise NoDataError(
                f"Nobody asked for the namespace {namespace} after {phase.name}.", tuple(evidence)
            )
        answer, ref = found[-1]
        evidence.append(ref)
        if answer.status != "404":
            return failed(f"The namespace {namespace} is still there ({answer.status}).", *evidence)
        for gone, where in answers(bundle, "aws:ecr", "ecr:DeleteRepository", phase=phase.name):
            evidence.append(where)
            if gone.status not in {"200", "RepositoryNotFoundException"}:
                return failed(f"The image repository was not deleted: {gone.status}.", *evidence)
    return proved(f"The API server knows no namespace {namespace} any more (404).", *evidence)


@check("secrets.synced")
def secrets_synced(bundle: Bundle, name: str = "") -> Finding:
    """An operator brought a secret of AWS Secrets Manager into the cluster: its ExternalSecret is Ready."""
    return _ready(bundle, "ExternalSecret", name)


@check("tls.certificate_issued")
def certificate_issued(bundle: Bundle, issuer: str = "") -> Finding:
    """cert-manager issued a certificate: a Certificate (of this issuer) is Ready."""
    return _ready(bundle, "Certificate", issuer=issuer)


def _ready(bundle: Bundle, kind: str, name: str = "", issuer: str = "") -> Finding:
    """Whether the last seen object of a kind is Ready, by its own conditions."""
    found = [
        seen
        for seen in objects(bundle, kind, name=name)
        if issuer in {"", str((seen.manifest["spec"].get("issuerRef") or {}).get("name", ""))}
    ]
    if not found:
        raise NotExercisedError(f"No {kind} was seen in this run.")
    last = found[-1]
    conditions = (last.manifest.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, Any] = next((one for one in conditions if one.get("type") == "Ready"), {})
    told = f"{kind} {last.manifest['metadata']['name']}"
    why = ready.get("message") or ready.get("reason") or "it has no condition Ready"
    return judged(ready.get("status") == "True", f"{told}: {why}.", last.ref)


@check("helm.release_deployed")
def release_deployed(bundle: Bundle, release: str) -> Finding:
    """Helm holds this release as deployed: the Secret that it keeps of it says so."""
    found = [
        seen
        for seen in objects(bundle, "Secret")
        if (seen.manifest["metadata"].get("labels") or {}).get("owner") == "helm"
        and seen.manifest["metadata"]["labels"].get("name") == release
    ]
    if not found:
        raise NotExercisedError(f"No Helm release {release} was seen in this run.")
    last = max(found, key=lambda seen: int(seen.manifest["metadata"]["labels"].get("version") or 0))
    labels = last.manifest["metadata"]["labels"]
    told = f"Helm release {release}, revision {labels.get('version')}, is {labels.get('status')}"
    return judged(labels.get("status") == "deployed", f"{told}.", last.ref)
