"""Pods on the real API server, from binding to deletion."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Cluster

pytestmark = pytest.mark.sandbox

READINESS = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    """Status of the pod's container."""
    statuses = pod["status"].get("containerStatuses") or [{}]
    first: dict[str, Any] = statuses[0]
    return first


def waiting(pod: dict[str, Any]) -> str | None:
    """Why the container waits."""
    reason: str | None = container(pod).get("state", {}).get("waiting", {}).get("reason")
    return reason


def ended(pod: dict[str, Any]) -> dict[str, Any]:
    """How the container ended last."""
    last: dict[str, Any] = container(pod).get("lastState", {}).get("terminated") or {}
    return last


def test_life_of_a_pod(cluster: Cluster) -> None:
    """A pod gets an address, becomes ready, tells what happened, and leaves nothing behind."""
    cluster.start("web", container={"readinessProbe": READINESS})
    pod = cluster.wait_ready("web")
    uid = pod["metadata"]["uid"]
    status = container(pod)
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["podIP"].startswith(f"{cluster.sandbox.subnet}.")
    assert pod["status"]["podIPs"] == [{"ip": pod["status"]["podIP"]}]
    assert pod["status"]["hostIP"] == f"{cluster.sandbox.subnet}.0.1"
    assert (status["ready"], status["started"], status["restartCount"]) == (True, True, 0)
    assert status["imageID"] == cluster.image
    assert status["containerID"].startswith("rollbook://")
    types = {entry["type"] for entry in pod["status"]["conditions"]}
    assert types >= {"PodScheduled", "Initialized", "ContainersReady", "Ready", "PodReadyToStartContainers"}
    for reason in ("Pulled", "Created", "Started"):
        cluster.wait_event("web", reason)
    assert cluster.log("web").startswith("serving in ")
    assert len(cluster.processes(uid)) == 2
    cluster.delete("web")
    cluster.wait_gone("web")
    assert cluster.processes(uid) == []
    deadline = time.monotonic() + 60
    while (cluster.pods / uid).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_environment_and_volumes(cluster: Cluster) -> None:
    """Variables and files come from ConfigMaps, Secrets, the pod itself and its service account."""
    core, namespace = cluster.core, cluster.namespace
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "cfg"}, "data": {"MODE": "dark", "f": "conf"}}
    )
    core.create_namespaced_secret(namespace, {"metadata": {"name": "sec"}, "stringData": {"PASS": "s3cret"}})
    script = (
        'echo "$MODE $PASS $GREETING $HOSTNAME"; cat /etc/cfg/f; echo; cat /etc/sec/PASS; echo;'
        "cat /etc/pod/labels; echo; cut -c1-3 /var/run/secrets/kubernetes.io/serviceaccount/token;"
        "pwd; sleep 60"
    )
    mounts = [
        {"name": "cfg", "mountPath": "/etc/cfg"},
        {"name": "sec", "mountPath": "/etc/sec"},
        {"name": "pod", "mountPath": "/etc/pod"},
    ]
    secret = {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "PASS"}}}
    labels = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    cluster.start(
        "env",
        "sh",
        "-c",
        script,
        container={"envFrom": [{"configMapRef": {"name": "cfg"}}], "env": [secret], "volumeMounts": mounts},
        volumes=[
            {"name": "cfg", "configMap": {"name": "cfg"}},
            {"name": "sec", "secret": {"secretName": "sec"}},
            {"name": "pod", "downwardAPI": labels},
        ],
    )
    lines = cluster.wait_log("env", "/app\n").splitlines()
    assert lines[:5] == ["dark s3cret hi env", "conf", "s3cret", 'app="env"', "eyJ"]


def test_missing_config_is_waited_for(cluster: Cluster) -> None:
    """A pod whose ConfigMap is missing waits, says why, and starts when it is there."""
    ref = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "x"}}}
    cluster.start("late", "sh", "-c", "echo x=$X; sleep 60", container={"env": [ref]})
    pod = cluster.wait("late", lambda pod: waiting(pod) == "CreateContainerConfigError")
    assert "configmap 'late' not found" in container(pod)["state"]["waiting"]["message"]
    cluster.core.create_namespaced_config_map(
        cluster.namespace, {"metadata": {"name": "late"}, "data": {"x": "7"}}
    )
    assert cluster.wait_log("late", "x=7")


def test_init_containers(cluster: Cluster) -> None:
    """Init containers run one after another before the others, and share volumes with them."""
    mount = [{"name": "v", "mountPath": "/shared"}]
    step = {"image": cluster.image, "volumeMounts": mount}
    cluster.start(
        "init",
        "sh",
        "-c",
        "cat /shared/order; sleep 60",
        container={"volumeMounts": mount},
        volumes=[{"name": "v", "emptyDir": {}}],
        initContainers=[
            {**step, "name": "one", "command": ["sh", "-c", "sleep 0.2; echo one >> /shared/order"]},
            {**step, "name": "two", "command": ["sh", "-c", "echo two >> /shared/order"]},
        ],
    )
    pod = cluster.wait_ready("init")
    assert cluster.wait_log("init", "two") == "one\ntwo\n"
    reasons = [entry["state"]["terminated"]["reason"] for entry in pod["status"]["initContainerStatuses"]]
    assert reasons == ["Completed", "Completed"]


@pytest.mark.parametrize(
    ("policy", "script", "phase", "code"),
    [
        ("Never", "exit 0", "Succeeded", 0),
        ("Never", "exit 4", "Failed", 4),
        ("OnFailure", "exit 0", "Succeeded", 0),
    ],
)
def test_one_shot(cluster: Cluster, policy: str, script: str, phase: str, code: int) -> None:
    """A pod that is not restarted ends in the phase that its exit code asks for."""
    cluster.start("job", "sh", "-c", script, restartPolicy=policy)
    pod = cluster.wait("job", lambda pod: pod["status"]["phase"] == phase)
    assert container(pod)["state"]["terminated"]["exitCode"] == code
    assert container(pod)["restartCount"] == 0


def test_crash_loop(cluster: Cluster) -> None:
    """A crashing container is restarted once at once, then waits; how it ended and what it said is kept."""
    cluster.start(
        "crash",
        "sh",
        "-c",
        "echo broken >&2; exit 3",
        container={"terminationMessagePolicy": "FallbackToLogsOnError"},
    )
    pod = cluster.wait("crash", lambda pod: waiting(pod) == "CrashLoopBackOff")
    assert container(pod)["restartCount"] == 1
    assert container(pod)["state"]["waiting"]["message"].startswith(
        "back-off 10s restarting failed container c"
    )
    assert (ended(pod)["exitCode"], ended(pod)["reason"], ended(pod)["message"]) == (3, "Error", "broken\n")
    assert cluster.log("crash", previous=True) == "broken\n"
    cluster.wait_event("crash", "BackOff", "Back-off restarting failed container c")


def test_out_of_memory(cluster: Cluster) -> None:
    """A container above its memory limit is killed and says OOMKilled."""
    script = "import time; x = b'x' * 200_000_000; time.sleep(60)"
    cluster.start("oom", "python", "-c", script, container={"resources": {"limits": {"memory": "64Mi"}}})
    pod = cluster.wait("oom", lambda pod: ended(pod).get("reason") == "OOMKilled")
    assert ended(pod)["exitCode"] == 137
    cluster.wait_event("oom", "OOMKilling")


def test_start_error(cluster: Cluster) -> None:
    """A program that is not there is told as such."""
    cluster.start("typo", "no-such-program", restartPolicy="Never")
    pod = cluster.wait("typo", lambda pod: pod["status"]["phase"] == "Failed")
    end = container(pod)["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("StartError", 128)
    assert "'no-such-program' is not there" in end["message"]


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("docker.io/library/nginx:1.29", "not pinned by digest"),
        (f"web@sha256:{'0' * 64}", "there is no image"),
    ],
)
def test_foreign_image(cluster: Cluster, image: str, text: str) -> None:
    """An image that is not of the sandbox is not pulled, and the pod says why."""
    cluster.start("foreign", container={"image": image})
    pod = cluster.wait("foreign", lambda pod: waiting(pod) == "ImagePullBackOff")
    assert text in container(pod)["state"]["waiting"]["message"]
    assert pod["status"]["phase"] == "Pending"
    cluster.wait_event("foreign", "Failed", text)


def test_unsupported_pod(cluster: Cluster) -> None:
    """A pod that asks for what the sandbox cannot do fails at once and names the field."""
    cluster.start("host", hostNetwork=True)
    pod = cluster.wait("host", lambda pod: pod["status"]["phase"] == "Failed")
    assert pod["status"]["reason"] == "UnsupportedPod"
    assert "spec.hostNetwork" in pod["status"]["message"]
    cluster.wait_event("host", "UnsupportedPod", "spec.hostNetwork")
    cluster.delete("host")
    cluster.wait_gone("host")


def test_unnamed_user(cluster: Cluster) -> None:
    """runAsNonRoot is held against the user that the pod asks for."""
    cluster.start("root", container={"securityContext": {"runAsNonRoot": True, "runAsUser": 0}})
    pod = cluster.wait("root", lambda pod: waiting(pod) == "CreateContainerConfigError")
    assert "runAsNonRoot" in container(pod)["state"]["waiting"]["message"]


def test_hundred_pods(cluster: Cluster) -> None:
    """A hundred pods created and deleted leave no process, no address and no file."""
    before = {path.name for path in cluster.pods.iterdir()}
    uids: list[str] = []

    def cycle(number: int) -> None:
        name = f"p{number}"
        cluster.start(name, "sh", "-c", "sleep 300 & wait")
        pod = cluster.wait_ready(name)
        uids.append(pod["metadata"]["uid"])
        cluster.delete(name, grace_s=1)
        cluster.wait_gone(name)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(cycle, range(100)))
    assert len(set(uids)) == 100
    deadline = time.monotonic() + 60
    while {path.name for path in cluster.pods.iterdir()} - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert {path.name for path in cluster.pods.iterdir()} - before == set()
    left = [process for process in psutil.process_iter() if set(uids) & {_uid(process)}]
    assert left == []
    assert cluster.agent().memory_info().rss < 90 * 2**20


def _uid(process: psutil.Process) -> str:
    try:
        return process.environ().get("ROLLBOOK_POD_UID", "")
    except (psutil.Error, OSError):
        return ""
