"""What the sandbox's binaries are made of: modules, patches, flags, and the key that names the result."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import BuildFailedError

GO_VERSION = "1.27.3"
TRAEFIK_VERSION = "3.7.13"
MINISTACK_VERSION = "1.5.33"

TRAEFIK_MODULE = "github.com/traefik/traefik/v3"
TRAEFIK_SUM = "h1:T8wy9KuaFzCkmXCqAzDy7t73pBDR1DHrJe3pqXpNXTw="
"""Go's checksum of the module `TRAEFIK_MODULE` at `TRAEFIK_VERSION`: our go.sum does not list it."""

TAGS = "remove_all_sd,enable_kubernetes_sd"
COMPILER_FLAGS = "all=-N -l -dwarf=false"
"""No optimiser and no debug information: a third less to compute, and fast enough for a sandbox."""

MODULE_FOLDER = Path(__file__).parent / "gomod"


@dataclass(frozen=True)
class Patch:
    """One line of a module that is changed before it is compiled."""

    module: str
    file: str
    old: str
    new: str
    disclosure: str
    """What differs because of it, one sentence for readers of a report."""

    def apply(self, source: str) -> str:
        """Return the changed source. BuildFailedError unless the line occurs exactly once."""
        found = source.count(self.old)
        if found != 1:
            raise BuildFailedError(
                f"{self.module}/{self.file} cannot be patched",
                why=f"`{self.old}` occurs {found} times where exactly one was expected",
                next_step="The patch in recipe.py does not fit the module's version in gomod/go.mod.",
            )
        return source.replace(self.old, self.new)


PATCHES = (
    Patch(
        module="k8s.io/kubernetes",
        file="pkg/apis/core/validation/validation.go",
        old="if ip.IsLoopback() {",
        new="if false && ip.IsLoopback() {",
        disclosure="Kubernetes is compiled with one validation line patched, so that loopback addresses "
        "(127.0.0.0/8) may be endpoints.",
    ),
    Patch(
        module="github.com/argoproj/argo-rollouts",
        file="controller/controller.go",
        old='"0.0.0.0:%d"',
        new='"127.0.0.1:%d"',
        disclosure="Argo Rollouts is compiled with one line patched, so that its metrics and health ports "
        "listen on loopback only.",
    ),
)


@dataclass(frozen=True)
class Group:
    """Packages that one `go build` compiles, and what the linker stamps into them."""

    title: str
    packages: tuple[str, ...]
    stamps: Mapping[str, str]

    @property
    def linker_flags(self) -> str:
        """Value of `-ldflags`."""
        stamps = (f"-X {name}={value}" for name, value in sorted(self.stamps.items()))
        return " ".join(("-s -w", *stamps))


@dataclass(frozen=True)
class Recipe:
    """The whole build. `key` changes when anything that could change a binary does."""

    go_mod: str
    go_sum: str
    groups: tuple[Group, ...]
    patches: tuple[Patch, ...] = PATCHES

    @property
    def binaries(self) -> tuple[str, ...]:
        """File names that the build makes."""
        return tuple(binary_name(package) for group in self.groups for package in group.packages)

    @property
    def key(self) -> str:
        """Sixteen hex digits over go.mod, go.sum, patches, flags, and versions of Go and Traefik."""
        parts = [self.go_mod, self.go_sum, GO_VERSION, TRAEFIK_VERSION, TRAEFIK_SUM, TAGS, COMPILER_FLAGS]
        parts += [platform.system(), platform.machine()]
        for patch in self.patches:
            parts += [patch.module, patch.file, patch.old, patch.new]
        for group in self.groups:
            parts += [*group.packages, group.linker_flags]
        digest = hashlib.sha256()
        for part in parts:
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(8, "big"))
            digest.update(encoded)
        return digest.hexdigest()[:16]

    def version(self, module: str) -> str:
        """Version of a module that is compiled, such as `v1.36.3`."""
        return module_version(self.go_mod, module)

    def versions(self) -> Mapping[str, str]:
        """Version of each component as its users write it."""
        prometheus = prometheus_release(self.version("github.com/prometheus/prometheus"))
        return {
            "kubernetes": self.version("k8s.io/kubernetes"),
            "etcd": self.version("go.etcd.io/etcd/server/v3").removeprefix("v"),
            "argo-rollouts": self.version("github.com/argoproj/argo-rollouts"),
            "prometheus": prometheus,
            "alertmanager": self.version("github.com/prometheus/alertmanager").removeprefix("v"),
            "traefik": TRAEFIK_VERSION,
            "ministack": MINISTACK_VERSION,
        }


def binary_name(package: str) -> str:
    """File that `go build` makes of a main package: its last folder, major-version suffixes left out."""
    parts = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)]
    return parts[-1]


def module_version(go_mod: str, module: str) -> str:
    """Version of a module in a go.mod, after its replacements. BuildFailedError when it is not there."""
    name = re.escape(module)
    replaced = re.search(rf"^\s*(?:replace\s+)?{name}(?:\s+v\S+)?\s+=>\s+\S+\s+(v\S+)", go_mod, re.MULTILINE)
    required = re.search(rf"^\s*(?:require\s+)?{name}\s+(v\S+)", go_mod, re.MULTILINE)
    found = replaced or required
    if found is None:
        raise BuildFailedError(f"{module} is not in the sandbox's go.mod")
    return found.group(1)


def prometheus_release(module: str) -> str:
    """Prometheus' release of its Go module's version: module v0.312.0 is release 3.12.0."""
    _zero, number, patch = module.removeprefix("v").split(".")
    return f"{number[:-2]}.{int(number[-2:])}.{patch}"


def recipe() -> Recipe:
    """The recipe of this version of rollbook. What the first release needs is built first."""
    go_mod = (MODULE_FOLDER / "go.mod").read_text()
    go_sum = (MODULE_FOLDER / "go.sum").read_text()
    kubernetes_version = module_version(go_mod, "k8s.io/kubernetes")
    major, minor, _patch = kubernetes_version.removeprefix("v").split(".")
    component_base = "k8s.io/component-base/version"
    kubernetes = {
        f"{component_base}.gitVersion": kubernetes_version,
        f"{component_base}.gitMajor": major,
        f"{component_base}.gitMinor": minor,
        f"{component_base}.gitTreeState": "patched",
    }
    prometheus_stamp = "github.com/prometheus/common/version.Version"
    prometheus = {
        prometheus_stamp: prometheus_release(module_version(go_mod, "github.com/prometheus/prometheus"))
    }
    alertmanager_version = module_version(go_mod, "github.com/prometheus/alertmanager")
    alertmanager = {prometheus_stamp: alertmanager_version.removeprefix("v")}
    argo_version = module_version(go_mod, "github.com/argoproj/argo-rollouts")
    argo = {"github.com/argoproj/argo-rollouts/utils/version.version": argo_version.removeprefix("v")}
    cmd = "k8s.io/kubernetes/cmd"
    return Recipe(
        go_mod=go_mod,
        go_sum=go_sum,
        groups=(
            Group("etcd", ("go.etcd.io/etcd/server/v3",), {}),
            Group(
                "Kubernetes",
                (f"{cmd}/kube-apiserver", f"{cmd}/kube-controller-manager", f"{cmd}/kube-scheduler"),
                kubernetes,
            ),
            Group("Argo Rollouts", ("github.com/argoproj/argo-rollouts/cmd/rollouts-controller",), argo),
            Group(
                "Prometheus",
                (
                    "github.com/prometheus/prometheus/cmd/prometheus",
                    "github.com/prometheus/prometheus/cmd/promtool",
                ),
                prometheus,
            ),
            Group(
                "Alertmanager",
                (
                    "github.com/prometheus/alertmanager/cmd/alertmanager",
                    "github.com/prometheus/alertmanager/cmd/amtool",
                ),
                alertmanager,
            ),
            Group("kubectl", (f"{cmd}/kubectl",), kubernetes),
        ),
    )
