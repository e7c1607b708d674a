"""Manifests: rendered by kustomize, applied server-side in order, deleted and waited for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rollbook.errors import BadInputError, EnvironmentFailedError, ManifestRefusedError, NotFoundError
from rollbook.kubernetes.argo_fields import with_argo_fields
from rollbook.kubernetes.discovery import Discovery, Resource
from rollbook.kubernetes.rest import APPLY_PATCH, ApiServer, ServerRefusedError
from rollbook.ports import Applied, Manifest

FIELD_MANAGER = "rollbook"
KUSTOMIZE_TIMEOUT_S = 60.0
ESTABLISH_TIMEOUT_S = 30.0
POLL_S = 0.2

_FIRST = {"Namespace": 0, "CustomResourceDefinition": 1}
_REST = 2
_CONFLICT_ATTEMPTS = 5
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation")


def render(kubectl: Path, overlay: Path) -> tuple[Manifest, ...]:
    """Build an overlay with `kubectl kustomize`.

    BadInputError when kustomize refuses it, EnvironmentFailedError when kubectl cannot run.
    """
    if not overlay.is_dir():
        raise BadInputError(
            f"there is no kustomize overlay at {overlay}",
            next_step="Correct `overlays` in the service file.",
        )
    try:
        done = subprocess.run(
            [str(kubectl), "kustomize", str(overlay)],
            capture_output=True,
            text=True,
            timeout=KUSTOMIZE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailedError(
            f"kubectl cannot render {overlay}",
            why=str(error),
            next_step="Check that kubectl is built or installed (`rollbook doctor`).",
        ) from error
    if done.returncode != 0:
        raise BadInputError(
            f"kustomize refuses {overlay}",
            why=(done.stderr.strip().splitlines() or ["it gave no reason"])[-1],
            next_step="Correct the overlay, then run again.",
        )
    return parse(done.stdout, source=str(overlay))


def parse(text: str, *, source: str) -> tuple[Manifest, ...]:
    """Objects of a YAML stream. BadInputError when it is no YAML or holds something else."""
    try:
        documents = [document for document in YAML(typ="safe").load_all(text) if document is not None]
    except YAMLError as error:
        raise BadInputError(f"{source} is not valid YAML", why=" ".join(str(error).split())) from error
    for document in documents:
        if not isinstance(document, dict) or not document.get("kind") or not document.get("apiVersion"):
            raise BadInputError(
                f"{source} holds something that is no Kubernetes object",
                why="it lacks kind or apiVersion",
                next_step="Correct the manifest, then run again.",
            )
    return tuple(documents)


def in_order(manifests: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """Namespaces first, then CustomResourceDefinitions, then the rest as it stands."""
    return tuple(sorted(manifests, key=lambda manifest: _FIRST.get(str(manifest.get("kind")), _REST)))


class Applier:
    """Server-side apply as the field manager `rollbook`, which takes over the fields it sets."""

    def __init__(self, api: ApiServer, discovery: Discovery) -> None:
        self._api = api
        self._discovery = discovery

    def apply(self, manifests: Sequence[Manifest], *, dry_run: bool) -> tuple[Applied, ...]:
        """Apply in order and tell what each object's apply changed.

        A dry run validates on the server and changes nothing; an object whose namespace would only be
        made by this very call is validated in the namespace `default`. ManifestRefusedError names the
        first object refused.
        """
        missing = self._missing_namespaces(manifests) if dry_run else frozenset()
        return tuple(
            self._apply_one(manifest, dry_run=dry_run, missing=missing) for manifest in in_order(manifests)
        )

    def _missing_namespaces(self, manifests: Sequence[Manifest]) -> frozenset[str]:
        named = {str(one["metadata"]["name"]) for one in manifests if one.get("kind") == "Namespace"}
        resource = self._discovery.find("Namespace", "v1") if named else None
        return frozenset(
            name for name in named if resource and read(self._api, resource.path("", name)) is None
        )

    def _apply_one(self, manifest: Manifest, *, dry_run: bool, missing: frozenset[str]) -> Applied:
        kind, metadata = str(manifest.get("kind", "")), manifest.get("metadata") or {}
        name = str(metadata.get("name") or "")
        if not name:
            raise ManifestRefusedError(
                f"a manifest of kind {kind or '(none)'} has no name",
                next_step="Give it a metadata.name, then run again.",
            )
        try:
            resource = self._discovery.find(kind, str(manifest.get("apiVersion", "")))
        except NotFoundError as error:
            raise ManifestRefusedError(
                f"{kind} {name} was refused", why=error.what, next_step=error.next_step
            ) from error
        namespace = str(metadata.get("namespace") or "default") if resource.namespaced else ""
        sent_to = "default" if namespace in missing else namespace
        body = {**manifest, "metadata": {**metadata, "namespace": sent_to}} if namespace else dict(manifest)
        path = resource.path(sent_to, name)
        before = read(self._api, path)
        if kind == "Namespace" and before and before.get("status", {}).get("phase") == "Terminating":
            wait_gone(self._api, path, f"namespace {name}", uid=uid_of(before), wait_s=60.0)
            before = None
        told = _told(kind, namespace, name)
        for attempt in range(_CONFLICT_ATTEMPTS, 0, -1):
            try:
                after = self._patch(path, with_argo_fields(body, before), dry_run=dry_run)
                break
            except ServerRefusedError as error:
                if error.code == 409 and attempt > 1:
                    before = read(self._api, path)
                    continue
                if error.code in {401, 429} or error.code >= 500:
                    raise
                raise ManifestRefusedError(
                    f"the API server refused {told} ({error.code})",
                    why=error.message,
                    next_step=_next_step(error.code),
                ) from error
        if kind == "CustomResourceDefinition" and not dry_run:
            self._discovery.forget()
            self._wait_established(resource, name)
        return Applied(kind=kind, namespace=namespace, name=name, change=_change(before, after))

    def _patch(self, path: str, body: Manifest, *, dry_run: bool) -> Manifest:
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        applied: Manifest = self._api.request("PATCH", path, query=query, body=body, content_type=APPLY_PATCH)
        return applied

    def _wait_established(self, resource: Resource, name: str) -> None:
        deadline = time.monotonic() + ESTABLISH_TIMEOUT_S
        while time.monotonic() < deadline:
            definition = read(self._api, resource.path("", name)) or {}
            conditions = definition.get("status", {}).get("conditions") or []
            if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
                return
            time.sleep(POLL_S)
        raise EnvironmentFailedError(
            f"the CustomResourceDefinition {name} was not established within {ESTABLISH_TIMEOUT_S:g} s",
            next_step=f"Look at the conditions of `kubectl get crd {name} -o yaml`.",
        )


def read(api: ApiServer, path: str) -> Manifest | None:
    """GET an object; None when it is not there."""
    try:
        found: Manifest = api.request("GET", path)
    except ServerRefusedError as error:
        if error.code == 404:
            return None
        raise
    return found


def delete(api: ApiServer, path: str, told: str, *, wait_s: float) -> bool:
    """Delete an object after its dependents and wait until it is gone; False when it was not there.

    EnvironmentFailedError when it is still there after `wait_s` seconds.
    """
    before = read(api, path)
    if before is None:
        return False
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
    try:
        api.request("DELETE", path, body=body)
    except ServerRefusedError as error:
        if error.code != 404:
            raise
    wait_gone(api, path, told, uid=uid_of(before), wait_s=wait_s)
    return True


def wait_gone(api: ApiServer, path: str, told: str, *, uid: str, wait_s: float) -> None:
    """Wait until the object with this uid is gone. EnvironmentFailedError after `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while True:
        found = read(api, path)
        if found is None or uid_of(found) != uid:
            return
        if time.monotonic() >= deadline:
            finalizers = found["metadata"].get("finalizers") or []
            raise EnvironmentFailedError(
                f"{told} is still there {wait_s:g} s after its deletion",
                why=f"it waits for {', '.join(finalizers)}" if finalizers else "",
                next_step="Look at what it still owns, and at the log of the controller manager.",
            )
        time.sleep(POLL_S)


def uid_of(thing: Manifest) -> str:
    """The object's uid."""
    return str(thing["metadata"].get("uid", ""))


def _change(before: Manifest | None, after: Manifest) -> str:
    """`created`, `configured` or `unchanged`: what people wrote is compared, not the server's bookkeeping.

    (The resourceVersion alone would not do: it moves when only the bookkeeping does, and stays in a dry run.)
    """
    if before is None:
        return "created"
    return "unchanged" if _contents(before) == _contents(after) else "configured"


def _contents(thing: Manifest) -> Mapping[str, Any]:
    metadata = {key: value for key, value in thing["metadata"].items() if key not in _BOOKKEEPING}
    return {**{key: value for key, value in thing.items() if key != "status"}, "metadata": metadata}


def _told(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _next_step(code: int) -> str:
    if code == 404:
        return "Create its namespace and install the controller that owns its kind, then run again."
    if code == 403:
        return "Give the kubeconfig's user the permission, or correct the manifest, then run again."
    return "Correct the manifest, then run again."
