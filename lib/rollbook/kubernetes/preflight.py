"""What has to be true of a cluster before a release into it: looked at, and never changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from rollbook.domain.findings import Finding, State, judged, not_checked
from rollbook.errors import NotFoundError, RollbookError
from rollbook.kubernetes import controllers
from rollbook.kubernetes.discovery import Discovery
from rollbook.kubernetes.edge import GIVE_IT, edge_url
from rollbook.kubernetes.manifests import read
from rollbook.kubernetes.permissions import APPLY, Access, Names, Where, permissions
from rollbook.kubernetes.rest import ApiServer, ServerRefusedError
from rollbook.ports import Manifest, Metrics

OLDEST = (1, 30)
"""Since then API servers tell all kinds in one answer (aggregated discovery v2), as `Discovery` asks."""
TESTED = (1, 36)
"""Version of the sandbox's API server, with which every test here runs."""
ANONYMOUS = "system:anonymous"
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True)
class Kinds:
    """Resources that a CustomResourceDefinition brings, and who installs it."""

    name: str
    group_version: str
    plurals: tuple[str, ...]
    install: str


ARGO = Kinds(
    "kinds of Argo Rollouts",
    "argoproj.io/v1alpha1",
    ("rollouts", "rollouts/status", "analysistemplates", "analysisruns", "experiments"),
    "Install Argo Rollouts with its CustomResourceDefinitions; k8s/addons/argo-rollouts has the values.",
)
TRAEFIK = Kinds(
    "kinds of Traefik",
    "traefik.io/v1alpha1",
    ("traefikservices", "ingressroutes", "middlewares"),
    "Install Traefik 3 with its CustomResourceDefinitions; k8s/addons/traefik has the values.",
)


def preflight(
    server: ApiServer,
    *,
    names: Names,
    metrics: Metrics,
    edge: str = "",
    manifests: Sequence[Manifest] = (),
    required: Sequence[Kinds] = (ARGO, TRAEFIK),
) -> tuple[Finding, ...]:
    """All findings, in an order in which they can be mended. Raises nothing that the cluster can cause.

    `edge` is the URL at which users come in; without one it is looked for at Traefik's Service. `manifests`
    are those of the service's overlay: kinds and plugins that only they need are looked for as well.
    """
    try:
        reached = version(server.request("GET", "/version"))
    except RollbookError as error:
        reached = _unanswered("API server", error)
        if reached.state is State.FAIL:
            rest = not_checked("everything else", "the API server does not let us in")
            return (reached, rest)
    user: list[str] = []
    identity = _asked("identity", lambda: _identity(server, user))
    return (reached, identity, *_findings(server, names, metrics, edge, manifests, required, "".join(user)))


def _findings(
    server: ApiServer,
    names: Names,
    metrics: Metrics,
    edge: str,
    manifests: Sequence[Manifest],
    required: Sequence[Kinds],
    user: str,
) -> Iterator[Finding]:
    for each in required:
        yield _asked(each.name, partial(kinds, server, each))
    more: list[Access] = []
    if manifests:
        yield _asked("kinds of the overlay", lambda: _overlay(server, manifests, more))
    yield _asked("controller of Argo Rollouts", lambda: controllers.argo(server, names.namespace))
    plugins = controllers.plugins_of(manifests)
    if plugins:
        yield _asked("traffic router plugins", lambda: controllers.plugins(server, plugins))
    yield _asked("Traefik", lambda: controllers.traefik(server))
    yield from _permissions(server, user or "the user", names, more)
    yield from _metrics(metrics)
    yield _asked("edge", lambda: _edge(server, edge))


def version(answer: Mapping[str, Any]) -> Finding:
    """Whether the API server of this `/version` is one that rollbook works with."""
    told = str(answer.get("gitVersion", ""))
    found = re.match(r"v?(\d+)\.(\d+)", told)
    tested = ".".join(map(str, TESTED))
    if found is None:
        return not_checked(
            "API server", f"its version is {told or 'not told'}", "Check the kubeconfig's server."
        )
    number = (int(found.group(1)), int(found.group(2)))
    if number < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Finding("API server", State.FAIL, told, f"Upgrade the cluster to {oldest} or newer.")
    state = State.WARN if number > TESTED else State.OK
    same = "" if number == TESTED else f"; rollbook's tests run with {tested}"
    return judged("API server", state, told + same, "Try a release that may fail first.")


def kinds(server: ApiServer, wanted: Kinds) -> Finding:
    """Whether the API server serves these resources."""
    try:
        answer = server.request("GET", f"/apis/{wanted.group_version}")
    except ServerRefusedError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return Finding(wanted.name, State.FAIL, f"{wanted.group_version} is not served", wanted.install)
    served = {str(one["name"]) for one in answer.get("resources") or ()}
    missing = [one for one in wanted.plurals if one not in served]
    return judged(
        wanted.name,
        State.FAIL if missing else State.OK,
        f"{wanted.group_version} lacks {', '.join(missing)}" if missing else wanted.group_version,
        wanted.install,
    )


def _overlay(server: ApiServer, manifests: Sequence[Manifest], more: list[Access]) -> Finding:
    """Whether the kinds of these manifests are known; what an apply of them needs is added to `more`."""
    discovery, missing = Discovery(server), []
    wanted = sorted({(str(one["kind"]), str(one["apiVersion"])) for one in manifests})
    for kind, api_version in wanted:
        try:
            found = discovery.find(kind, api_version)
        except NotFoundError:
            missing.append(f"{kind} ({api_version})")
            continue
        where = Where.SERVICE if found.namespaced else Where.CLUSTER
        more += [Access(verb, found.group, found.plural, where) for verb in APPLY]
    return judged(
        "kinds of the overlay",
        State.FAIL if missing else State.OK,
        f"unknown to the cluster: {', '.join(missing)}" if missing else f"all {len(wanted)}",
        "Install the controllers that own them, or take them out of the overlay.",
    )


def _identity(server: ApiServer, user: list[str]) -> Finding:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    info = (server.request("POST", REVIEW, body=body).get("status") or {}).get("userInfo") or {}
    name = str(info.get("username") or ANONYMOUS)
    user.append(name)
    state = State.FAIL if name == ANONYMOUS else State.OK
    groups = ", ".join(info.get("groups") or ())
    return judged(
        "identity",
        state,
        f"{name} ({groups})" if groups else name,
        "Check the credentials of the kubeconfig.",
    )


def _permissions(server: ApiServer, user: str, names: Names, more: Sequence[Access]) -> Iterator[Finding]:
    try:
        there = _is_there(server, names.namespace)
        yield from permissions(server, user, names, more=more, namespace_is_there=there)
    except RollbookError as error:
        yield _unanswered("permissions", error)


def _is_there(server: ApiServer, namespace: str) -> bool:
    try:
        return read(server, f"/api/v1/namespaces/{namespace}") is not None
    except ServerRefusedError as error:
        if error.code == HTTPStatus.FORBIDDEN:
            return False  # unknown, so that to create it is looked at as well
        raise


def _metrics(metrics: Metrics) -> Iterator[Finding]:
    try:
        components = metrics.components()
    except RollbookError as error:
        yield _unanswered("metrics", error)
        return
    for one in components:
        yield judged(
            one.name,
            State.OK if one.healthy else State.FAIL,
            ": ".join(part for part in (one.version, one.detail) if part) or "ready",
            "Give its place under `addresses` in the service file: a URL, or namespace/service:port of a "
            "Service that the user may reach through the API server (`get` on services/proxy).",
        )


def _edge(server: ApiServer, given: str) -> Finding:
    if given:
        return not_checked("edge", f"{given} is given by the service file, and users' requests go there")
    try:
        return Finding("edge", State.OK, edge_url(server, timeout_s=0.0))
    except ServerRefusedError as error:
        if error.code != HTTPStatus.FORBIDDEN:
            raise
        # Not like the other questions: a release asks this one itself.
        return Finding("edge", State.FAIL, error.why, f"Allow `get` on Traefik's Service. {GIVE_IT}")


def _asked(name: str, check: Callable[[], Finding]) -> Finding:
    """The check's finding; where the cluster did not answer, what that says."""
    try:
        return check()
    except RollbookError as error:
        return _unanswered(name, error)


def _unanswered(name: str, error: RollbookError) -> Finding:
    """What may not be asked is not checked. All else fails."""
    if isinstance(error, ServerRefusedError) and error.code == HTTPStatus.FORBIDDEN:
        return not_checked(name, f"no permission to ask ({error.why})", error.next_step)
    detail = f"{error.what}: {error.why}" if error.why else error.what
    return Finding(name, State.FAIL, detail, error.next_step)
