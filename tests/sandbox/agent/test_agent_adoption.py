"""The node agent killed and started again, by the sandbox's supervisor."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from conftest import Cluster

pytestmark = pytest.mark.sandbox

SEEN = 'while ! test -e "$HOME/seen"; do sleep 0.05; done'
"""Waits until the test has seen what was printed: the log goes with the pod."""


def end_agent(cluster: Cluster, number: int) -> None:
    """Send the node agent a signal; returns when another one is up."""
    old = cluster.agent()
    old.send_signal(number)
    deadline = time.monotonic() + 120
    while cluster.agent().pid == old.pid:
        assert time.monotonic() < deadline, "the node agent was not started again"
        time.sleep(0.1)


def lasting(pod: dict[str, Any]) -> tuple[Any, ...]:
    """What must not change when the agent is replaced."""
    status = pod["status"]["containerStatuses"][0]
    return (pod["status"]["podIP"], status["containerID"], status["restartCount"], status["state"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_running_pods_stay(cluster: Cluster, number: int) -> None:
    """Running pods keep process, address and log, and are stopped by the new agent as by the old."""
    script = f"trap 'echo bye; {SEEN}; exit 0' TERM; while :; do echo tick; sleep 0.1; done"
    cluster.start("stay", "sh", "-c", script, terminationGracePeriodSeconds=60)
    before = cluster.wait_ready("stay")
    uid = before["metadata"]["uid"]
    pids = {process.pid for process in cluster.processes(uid) if "tick" in " ".join(process.cmdline())}
    cluster.wait_log("stay", "tick")
    end_agent(cluster, number)
    ticks = cluster.wait_log("stay", "tick").count("tick")
    deadline = time.monotonic() + 60
    while cluster.log("stay").count("tick") <= ticks:
        assert time.monotonic() < deadline, "the log stands still"
        time.sleep(0.1)
    after = cluster.wait_ready("stay")
    assert lasting(before) == lasting(after)
    assert pids == {
        process.pid for process in cluster.processes(uid) if "tick" in " ".join(process.cmdline())
    }
    cluster.start("next", "sleep", "60")
    assert cluster.wait_ready("next")["status"]["podIP"] != after["status"]["podIP"]
    cluster.delete("stay")
    cluster.wait_log("stay", "bye")
    (cluster.home(after) / "seen").touch()
    cluster.wait_gone("stay")
    assert cluster.processes(uid) == []


def test_exit_while_away(cluster: Cluster) -> None:
    """A container that ended while no agent was there is found out, with its exit code, and restarted."""
    cluster.start(
        "away", "sh", "-c", 'while ! test -e "$HOME/go"; do sleep 0.02; done; rm "$HOME/go"; exit 7'
    )
    pod = cluster.wait_ready("away")
    agent = cluster.agent()
    agent.kill()
    psutil.wait_procs([agent], timeout=60)
    (cluster.home(pod) / "go").touch()
    again = cluster.wait("away", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1)
    assert again["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 7


def test_deleted_while_away(cluster: Cluster) -> None:
    """A pod deleted by force while no agent was there is cleaned up by the next one."""
    cluster.start("gone", "sleep", "300")
    uid = cluster.wait_ready("gone")["metadata"]["uid"]
    cluster.agent().kill()
    cluster.delete("gone", grace_s=0)
    deadline = time.monotonic() + 120
    while cluster.processes(uid) or (cluster.pods / uid).exists():
        assert time.monotonic() < deadline, "something of the pod is left"
        time.sleep(0.05)
    cluster.agent()
