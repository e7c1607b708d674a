"""Reads the API's JSON of a pod; it ends in this module."""

from __future__ import annotations

from collections.abc import Iterable

from rollbook.sandbox.agent.api import Json
from rollbook.sandbox.agent.podspec import (
    Action,
    ContainerSpec,
    DownwardFile,
    EnvFrom,
    EnvVar,
    ExecAction,
    FieldRef,
    FileSource,
    HttpAction,
    KeyRef,
    Mount,
    ObjectFiles,
    PodSpec,
    Probe,
    ResourceRef,
    SleepAction,
    TcpAction,
    TokenFile,
    Volume,
)


def parse_pod(pod: Json) -> PodSpec:
    """Read a pod that the API server has accepted (its defaults are filled in)."""
    meta, spec = pod["metadata"], pod["spec"]
    context = spec.get("securityContext") or {}
    return PodSpec(
        uid=meta["uid"],
        namespace=meta["namespace"],
        name=meta["name"],
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
        service_account=spec.get("serviceAccountName") or "default",
        restart_policy=spec.get("restartPolicy") or "Always",
        grace_s=float(spec.get("terminationGracePeriodSeconds", 30)),
        init_containers=tuple(_container(item, context) for item in spec.get("initContainers") or ()),
        containers=tuple(_container(item, context) for item in spec["containers"]),
        volumes=tuple(_volume(item) for item in spec.get("volumes") or ()),
        readiness_gates=tuple(gate["conditionType"] for gate in spec.get("readinessGates") or ()),
    )


def _container(item: Json, pod_context: Json) -> ContainerSpec:
    context = {**pod_context, **(item.get("securityContext") or {})}
    resources = item.get("resources") or {}
    lifecycle = item.get("lifecycle") or {}
    return ContainerSpec(
        name=item["name"],
        image=item.get("image") or "",
        command=tuple(item.get("command") or ()),
        args=tuple(item.get("args") or ()),
        working_dir=item.get("workingDir") or "",
        env=tuple(_env_var(entry) for entry in item.get("env") or ()),
        env_from=tuple(_env_from(entry) for entry in item.get("envFrom") or ()),
        ports={port["name"]: port["containerPort"] for port in item.get("ports") or () if port.get("name")},
        mounts=tuple(
            Mount(mount["name"], mount["mountPath"], mount.get("subPath") or "")
            for mount in item.get("volumeMounts") or ()
        ),
        requests=dict(resources.get("requests") or {}),
        limits=dict(resources.get("limits") or {}),
        startup=_probe("startup", item.get("startupProbe")),
        readiness=_probe("readiness", item.get("readinessProbe")),
        liveness=_probe("liveness", item.get("livenessProbe")),
        post_start=_action(lifecycle["postStart"]) if lifecycle.get("postStart") else None,
        pre_stop=_action(lifecycle["preStop"]) if lifecycle.get("preStop") else None,
        run_as_non_root=bool(context.get("runAsNonRoot")),
        run_as_user=context.get("runAsUser"),
        message_path=item.get("terminationMessagePath") or "/dev/termination-log",
        message_from_log=item.get("terminationMessagePolicy") == "FallbackToLogsOnError",
    )


def _probe(kind: str, item: Json | None) -> Probe | None:
    if not item or "grpc" in item:  # refused before it comes to be run, see `refusal`
        return None
    grace = item.get("terminationGracePeriodSeconds")
    return Probe(
        kind=kind,
        action=_action(item),
        initial_delay_s=float(item.get("initialDelaySeconds", 0)),
        period_s=float(item.get("periodSeconds", 10)),
        timeout_s=float(item.get("timeoutSeconds", 1)),
        success_threshold=int(item.get("successThreshold", 1)),
        failure_threshold=int(item.get("failureThreshold", 3)),
        grace_s=None if grace is None else float(grace),
    )


def _action(item: Json) -> Action:
    if http := item.get("httpGet"):
        headers = tuple((header["name"], header["value"]) for header in http.get("httpHeaders") or ())
        path = "/" + (http.get("path") or "").removeprefix("/")
        return HttpAction(path, http["port"], http.get("host") or "", http.get("scheme") or "HTTP", headers)
    if tcp := item.get("tcpSocket"):
        return TcpAction(tcp["port"], tcp.get("host") or "")
    if command := item.get("exec"):
        return ExecAction(tuple(command.get("command") or ()))
    return SleepAction(float((item.get("sleep") or {}).get("seconds", 0)))


def _env_var(entry: Json) -> EnvVar:
    source = entry.get("valueFrom") or {}
    if ref := source.get("configMapKeyRef"):
        return EnvVar(entry["name"], _key_ref("configmaps", ref))
    if ref := source.get("secretKeyRef"):
        return EnvVar(entry["name"], _key_ref("secrets", ref))
    if source.get("fieldRef") or source.get("resourceFieldRef"):
        return EnvVar(entry["name"], _pod_ref(source))
    return EnvVar(entry["name"], entry.get("value") or "")


def _key_ref(kind: str, ref: Json) -> KeyRef:
    return KeyRef(kind, ref.get("name") or "", ref["key"], bool(ref.get("optional")))


def _pod_ref(source: Json) -> FieldRef | ResourceRef:
    if ref := source.get("fieldRef"):
        return FieldRef(ref["fieldPath"])
    resource = source["resourceFieldRef"]
    return ResourceRef(
        resource.get("containerName") or "", resource["resource"], str(resource.get("divisor") or "0")
    )


def _env_from(entry: Json) -> EnvFrom:
    kind = "configmaps" if entry.get("configMapRef") else "secrets"
    ref = entry.get("configMapRef") or entry.get("secretRef") or {}
    return EnvFrom(kind, ref.get("name") or "", entry.get("prefix") or "", bool(ref.get("optional")))


def _volume(item: Json) -> Volume:
    name = item["name"]
    if (config_map := item.get("configMap")) is not None:
        source = _object_files("configmaps", config_map.get("name") or "", config_map)
        return Volume(name, (source,), config_map.get("defaultMode", 0o644))
    if (secret := item.get("secret")) is not None:
        source = _object_files("secrets", secret.get("secretName") or "", secret)
        return Volume(name, (source,), secret.get("defaultMode", 0o644))
    if (downward := item.get("downwardAPI")) is not None:
        return Volume(name, tuple(_downward(downward)), downward.get("defaultMode", 0o644))
    if (projected := item.get("projected")) is not None:
        sources = tuple(file for source in projected.get("sources") or () for file in _projected(source))
        return Volume(name, sources, projected.get("defaultMode", 0o644))
    return Volume(name, empty_dir="emptyDir" in item)


def _projected(source: Json) -> Iterable[FileSource]:
    if (config_map := source.get("configMap")) is not None:
        yield _object_files("configmaps", config_map.get("name") or "", config_map)
    if (secret := source.get("secret")) is not None:
        yield _object_files("secrets", secret.get("name") or "", secret)
    if (downward := source.get("downwardAPI")) is not None:
        yield from _downward(downward)
    if (token := source.get("serviceAccountToken")) is not None:
        expiration = int(token.get("expirationSeconds") or 3600)
        yield TokenFile(token["path"], token.get("audience") or "", expiration)


def _object_files(kind: str, name: str, source: Json) -> ObjectFiles:
    items = tuple((item["key"], item["path"], item.get("mode")) for item in source.get("items") or ())
    return ObjectFiles(kind, name, items, bool(source.get("optional")))


def _downward(source: Json) -> Iterable[DownwardFile]:
    return (
        DownwardFile(item["path"], _pod_ref(item), item.get("mode")) for item in source.get("items") or ()
    )
