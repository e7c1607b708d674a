"""Probes, termination and logs of pods on the real API server."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Cluster

pytestmark = pytest.mark.sandbox


def http(path: str, **more: Any) -> dict[str, Any]:
    """An HTTP probe each second."""
    return {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, **more}


def ready(pod: dict[str, Any]) -> bool:
    """Whether the pod's condition Ready is true."""
    entries = pod["status"].get("conditions") or ()
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in entries)


def restarts(pod: dict[str, Any]) -> int:
    """How often the container was restarted."""
    statuses = pod["status"].get("containerStatuses") or [{"restartCount": 0}]
    count: int = statuses[0]["restartCount"]
    return count


def test_readiness(cluster: Cluster) -> None:
    """A pod that stops to answer is not ready, and is again when it answers."""
    cluster.start("web", container={"readinessProbe": http("/ready", failureThreshold=2)})
    pod = cluster.wait_ready("web")
    fault = cluster.home(pod) / "ready"
    fault.touch()
    cluster.wait("web", lambda pod: not ready(pod))
    cluster.wait_event("web", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500")
    fault.unlink()
    assert restarts(cluster.wait_ready("web")) == 0


def test_liveness(cluster: Cluster) -> None:
    """A container that fails its liveness probe is restarted."""
    cluster.start("web", container={"livenessProbe": http("/live", failureThreshold=2)})
    pod = cluster.wait_ready("web")
    fault = cluster.home(pod) / "live"
    fault.touch()
    cluster.wait("web", lambda pod: restarts(pod) == 1)
    fault.unlink()
    cluster.wait_event("web", "Killing", "Container c failed liveness probe, will be restarted")
    cluster.wait_ready("web")
    assert "bye" in cluster.log("web", previous=True)


def test_startup(cluster: Cluster) -> None:
    """Until its startup probe passes a container is neither ready nor judged by its liveness probe."""
    probes = {
        "startupProbe": {
            "exec": {"command": ["sh", "-c", 'test -e "$HOME/up"']},
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
        "livenessProbe": http("/live", failureThreshold=1),
    }
    cluster.start("slow", container=probes)
    pod = cluster.wait(
        "slow",
        lambda pod: "running" in (pod["status"].get("containerStatuses") or [{"state": {}}])[0]["state"],
    )
    home = cluster.home(pod)
    (home / "live").touch()
    time.sleep(1.5)
    held = cluster.wait("slow", lambda _pod: True)
    assert (ready(held), restarts(held), held["status"]["containerStatuses"][0]["started"]) == (
        False,
        0,
        False,
    )
    (home / "live").unlink()
    (home / "up").touch()
    assert cluster.wait_ready("slow")["status"]["containerStatuses"][0]["started"] is True


def test_grace_period(cluster: Cluster) -> None:
    """A container that ignores SIGTERM is killed when its grace period is over, not before."""
    script = "trap 'echo asked' TERM; echo up; while :; do sleep 0.1; done"
    cluster.start("deaf", "sh", "-c", script, terminationGracePeriodSeconds=6)
    pod = cluster.wait_ready("deaf")
    cluster.wait_log("deaf", "up")
    begun = time.monotonic()
    cluster.delete("deaf")
    assert "asked" in cluster.wait_log("deaf", "asked")
    cluster.wait_gone("deaf")
    assert time.monotonic() - begun >= 5.9
    assert cluster.processes(pod["metadata"]["uid"]) == []


def test_pre_stop(cluster: Cluster) -> None:
    """The preStop hook runs before SIGTERM, while the container goes on serving."""
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "sleep 1; touch $HOME/hooked"]}}}
    # The log goes with the pod: it ends when the test has seen it.
    on_term = (
        'test -e "$HOME/hooked" && echo after; while ! test -e "$HOME/seen"; do sleep 0.05; done; exit 0'
    )
    script = f"trap '{on_term}' TERM; echo up; while :; do sleep 0.1; done"
    cluster.start("hook", "sh", "-c", script, container={"lifecycle": hook}, terminationGracePeriodSeconds=60)
    pod = cluster.wait_ready("hook")
    cluster.wait_log("hook", "up")
    cluster.delete("hook")
    assert cluster.wait_log("hook", "after") == "up\nafter\n"
    (cluster.home(pod) / "seen").touch()
    cluster.wait_event("hook", "Killing", "Stopping container c")
    cluster.wait_gone("hook")


def test_force_delete(cluster: Cluster) -> None:
    """A pod deleted by force is ended at once."""
    script = "trap '' TERM; while :; do sleep 0.1; done"
    cluster.start("force", "sh", "-c", script, terminationGracePeriodSeconds=60)
    uid = cluster.wait_ready("force")["metadata"]["uid"]
    cluster.delete("force", grace_s=0)
    deadline = time.monotonic() + 60
    while cluster.processes(uid) or (cluster.pods / uid).exists():
        assert time.monotonic() < deadline, "something of the pod is left"
        time.sleep(0.05)


def test_logs(cluster: Cluster) -> None:
    """Logs are served in part, with times, and followed to their end."""
    cluster.start(
        "log",
        "sh",
        "-c",
        'for i in 1 2 3; do echo line $i; done; until test -e "$HOME/go"; do sleep 0.05; done; echo end',
        restartPolicy="Never",
    )
    cluster.wait_log("log", "line 3")
    pod = cluster.wait_ready("log")
    answer = cluster.core.read_namespaced_pod_log(
        "log", cluster.namespace, container="c", follow=True, tail_lines=1, _preload_content=False
    )
    followed = answer.stream()
    assert next(followed) == b"line 3\n"
    assert cluster.log("log", tail_lines=2) == "line 2\nline 3\n"
    assert cluster.log("log", limit_bytes=6) == "line 1"
    assert re.fullmatch(r"20\d\d-\S+T\S+Z line 3\n", cluster.log("log", tail_lines=1, timestamps=True))
    (cluster.home(pod) / "go").touch()
    assert b"".join(followed) == b"end\n"


def test_exec_is_not_served(cluster: Cluster) -> None:
    """What the node does not serve it says."""
    cluster.start("web")
    cluster.wait_ready("web")
    kubectl = [str(cluster.sandbox.kubectl), "--kubeconfig", str(cluster.sandbox.kubeconfig)]
    command = [*kubectl, "-n", cluster.namespace, "exec", "web", "--", "true"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "exec is not served by the sandbox" in told.stderr
