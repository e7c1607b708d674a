"""The cluster: reads, applies, and the verbs of Argo Rollouts, as `rollbook.ports.Cluster` asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rollbook.domain.release import Component
from rollbook.domain.rollout import AnalysisRun, ClusterEvent, PodStatus, RolloutStatus, Step
from rollbook.errors import EnvironmentFailedError, NotFoundError
from rollbook.kubernetes import objects, rollouts
from rollbook.kubernetes.discovery import Discovery
from rollbook.kubernetes.manifests import FIELD_MANAGER, Applier, delete, read, render
from rollbook.kubernetes.rest import JSON_PATCH, MERGE_PATCH, ApiServer, ServerRefusedError
from rollbook.kubernetes.watch import watch_object
from rollbook.ports import Applied, Manifest

CANARY_PAUSE = "CanaryPauseStep"
"""Argo's reason for a pause that a step of the strategy declares."""
CONFLICT = 409
OBSERVE_TIMEOUT_S = 15.0
"""How long a verb waits until the controller has seen the newest template: it forgets a verb given before."""


def connect(
    kubeconfig: Path, *, context: str | None = None, kubectl: Path, container: str = ""
) -> KubernetesCluster:
    """Make the adapter for the cluster of a kubeconfig; nothing is asked of the cluster yet.

    `kubectl` renders overlays. `container` names the service's container in its pod template: its image
    is told in statuses, and its log is read; the first container when empty.
    BadInputError when the kubeconfig cannot be used.
    """
    return KubernetesCluster(
        ApiServer.from_kubeconfig(kubeconfig, context), kubectl=kubectl, container=container
    )


class KubernetesCluster:
    """A Kubernetes cluster with Argo Rollouts."""

    def __init__(self, api: ApiServer, *, kubectl: Path, container: str = "") -> None:
        self._api = api
        self._kubectl = kubectl
        self._container = container
        self._discovery = Discovery(api)

    def components(self) -> tuple[Component, ...]:
        """The API server, its nodes, and argo-rollouts where it runs as a Deployment."""
        version = self._api.request("GET", "/version")
        try:
            ready = self._api.request_bytes("GET", "/readyz", timeout_s=5.0) == b"ok"
            detail = "" if ready else "/readyz does not say ok"
        except EnvironmentFailedError as error:
            ready, detail = False, error.why
        server = Component("kube-apiserver", str(version.get("gitVersion", "")), ready, detail)
        nodes = [objects.node_component(node) for node in self._list("Node")]
        deployments = self._list("Deployment", selector="app.kubernetes.io/name=argo-rollouts")
        return (server, *nodes, *map(objects.deployment_component, deployments))

    def render(self, overlay: Path) -> tuple[Manifest, ...]:
        """Build a kustomize overlay. BadInputError when kustomize refuses it."""
        return render(self._kubectl, overlay)

    def apply(self, manifests: Sequence[Manifest], *, dry_run: bool = False) -> tuple[Applied, ...]:
        """Apply server-side, namespaces and CustomResourceDefinitions first."""
        return Applier(self._api, self._discovery).apply(manifests, dry_run=dry_run)

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object as JSON, None when it is not there; `kind` may carry its group (`Kind.group`)."""
        return read(self._api, self._path(kind, namespace, name))

    def delete(self, kind: str, namespace: str, name: str, *, wait_s: float = 60.0) -> bool:
        """Delete an object after its dependents and wait until it is gone; False when it was not there."""
        path = self._path(kind, namespace, name)
        told = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
        return delete(self._api, path, told, wait_s=wait_s)

    def rollout(self, namespace: str, name: str) -> RolloutStatus | None:
        """The Rollout's status, None when there is no such Rollout."""
        found = self.get("Rollout", namespace, name)
        return rollouts.rollout_status(found, container=self._container) if found else None

    def strategy_steps(self, namespace: str, name: str) -> tuple[Step, ...]:
        """The canary steps of the Rollout's spec. NotFoundError when there is no such Rollout."""
        return rollouts.strategy_steps(self._rollout(namespace, name))

    def watch_rollout(self, namespace: str, name: str, *, timeout_s: float) -> Iterator[RolloutStatus]:
        """Yield the status now and whenever it changes, for `timeout_s` seconds."""
        collection = self._path("Rollout", namespace, "")
        last: RolloutStatus | None = None
        for found in watch_object(self._api, collection, name, timeout_s=timeout_s):
            status = rollouts.rollout_status(found, container=self._container)
            if status != last:
                last = status
                yield status

    def promote_full(self, namespace: str, name: str) -> None:
        """Skip all remaining steps and analysis; no-op when nothing is rolling out."""
        status = self._observed(namespace, name)
        if status.current_hash != status.stable_hash:
            self._patch_status(namespace, name, {"promoteFull": True})

    def promote_step(self, namespace: str, name: str) -> bool:
        """End the pause step that the rollout is in; False when it is in none, is aborted, or has moved on.

        As `kubectl argo rollouts promote` does it: without pause conditions, but with `controllerPause`, the
        controller takes the step as done. A pause for any other reason is left alone.
        """
        found = self._rollout(namespace, name)
        status = found.get("status", {})
        reasons = {one.get("reason") for one in status.get("pauseConditions") or []}
        if reasons != {CANARY_PAUSE} or status.get("abort") or not status.get("controllerPause"):
            return False
        # Of this version only: another step must not be skipped because the controller was faster.
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        try:
            self._patch(namespace, name, {"metadata": version, "status": {"pauseConditions": None}}, "status")
        except ServerRefusedError as error:
            if error.code == CONFLICT:
                return False
            raise
        return True

    def set_steps(self, namespace: str, name: str, steps: Sequence[Manifest]) -> None:
        """Put these canary steps into the Rollout's spec; nothing else of it is changed."""
        self._patch(namespace, name, {"spec": {"strategy": {"canary": {"steps": list(steps)}}}})

    def abort(self, namespace: str, name: str) -> None:
        """Abort: traffic goes back to stable. No-op when nothing is rolling out, or it is aborted already."""
        status = self._observed(namespace, name)
        rolling = status.stable_hash and status.current_hash != status.stable_hash
        if rolling and not status.aborted:
            self._patch_status(namespace, name, {"abort": True})

    def retry(self, namespace: str, name: str) -> None:
        """Take an aborted rollout up again; no-op when it is not aborted."""
        if self._observed(namespace, name).aborted:
            self._patch_status(namespace, name, {"abort": False})

    def undo(self, namespace: str, name: str) -> bool:
        """Put the stable ReplicaSet's template back into the spec; False when it is there already.

        NotFoundError when the stable ReplicaSet is gone.
        """
        status = self._observed(namespace, name)
        if not status.stable_hash or status.current_hash == status.stable_hash:
            return False
        selector = f"{rollouts.HASH_LABEL}={status.stable_hash}"
        replica_sets = self._list("ReplicaSet", namespace, selector=selector)
        template = rollouts.stable_template(self._rollout(namespace, name), replica_sets)
        if template is None:
            raise NotFoundError(
                f"the stable ReplicaSet of Rollout {namespace}/{name} is gone",
                why=f"no ReplicaSet of it has the hash {status.stable_hash}",
                next_step="Release a version that is known to be good.",
            )
        self._api.request(
            "PATCH",
            self._path("Rollout", namespace, name),
            query={"fieldManager": FIELD_MANAGER},
            body=[{"op": "replace", "path": "/spec/template", "value": template}],
            content_type=JSON_PATCH,
        )
        return True

    def analysis_runs(self, namespace: str, rollout: str) -> tuple[AnalysisRun, ...]:
        """AnalysisRuns owned by the Rollout, oldest first."""
        owned = [
            run for run in self._list("AnalysisRun", namespace) if rollouts.owned_by(run, "Rollout", rollout)
        ]
        owned.sort(key=lambda run: (run["metadata"].get("creationTimestamp", ""), run["metadata"]["name"]))
        return tuple(map(rollouts.analysis_run, owned))

    def events(self, namespace: str) -> tuple[ClusterEvent, ...]:
        """Events of the namespace, oldest first."""
        found = map(objects.cluster_event, self._list("Event", namespace))
        return tuple(sorted(found, key=lambda event: (event.time, event.uid)))

    def pods(self, namespace: str, selector: str) -> tuple[PodStatus, ...]:
        """Pods by label selector, by name."""
        found = self._list("Pod", namespace, selector=selector)
        pods = (objects.pod_status(pod, container=self._container) for pod in found)
        return tuple(sorted(pods, key=lambda pod: pod.name))

    def pod_log(self, namespace: str, pod: str, *, tail: int = 200, previous: bool = False) -> str:
        """Last `tail` lines of the service's container, or of the one before it; empty when pod or log is not
        there (any more)."""
        found = self.get("Pod", namespace, pod)
        if found is None:
            return ""
        query = {"tailLines": str(tail), "container": objects.log_container(found, self._container)}
        if previous:
            query["previous"] = "true"
        try:
            text = self._api.request_bytes("GET", self._path("Pod", namespace, pod, "log"), query=query)
        except ServerRefusedError as error:
            if error.code in {400, 404}:  # 400: the container has not started yet
                return ""
            raise
        return text.decode(errors="replace")

    def _path(self, kind: str, namespace: str, name: str, subresource: str = "") -> str:
        return self._discovery.find(kind).path(namespace, name, subresource)

    def _list(self, kind: str, namespace: str = "", *, selector: str = "") -> list[dict[str, Any]]:
        query = {"labelSelector": selector} if selector else None
        listed = self._api.request("GET", self._path(kind, namespace, ""), query=query)
        return list(listed.get("items") or [])

    def _rollout(self, namespace: str, name: str) -> Manifest:
        found = self.get("Rollout", namespace, name)
        if found is None:
            raise NotFoundError(
                f"there is no Rollout {namespace}/{name}", next_step="Run the deploy phase first."
            )
        return found

    def _observed(self, namespace: str, name: str) -> RolloutStatus:
        """The status once the controller has seen the newest template."""
        self._rollout(namespace, name)
        for status in self.watch_rollout(namespace, name, timeout_s=OBSERVE_TIMEOUT_S):
            if status.observed_generation >= status.generation:
                return status
        raise EnvironmentFailedError(
            f"Argo Rollouts has not looked at Rollout {namespace}/{name} for {OBSERVE_TIMEOUT_S:g} s",
            next_step="Check that its controller runs, and read its log.",
        )

    def _patch_status(self, namespace: str, name: str, status: Mapping[str, object]) -> None:
        self._patch(namespace, name, {"status": dict(status)}, "status")

    def _patch(self, namespace: str, name: str, body: Mapping[str, object], subresource: str = "") -> None:
        self._api.request(
            "PATCH",
            self._path("Rollout", namespace, name, subresource),
            query={"fieldManager": FIELD_MANAGER},
            body=dict(body),
            content_type=MERGE_PATCH,
        )
