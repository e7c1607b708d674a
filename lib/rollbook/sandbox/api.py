"""The sandbox as the rest of the package sees it: `up`, `down`, `load`, `status`."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rollbook.domain.release import Component
from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox import lifecycle, processes
from rollbook.sandbox.alerting import RECEIVER, disclosure
from rollbook.sandbox.builder import ensure_binaries
from rollbook.sandbox.home import Cache, SandboxHome
from rollbook.sandbox.judging import JUDGE
from rollbook.sandbox.pki import ADMIN
from rollbook.sandbox.probing import answers
from rollbook.sandbox.progress import Progress, SilentProgress
from rollbook.sandbox.state import read_state, supervisor_runs
from rollbook.sandbox.toolchain import ministack_folder, traefik_binary
from rollbook.sandbox.units import Probe

EMULATED = frozenset({"ministack"})
STAND_IN = {
    "node-agent": "stands in for the kubelet: pods are processes of this machine",
    "ministack": "emulates AWS",
    RECEIVER: "takes alerts in place of a pager",
    "kube-apiserver": "one validation line patched: loopback addresses may be endpoints",
    "argo-rollouts": "one line patched: its own ports listen on loopback only",
}
"""What a reader of a report should know about a component."""

OWN_DISCLOSURES = (
    "AWS is emulated by MiniStack: ECR, Secrets Manager, STS and EKS answer, but nothing of it is AWS.",
    (
        "The node is an agent of rollbook, not a kubelet: pods are ordinary processes of this machine, "
        "without namespaces, cgroups or a container runtime."
    ),
    (
        "Nothing of the pod network is enforced: there is no kube-proxy and no network plugin, "
        "and NetworkPolicies are stored but have no effect."
    ),
    "etcd does not sync to disk, and the cluster is one node that `rollbook sandbox down` throws away.",
    "Traefik stands where an EKS cluster has its load balancer.",
    disclosure(),
)


@dataclass(frozen=True)
class Endpoints:
    """Where the sandbox is reached; all of it on 127.0.0.1."""

    edge_url: str
    """Users reach the services here; Traefik routes by the Host header."""
    prometheus_url: str
    alertmanager_url: str
    alert_receiver_url: str
    """Empty in a sandbox that an earlier rollbook started."""
    judge_url: str
    """The same."""
    aws_endpoint_url: str
    apiserver_url: str


@dataclass(frozen=True)
class ComponentStatus:
    """One component: `state` is `ready`, `starting`, `waiting`, `restarting`, `unhealthy` or `dead`."""

    name: str
    version: str
    state: str
    detail: str
    pid: int
    restarts: int
    last_exit: str
    """How it ended last, such as `signal 9`; empty when it never did."""
    memory_mib: float
    endpoint: str
    since: datetime

    @property
    def healthy(self) -> bool:
        """Whether it answers."""
        return self.state == "ready"


@dataclass(frozen=True)
class SandboxStatus:
    """A sandbox at one moment. `state` is `up`, `starting`, `degraded`, `half-up` or `down`."""

    state: str
    id: str
    home: Path
    subnet: str
    detail: str
    components: tuple[ComponentStatus, ...]
    processes: int
    """Processes of this home, pods' and left-over ones too."""

    @property
    def memory_mib(self) -> float:
        """Memory of the components together, in MiB; pods are not components."""
        return sum(component.memory_mib for component in self.components)


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that is up."""

    id: str
    home: SandboxHome
    subnet: str
    """First two bytes of the pods' addresses, such as `127.71`."""
    kubeconfig: Path
    """The administrator's."""
    kubectl: Path
    promtool: Path
    amtool: Path
    images: Path
    """OCI image layout that pods are started from."""
    endpoints: Endpoints
    versions: Mapping[str, str]
    disclosures: tuple[str, ...]
    """What is emulated, patched, or different from EKS, one sentence each."""
    extras: tuple[str, ...] = ()
    """What it has beside its own parts: `secrets`."""

    def components(self) -> tuple[Component, ...]:
        """Every component as it is now. EnvironmentFailedError when the sandbox is gone."""
        now = status(self.home)
        if now.state in {"down", "half-up"}:
            raise _not_up(now)
        return tuple(
            Component(
                name=one.name,
                version=one.version,
                healthy=one.healthy,
                detail=_detail(one),
                emulated=one.name in EMULATED,
            )
            for one in now.components
        )


def prepare(progress: Progress | None = None) -> None:
    """Build and install what a sandbox needs, where this machine has not yet, without starting anything.

    Raises BuildFailedError and EnvironmentFailedError.
    """
    cache, shown = Cache.current(), progress or SilentProgress()
    ensure_binaries(cache, shown)
    traefik_binary(cache, shown)
    ministack_folder(cache, shown)


def up(
    home: SandboxHome | None = None,
    *,
    monitoring: Path | None,
    progress: Progress | None = None,
    extras: tuple[str, ...] = (),
) -> Sandbox:
    """Bring the sandbox up and return when every component is ready; what is missing is built or installed.

    A sandbox that is up stays as it is, one that is half up is mended. `monitoring` holds `rules/*.yaml` and,
    optionally, `alertmanager/alertmanager.yaml`; both are loaded anew at each call, and the rules of other
    folders stay. None adds nothing. `extras` are what it has beside its own parts;
    to have another one it has to be taken down first. Raises BuildFailedError, BadInputError and
    EnvironmentFailedError; then, and on Ctrl-C, nothing that this call started is left.
    """
    where = home or SandboxHome.current()
    lifecycle.start(where, Cache.current(), monitoring, progress or SilentProgress(), extras)
    return load(where)


def down(home: SandboxHome | None = None, *, progress: Progress | None = None) -> int:
    """End every process of the sandbox, whoever crashed before, and remove its data; logs are kept.

    Returns how many processes were ended.
    """
    return lifecycle.stop(home or SandboxHome.current(), progress or SilentProgress())


def load(home: SandboxHome | None = None) -> Sandbox:
    """The sandbox that is up. EnvironmentFailedError when there is none, or only half of one."""
    where = home or SandboxHome.current()
    state = read_state(where)
    if state is None or not supervisor_runs(state):
        raise _not_up(status(where))
    binaries = Path(str(state["binaries"])) / "bin"
    ports = state["ports"]

    def url(port: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{ports[port]}"

    return Sandbox(
        id=str(state["id"]),
        home=where,
        subnet=str(state["subnet"]),
        kubeconfig=where.kubeconfig(ADMIN),
        kubectl=binaries / "kubectl",
        promtool=binaries / "promtool",
        amtool=binaries / "amtool",
        images=where.images,
        endpoints=Endpoints(
            edge_url=url("edge"),
            prometheus_url=url("prometheus"),
            alertmanager_url=url("alertmanager"),
            alert_receiver_url=url(RECEIVER) if RECEIVER in ports else "",
            judge_url=url(JUDGE) if JUDGE in ports else "",
            aws_endpoint_url=url("ministack"),
            apiserver_url=url("kube-apiserver", "https"),
        ),
        versions=dict(state["versions"]),
        disclosures=(*(str(patch) for patch in state["patches"]), *OWN_DISCLOSURES),
        extras=tuple(state.get("extras", ())),
    )


def status(home: SandboxHome | None = None) -> SandboxStatus:
    """How the sandbox is at this moment: every component is asked."""
    where = home or SandboxHome.current()
    running = processes.marked(where.tag)
    state = read_state(where)
    if state is None:
        detail = f"{len(running)} processes of an earlier sandbox are left" if running else "no sandbox is up"
        kind = "half-up" if running else "down"
        return SandboxStatus(kind, "", where.root, "", detail, (), len(running))
    units = state["units"]
    with ThreadPoolExecutor(max(1, len(units))) as pool:
        components = tuple(pool.map(_component, units.keys(), units.values()))
    kind, detail = _judge(state, components)
    return SandboxStatus(
        kind, str(state["id"]), where.root, str(state["subnet"]), detail, components, len(running)
    )


def _judge(state: Mapping[str, Any], components: tuple[ComponentStatus, ...]) -> tuple[str, str]:
    if not supervisor_runs(state):
        alive = sum(1 for one in components if one.state != "dead")
        return "half-up", f"its supervisor is gone, {alive} of {len(components)} components run"
    ill = [one.name for one in components if not one.healthy]
    if state["failure"]:
        return "degraded", str(state["failure"])
    if any(one.state in {"restarting", "unhealthy", "dead"} for one in components):
        return "degraded", f"{', '.join(ill)} not ready"
    if ill or state["bootstrap"]["state"] != "ready":
        return "starting", f"{', '.join(ill) or 'the API server'} not ready yet"
    return "up", ""


def _component(name: str, unit: Mapping[str, Any]) -> ComponentStatus:
    pid = int(unit["pid"])
    state, detail = str(unit["state"]), ""
    alive = pid > 0 and processes.same_process(pid, float(unit["started"]))
    if alive:
        detail = answers(Probe(**unit["probe"]))
        if state == "ready" and detail:
            state = "unhealthy"
    elif state in {"ready", "starting"}:
        state, detail = "dead", "its process is gone"
    return ComponentStatus(
        name=name,
        version=str(unit["version"]),
        state=state,
        detail=detail,
        pid=pid if alive else 0,
        restarts=int(unit["restarts"]),
        last_exit=str(unit["last_exit"]),
        memory_mib=round(processes.memory_mib(pid), 1) if alive else 0.0,
        endpoint=str(unit["endpoint"]),
        since=datetime.fromtimestamp(float(unit["since"]), UTC),
    )


def _detail(one: ComponentStatus) -> str:
    restarted = ""
    if one.restarts:
        times = "once" if one.restarts == 1 else f"{one.restarts} times"
        restarted = f"restarted {times}, last after {one.last_exit}"
    return "; ".join(part for part in (STAND_IN.get(one.name, ""), restarted, one.detail) if part)


def _not_up(now: SandboxStatus) -> EnvironmentFailedError:
    if now.state == "down":
        return EnvironmentFailedError(
            "no sandbox is up", why=f"there is none in {now.home}", next_step="Run `rollbook sandbox up`."
        )
    return EnvironmentFailedError(
        "the sandbox is half up", why=now.detail, next_step="`rollbook sandbox up` mends it."
    )
