from __future__ import annotations

import pytest

from rollbook.sandbox.agent.refusal import refusal


def pod(container: dict[str, object] | None = None, **spec: object) -> dict[str, object]:
    """A pod of one container."""
    return {"spec": {"containers": [{"name": "c", **(container or {})}], **spec}}


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (pod(hostNetwork=True), "spec.hostNetwork"),
        (pod(hostPID=True), "spec.hostPID"),
        (pod(runtimeClassName="kata"), "spec.runtimeClassName"),
        (pod(activeDeadlineSeconds=5), "spec.activeDeadlineSeconds"),
        (pod(securityContext={"sysctls": [{"name": "x", "value": "1"}]}), "spec.securityContext.sysctls"),
        (pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "spec.volumes[0].hostPath"),
        (pod(volumes=[{"name": "v", "persistentVolumeClaim": {}}]), "spec.volumes[0].persistentVolumeClaim"),
        (pod({"securityContext": {"privileged": True}}), "spec.containers[0].securityContext.privileged"),
        (
            pod({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}),
            "spec.containers[0].securityContext.capabilities.add",
        ),
        (pod({"ports": [{"containerPort": 1}, {"hostPort": 80}]}), "spec.containers[0].ports[1].hostPort"),
        (pod({"livenessProbe": {"grpc": {"port": 1}}}), "spec.containers[0].livenessProbe.grpc"),
        (
            pod(initContainers=[{"name": "s", "restartPolicy": "Always"}]),
            "spec.initContainers[0].restartPolicy",
        ),
        (pod({"tty": True}), "spec.containers[0].tty"),
    ],
)
def test_refused(made: dict[str, object], field: str) -> None:
    """What the sandbox cannot honour is named by its field."""
    assert field in str(refusal(made))


def test_all_named() -> None:
    """All fields are named at once."""
    text = str(refusal(pod({"tty": True}, hostNetwork=True)))
    assert "spec.hostNetwork" in text
    assert "spec.containers[0].tty" in text


def test_taken() -> None:
    """A hardened pod with the usual volumes is taken."""
    container = {
        "securityContext": {
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
    }
    volumes = [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "configMap": {"name": "c"}},
        {"name": "c", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ]
    assert refusal(pod(container, volumes=volumes, hostNetwork=False)) is None
