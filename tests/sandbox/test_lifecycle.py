"""A real sandbox, from `up` to `down`, and everything that goes wrong between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.sandbox import api, processes
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.probing import answers
from rollbook.sandbox.progress import SilentProgress
from rollbook.sandbox.units import MARKER, Probe

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(900)]

COMPONENTS = {
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "node-agent",
    "argo-rollouts",
    "traefik",
    "prometheus",
    "alertmanager",
    "judge",
    "alert-receiver",
    "ministack",
}


def until(condition: Callable[[], object], *, timeout_s: float = 180.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.1)


def kubectl(sandbox: api.Sandbox, *arguments: str) -> str:
    """Output of kubectl."""
    command = [str(sandbox.kubectl), f"--kubeconfig={sandbox.kubeconfig}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=180).stdout


def component(home: SandboxHome, name: str) -> api.ComponentStatus:
    """One component's status."""
    return next(one for one in api.status(home).components if one.name == name)


def listeners(pids: set[int]) -> list[tuple[str, str]]:
    """Addresses on which processes listen, and the processes' names."""
    return [
        (one.laddr.ip, psutil.Process(one.pid).name())
        for one in psutil.net_connections("inet")
        if one.status == psutil.CONN_LISTEN and one.pid in pids
    ]


def marked_elsewhere(pid: int, home: SandboxHome) -> bool:
    """Whether a process belongs to a sandbox of another home."""
    try:
        marker = psutil.Process(pid).environ().get(MARKER, "")
    except psutil.Error:
        return False
    return bool(marker) and not marker.startswith(home.tag)


def assert_nothing_is_left(home: SandboxHome, addresses: list[tuple[str, int]]) -> None:
    """No process, no listener, and of the files only logs, lock and port numbers."""
    assert () == processes.marked(home.tag)
    # Another sandbox of this machine may have taken a port up meanwhile: then the listener is one of its own.
    ours = {
        connection.laddr
        for connection in psutil.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
        and tuple(connection.laddr) in addresses
        and (connection.pid is None or not marked_elsewhere(connection.pid, home))
    }
    assert set() == ours
    assert {"logs", "ports.json", "sandbox.lock"} >= {path.name for path in home.root.iterdir()}


def addresses_of(sandbox: api.Sandbox) -> list[tuple[str, int]]:
    """Everything that a sandbox listens on."""
    ports = json.loads(sandbox.home.ports.read_text())["ports"]
    return [("127.0.0.1", port) for port in ports.values()] + [(f"{sandbox.subnet}.0.1", 10250)]


@pytest.fixture(scope="module")
def monitoring(project: Path) -> Path:
    """The project's rules."""
    return project / "monitoring"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SandboxHome]:
    """A home of the test's own; whatever happens, it is down afterwards."""
    made = SandboxHome(tmp_path / "home")
    yield made
    api.down(made)
    assert () == processes.marked(made.tag)


def test_everything_comes_up_and_says_what_it_is(sandbox: api.Sandbox) -> None:
    """All components are ready, with versions, and what is emulated or patched is told."""
    now = api.status(sandbox.home)
    assert ("up", COMPONENTS) == (now.state, {one.name for one in now.components})
    components = {one.name: one for one in sandbox.components()}
    assert all(one.healthy for one in components.values())
    assert {"ministack"} == {one.name for one in components.values() if one.emulated}
    assert "patched" in components["kube-apiserver"].detail
    assert any("EndpointSlice" in one or "loopback addresses" in one for one in sandbox.disclosures)


def test_the_api_server_has_a_version_that_clients_can_parse(sandbox: api.Sandbox) -> None:
    """It is the version of go.mod, and the node is ready."""
    told = json.loads(kubectl(sandbox, "version", "-o", "json"))
    assert sandbox.versions["kube-apiserver"] == told["serverVersion"]["gitVersion"]
    kubectl(sandbox, "wait", "--for=condition=Ready", "node/sandbox", "--timeout=120s")


def test_everything_listens_on_loopback_only(sandbox: api.Sandbox) -> None:
    """Nobody on the network can reach any of it."""
    pids = set(processes.marked(sandbox.home.tag))
    assert [] == [address for address in listeners(pids) if not address[0].startswith("127.")]


def test_each_component_may_do_its_own_part_only(sandbox: api.Sandbox) -> None:
    """Prometheus sees pods and no secrets; Traefik changes nothing."""

    def may(user: str, *what: str) -> bool:
        command = [str(sandbox.kubectl), f"--kubeconfig={sandbox.home.kubeconfig(user)}", "auth", "can-i"]
        done = subprocess.run(
            [*command, *what, "-A"], capture_output=True, text=True, check=False, timeout=180
        )
        return done.stdout.strip() == "yes"

    assert (True, False) == (may("prometheus", "list", "pods"), may("prometheus", "get", "secrets"))
    assert (True, False) == (
        may("traefik", "list", "ingressroutes.traefik.io"),
        may("traefik", "delete", "ingressroutes.traefik.io"),
    )
    assert (True, False) == (
        may("argo-rollouts", "update", "traefikservices.traefik.io"),
        may("argo-rollouts", "create", "clusterroles"),
    )


def test_controllers_may_do_their_work(sandbox: api.Sandbox) -> None:
    """The cluster's CA is published in every namespace, and what a Deployment owns goes when it goes."""
    kubectl(sandbox, "create", "namespace", "work")
    until(lambda: "kube-root-ca.crt" in kubectl(sandbox, "get", "configmaps", "-n", "work", "-oname"))
    kubectl(sandbox, "create", "deployment", "owner", "--image=none", "--replicas=0", "-n", "work")
    until(lambda: "owner" in kubectl(sandbox, "get", "replicasets", "-n", "work", "-oname"))
    kubectl(sandbox, "delete", "deployment", "owner", "-n", "work")
    until(lambda: not kubectl(sandbox, "get", "replicasets", "-n", "work", "-oname"))
    kubectl(sandbox, "delete", "namespace", "work", "--timeout=150s")
    assert "forbidden" not in sandbox.home.log("kube-controller-manager").read_text()


def test_anonymous_requests_are_refused(sandbox: api.Sandbox) -> None:
    """Without a certificate there is no answer but 401."""
    url = f"{sandbox.endpoints.apiserver_url}/version"
    told = answers(Probe(url, ca=str(sandbox.home.pki / "cluster-ca.crt")))
    assert told.startswith("HTTP 401")


def test_up_twice_is_one_sandbox(sandbox: api.Sandbox, monitoring: Path) -> None:
    """The second call finds the first's, and starts nothing."""
    before = processes.marked(sandbox.home.tag)
    again = api.up(sandbox.home, monitoring=monitoring)
    assert sandbox.id == again.id
    assert set(before) <= set(processes.marked(sandbox.home.tag))


def test_rules_are_loaded_anew_and_bad_ones_refused(
    sandbox: api.Sandbox, monitoring: Path, tmp_path: Path
) -> None:
    """A rule file that Prometheus cannot read is the user's to mend."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "bad.yaml").write_text("groups: [{name: a, rules: [{record: x, expr: 'sum('}]}]\n")
    with pytest.raises(BadInputError, match="prometheus refused"):
        api.up(sandbox.home, monitoring=tmp_path)
    assert not any("bad" in file.name for file in (sandbox.home.config / "rules").iterdir())
    api.up(sandbox.home, monitoring=monitoring)
    until(lambda: api.status(sandbox.home).state == "up")


@pytest.mark.parametrize("name", ["traefik", "etcd", "node-agent"])
def test_a_component_that_dies_is_started_again_and_told(sandbox: api.Sandbox, name: str) -> None:
    """Status counts the restart and names the signal, and the sandbox is up again."""
    before = component(sandbox.home, name)
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: component(sandbox.home, name).restarts > before.restarts)
    until(lambda: api.status(sandbox.home).state == "up")
    after = component(sandbox.home, name)
    assert "signal 9" == after.last_exit
    assert before.pid != after.pid
    told = next(one.detail for one in sandbox.components() if one.name == name)
    assert "restarted" in told


def test_the_command_line_shows_the_sandbox(sandbox: api.Sandbox) -> None:
    """Status as JSON, the kubeconfig's path, kubectl with its own exit code, and a log."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "typer", "rollbook.sandbox.commands", "run", *arguments]
        environment = {**os.environ, "ROLLBOOK_HOME": str(sandbox.home.root)}
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=180, env=environment
        )

    status = json.loads(run("status", "--json").stdout)
    assert ("up", sandbox.id) == (status["state"], status["id"])
    assert str(sandbox.kubeconfig) == run("kubeconfig").stdout.strip()
    assert "namespace/argo-rollouts\n" == run("kubectl", "get", "namespace", "argo-rollouts", "-oname").stdout
    assert 1 == run("kubectl", "get", "namespace", "missing").returncode
    assert 0 == run("logs", "kube-apiserver", "-n", "1").returncode


def test_two_homes_are_two_sandboxes(sandbox: api.Sandbox, home: SandboxHome, monitoring: Path) -> None:
    """The second has its own ports, subnet and cluster, and its end is none of the first's business.

    Its components together need less than 1.3 GB. Two `up`s of it at once make one: the later waits for the
    earlier, and finds what that made.
    """
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: api.up(home, monitoring=monitoring, progress=SilentProgress()), "ab"))
    other = both[0]
    assert other.id == both[1].id
    assert "up" == api.status(home).state
    assert api.status(home).memory_mib < 1.3e9 / 2**20
    assert sandbox.subnet != other.subnet
    assert not set(addresses_of(sandbox)) & set(addresses_of(other))
    kubectl(other, "create", "namespace", "only-here")
    assert "only-here" not in kubectl(sandbox, "get", "namespaces", "-oname")
    addresses = addresses_of(other)
    assert api.down(home) > len(COMPONENTS)
    assert_nothing_is_left(home, addresses)
    until(lambda: api.status(sandbox.home).state == "up")


def test_a_sandbox_whose_supervisor_died_is_mended_and_ended(home: SandboxHome, monitoring: Path) -> None:
    """Status and `load` tell that it is half up; `up` mends it, and the cluster is the same.

    Supervisor killed and state file lost: `down` finds every process by its marker, and `up` works again.
    """
    first = api.up(home, monitoring=monitoring)
    kubectl(first, "create", "namespace", "kept")
    state = json.loads(home.state.read_text())
    os.kill(state["supervisor"]["pid"], signal.SIGKILL)
    os.kill(state["units"]["kube-apiserver"]["pid"], signal.SIGKILL)
    until(lambda: api.status(home).state == "half-up")
    with pytest.raises(EnvironmentFailedError, match="half up"):
        api.load(home)
    second = api.up(home, monitoring=monitoring)
    assert (first.id, first.endpoints) == (second.id, second.endpoints)
    assert "namespace/kept\n" == kubectl(second, "get", "namespace", "kept", "-oname")

    addresses = addresses_of(second)
    os.kill(json.loads(home.state.read_text())["supervisor"]["pid"], signal.SIGKILL)
    home.state.unlink()
    assert "half-up" == api.status(home).state
    api.down(home)
    assert_nothing_is_left(home, addresses)
    third = api.up(home, monitoring=monitoring)
    assert second.id != third.id
    assert second.endpoints == third.endpoints


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_up_leaves_nothing(
    home: SandboxHome, monitoring: Path, number: signal.Signals
) -> None:
    """Ctrl-C while components start ends all of them."""
    command = [sys.executable, "-m", "typer", "rollbook.sandbox.commands", "run", "up"]
    environment = {**os.environ, "ROLLBOOK_HOME": str(home.root)}
    with subprocess.Popen(
        [*command, "--monitoring", str(monitoring)], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: len(processes.marked(home.tag)) >= 3)
        process.send_signal(number)
        _out, told = process.communicate(timeout=180)
    assert process.returncode != 0
    assert "interrupted" in told
    assert () == processes.marked(home.tag)
    assert "down" == api.status(home).state
