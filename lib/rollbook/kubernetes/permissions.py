"""What rollbook asks of a cluster, and whether the user may: asked by SelfSubjectAccessReview."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollbook.domain.findings import Finding, State, judged
from rollbook.kubernetes.leases import NAMESPACE as LEASES
from rollbook.kubernetes.rest import ApiServer

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Purpose(StrEnum):
    """What is done with a permission. Only a release cannot do without."""

    RELEASE = "release"
    TEARDOWN = "teardown"


class Where(StrEnum):
    """Where an object is that a permission is for."""

    SERVICE = "the service's namespace"
    LEASES = "the namespace of Leases"
    CLUSTER = "the whole cluster"


@dataclass(frozen=True)
class Access:
    """One verb on one resource; `resource` is plural, with its subresource behind a slash."""

    verb: str
    group: str
    resource: str
    where: Where = Where.SERVICE
    purpose: Purpose = Purpose.RELEASE


@dataclass(frozen=True)
class Names:
    """What a role may be narrowed to: the service's namespace, and the Lease of the release."""

    namespace: str
    lease: str


APPLY = ("get", "create", "patch")
"""A server-side apply; `create` is for an object that is not there yet."""
_APPLIED: Mapping[str, tuple[str, ...]] = {
    "": ("configmaps", "serviceaccounts", "services"),
    "networking.k8s.io": ("networkpolicies",),
    "policy": ("poddisruptionbudgets",),
    "traefik.io": ("ingressroutes", "traefikservices"),
    "argoproj.io": ("analysistemplates", "rollouts"),
}
_READ: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("argoproj.io", "rollouts"): ("list", "watch"),
    ("argoproj.io", "analysisruns"): ("get", "list"),
    ("apps", "replicasets"): ("get", "list"),
    ("", "pods"): ("get", "list"),
    ("", "pods/log"): ("get",),
    ("", "events"): ("list",),
}
_LEASE = ("get", "create", "update", "delete")

ACCESSES: tuple[Access, ...] = (
    *(
        Access(verb, group, resource)
        for group, resources in _APPLIED.items()
        for resource in resources
        for verb in APPLY
    ),
    *(Access(verb, group, resource) for (group, resource), verbs in _READ.items() for verb in verbs),
    # Promote, abort, retry.
    Access("patch", "argoproj.io", "rollouts/status"),
    *(Access(verb, "coordination.k8s.io", "leases", Where.LEASES) for verb in _LEASE),
    *(Access(verb, "", "namespaces", Where.CLUSTER) for verb in APPLY),
    Access("list", "", "nodes", Where.CLUSTER),
    Access("list", "apps", "deployments", Where.CLUSTER),
    Access("delete", "", "namespaces", Where.CLUSTER, Purpose.TEARDOWN),
)
"""All that `KubernetesCluster` and `KubernetesLeases` ask, for the kinds of k8s/base and k8s/rollouts.

Left out is what every user who is known may ask (versions, health, discovery, and about themselves), and
what is found out by doing it: `get` on Traefik's Service, and on `services/proxy` of Prometheus and
Alertmanager.
"""


def permissions(
    server: ApiServer, user: str, names: Names, *, more: Iterable[Access] = (), namespace_is_there: bool
) -> Iterator[Finding]:
    """A finding for each purpose; `more` is for kinds that only this service's overlay has.

    The namespace need not be created where it is there. What the API server raises is raised.
    """
    wanted = dict.fromkeys((*ACCESSES, *more))
    for purpose in Purpose:
        asked = [
            one
            for one in wanted
            if one.purpose is purpose
            and not (namespace_is_there and (one.verb, one.resource) == ("create", "namespaces"))
        ]
        refused = [one for one in asked if not allowed(server, one, names)]
        state = State.FAIL if purpose is Purpose.RELEASE else State.WARN
        yield judged(
            f"permissions for {purpose}",
            state if refused else State.OK,
            f"{user} may not: {_told(refused, names)}"
            if refused
            else f"{len(asked)} of {len(asked)} allowed to {user}",
            "Give the user a role that allows these; k8s/overlays/eks/access has one for releases."
            if purpose is Purpose.RELEASE
            else "Leave it so where an administrator deletes the namespace, or allow it.",
        )


def allowed(server: ApiServer, access: Access, names: Names) -> bool:
    """Whether the user may do this."""
    resource, _, subresource = access.resource.partition("/")
    attributes = {
        "verb": access.verb,
        "group": access.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": _namespace(access, names),
        "name": _name(access, names),
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = server.request("POST", REVIEWS, body=body)
    return bool((answer.get("status") or {}).get("allowed"))


def _namespace(access: Access, names: Names) -> str:
    """Its namespace; empty for all of them, and for what has none."""
    if access.where is Where.SERVICE:
        return names.namespace
    if access.where is Where.LEASES:
        return LEASES
    # To the API server, a request for a Namespace itself is one within that namespace.
    return _name(access, names) if access.resource == "namespaces" else ""


def _name(access: Access, names: Names) -> str:
    """The name that a role may be narrowed to. What is created has none when that is decided."""
    if access.verb == "create":
        return ""
    return {"leases": names.lease, "namespaces": names.namespace}.get(access.resource, "")


def _told(refused: Iterable[Access], names: Names) -> str:
    """`get, patch services in shop; list nodes in the whole cluster`, a part for each resource."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for one in refused:
        main, slash, subresource = one.resource.partition("/")
        full = f"{main}.{one.group}" if one.group else main
        place = _namespace(one, names) or str(Where.CLUSTER)
        verbs.setdefault((f"{full}{slash}{subresource}", place), []).append(one.verb)
    return "; ".join(f"{', '.join(each)} {resource} in {place}" for (resource, place), each in verbs.items())
