"""How the service's pods are made, and whether they are well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollbook.coverage.lookup import Bundle, NoDataError, failed, few, proved
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import Need, check
from rollbook.coverage.world import Seen, objects

PODS = Need("look at a pod", lambda bundle: bool(objects(bundle, "Pod")))
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def _containers(seen: Seen) -> Iterator[Mapping[str, Any]]:
    yield from seen.manifest["spec"].get("initContainers") or ()
    yield from seen.manifest["spec"].get("containers") or ()


def _newest(bundle: Bundle) -> tuple[Seen, ...]:
    """Each pod of the service as it was last seen by itself or in a list."""
    namespace = bundle.evidence.run.service.namespace
    found = {
        str(seen.manifest["metadata"]["name"]): seen
        for seen in objects(bundle, "Pod")
        if seen.manifest["metadata"].get("namespace", namespace) == namespace
    }
    if not found:
        raise NoDataError(f"No pod of the namespace {namespace} was seen.")
    return tuple(found.values())


@check("service.healthy", needs=PODS)
def healthy(bundle: Bundle) -> Finding:
    """Every container declares a startup, a readiness and a liveness probe, and pods became Ready by them."""
    pods = _newest(bundle)
    evidence = few([seen.ref for seen in pods])
    for seen in pods:
        name = seen.manifest["metadata"]["name"]
        for container in seen.manifest["spec"].get("containers") or ():
            missing = [probe for probe in PROBES if not container.get(probe)]
            if missing:
                return failed(
                    f"{name}: container {container.get('name')} has no {', '.join(missing)}.", *evidence
                )
    ready = _ready(bundle)
    never = [
        str(seen.manifest["metadata"]["name"])
        for seen in pods
        if seen.manifest["metadata"]["name"] not in ready
        and "deletionTimestamp" not in seen.manifest["metadata"]
    ]
    if not ready or never:
        return failed(f"Never seen Ready: {', '.join(never) or 'any pod'}.", *evidence)
    sentence = f"{len(ready)} of {len(pods)} pods were seen Ready, all with {len(PROBES)} probes."
    return proved(sentence, *few(tuple(ready.values())))


def _ready(bundle: Bundle) -> dict[str, EvidenceRef]:
    """Where each pod was last seen Ready."""
    found: dict[str, EvidenceRef] = {}
    for seen in objects(bundle, "Pod"):
        conditions = (seen.manifest.get("status") or {}).get("conditions") or ()
        if any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions):
            found[str(seen.manifest["metadata"]["name"])] = seen.ref
    return found


@check("pods.restricted", needs=PODS)
def restricted(bundle: Bundle) -> Finding:
    """Pods run as no root, gain no privileges and drop all capabilities, and their namespace enforces it."""
    pods = _newest(bundle)
    namespaces = objects(bundle, "Namespace", name=bundle.evidence.run.service.namespace)
    evidence = [*few([seen.ref for seen in pods])]
    for seen in pods:
        of_pod = seen.manifest["spec"].get("securityContext") or {}
        for container in _containers(seen):
            wrong = _loose({**of_pod, **(container.get("securityContext") or {})})
            if wrong:
                return failed(f"{seen.manifest['metadata']['name']}: {wrong}.", *evidence)
    if not namespaces:
        raise NoDataError("The namespace of the service was not seen.", tuple(evidence))
    evidence.append(namespaces[-1].ref)
    labels = namespaces[-1].manifest["metadata"].get("labels") or {}
    enforced = labels.get("pod-security.kubernetes.io/enforce")
    if enforced != "restricted":
        return failed(f"The namespace enforces {enforced or 'no profile'}, not restricted.", *evidence)
    return proved(
        f"{len(pods)} pods keep to the restricted profile, which their namespace enforces.", *evidence
    )


def _loose(context: Mapping[str, Any]) -> str:
    """What a container's security context allows that it should not; empty when nothing."""
    if context.get("privileged"):
        return "a container is privileged"
    if context.get("runAsNonRoot") is not True:
        return "a container may run as root"
    if context.get("allowPrivilegeEscalation") is not False:
        return "a container may gain privileges"
    if "ALL" not in ((context.get("capabilities") or {}).get("drop") or ()):
        return "a container keeps capabilities"
    return ""


@check("pods.limited", needs=PODS)
def limited(bundle: Bundle) -> Finding:
    """Every container asks for CPU and memory, and has a limit of memory."""
    pods = _newest(bundle)
    evidence = few([seen.ref for seen in pods])
    for seen in pods:
        for container in _containers(seen):
            resources = container.get("resources") or {}
            requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
            if not (requests.get("cpu") and requests.get("memory") and limits.get("memory")):
                name = seen.manifest["metadata"]["name"]
                return failed(f"{name}: container {container.get('name')} is not bounded.", *evidence)
    return proved(f"Every container of {len(pods)} pods has requests and a limit of memory.", *evidence)
