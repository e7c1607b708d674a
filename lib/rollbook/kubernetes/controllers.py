"""Whether the controllers that rollbook counts on run in a cluster, by their Deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rollbook.domain.findings import Finding, State, judged
from rollbook.kubernetes.manifests import read
from rollbook.kubernetes.objects import deployment_component
from rollbook.kubernetes.rest import ApiServer
from rollbook.ports import Manifest

NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
ARGO = "argo-rollouts"
ARGO_CONTROLLER = "rollouts-controller"
"""Argo's own manifests and its chart give the dashboard the same name, and another component."""
ARGO_CONFIG = "argo-rollouts-config"
"""ConfigMap beside the controller that names its plugins."""
TRAEFIK = "traefik"


def argo(server: ApiServer, namespace: str) -> Finding:
    """Whether a controller of Argo Rollouts is available that looks after `namespace`."""
    name = "controller of Argo Rollouts"
    found = _argo(server)
    if not found:
        return _nowhere(name, ARGO, "Deployment")
    fitting = [one for one in found if not _of_one_namespace(one) or _namespace(one) == namespace]
    if fitting:
        return _available(name, fitting)
    return Finding(
        name,
        State.FAIL,
        f"{_told(found)}: of its own namespace only (--namespaced), and not of {namespace}",
        "Install it for the whole cluster, or another one in that namespace.",
    )


def traefik(server: ApiServer) -> Finding:
    """Whether Traefik is available, as a Deployment or a DaemonSet."""
    found = [*_named(server, "deployments", TRAEFIK), *_named(server, "daemonsets", TRAEFIK)]
    return _available("Traefik", found) if found else _nowhere("Traefik", TRAEFIK, "Deployment or DaemonSet")


def plugins_of(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    """Traffic router plugins that Rollouts name. Traefik needs none: it is built into Argo Rollouts."""
    named = set()
    for manifest in manifests:
        if manifest.get("kind") == "Rollout":
            strategy = (manifest.get("spec") or {}).get("strategy") or {}
            routing = (strategy.get("canary") or {}).get("trafficRouting") or {}
            named |= set(routing.get("plugins") or {})
    return tuple(sorted(named))


def plugins(server: ApiServer, wanted: Sequence[str]) -> Finding:
    """Whether Argo's ConfigMap names these traffic router plugins."""
    places = sorted({_namespace(one) for one in _argo(server)}) or [ARGO]
    known: set[str] = set()
    for place in places:
        config = read(server, f"/api/v1/namespaces/{place}/configmaps/{ARGO_CONFIG}") or {}
        text = str((config.get("data") or {}).get("trafficRouterPlugins") or "")
        known |= _names_in(text)
    missing = [one for one in wanted if one not in known]
    return judged(
        "traffic router plugins",
        State.FAIL if missing else State.OK,
        f"not configured: {', '.join(missing)}" if missing else ", ".join(wanted),
        f"Name them under trafficRouterPlugins of the ConfigMap {ARGO_CONFIG} in {', '.join(places)}.",
    )


def _names_in(text: str) -> set[str]:
    """Names of a list of plugins; none where it is not one."""
    try:
        listed = YAML(typ="safe").load(text)
    except YAMLError:
        return set()
    items = listed if isinstance(listed, list) else []
    return {str(one["name"]) for one in items if isinstance(one, Mapping) and one.get("name")}


def _argo(server: ApiServer) -> list[dict[str, Any]]:
    found = _named(server, "deployments", ARGO)
    return [one for one in found if _label(one, COMPONENT) in {"", ARGO_CONTROLLER}]


def _named(server: ApiServer, plural: str, name: str) -> list[dict[str, Any]]:
    listed = server.request("GET", f"/apis/apps/v1/{plural}", query={"labelSelector": f"{NAME}={name}"})
    return list(listed.get("items") or ())


def _label(thing: Manifest, label: str) -> str:
    return str((thing["metadata"].get("labels") or {}).get(label, ""))


def _namespace(thing: Manifest) -> str:
    return str(thing["metadata"]["namespace"])


def _of_one_namespace(deployment: Manifest) -> bool:
    containers = deployment["spec"]["template"]["spec"].get("containers") or ()
    said = [word for one in containers for word in (*(one.get("command") or ()), *(one.get("args") or ()))]
    return any(word in {"--namespaced", "--namespaced=true"} for word in said)


def _available(name: str, found: Sequence[Manifest]) -> Finding:
    available = any(_ready(one)[0] > 0 for one in found)
    first = found[0]
    return judged(
        name,
        State.OK if available else State.FAIL,
        _told(found),
        f"Look at its pods: kubectl get pods -n {_namespace(first)} -l {NAME}={_label(first, NAME)}",
    )


def _told(found: Sequence[Manifest]) -> str:
    parts = []
    for one in found:
        ready, wanted = _ready(one)
        version = deployment_component(one).version or "without a version"
        place = f"{_namespace(one)}/{one['metadata']['name']}"
        parts.append(f"{place} {version}, {ready} of {wanted} pods available")
    return "; ".join(parts)


def _ready(one: Manifest) -> tuple[int, int]:
    """Pods that are available, and pods that are wanted, of a Deployment or a DaemonSet."""
    status = one.get("status") or {}
    if "desiredNumberScheduled" in status:
        return int(status.get("numberAvailable") or 0), int(status["desiredNumberScheduled"])
    return int(status.get("availableReplicas") or 0), int(one["spec"].get("replicas", 1))


def _nowhere(name: str, label: str, kind: str) -> Finding:
    """Nobody of that label: it may run otherwise, as in the sandbox, so this is no failure yet."""
    return Finding(
        name,
        State.WARN,
        f"not found as a {kind} labelled {NAME}={label}",
        "Install it, if it does not run in some other way (in the sandbox it is a process of this machine).",
    )
