"""Where a release goes: the kind of target, and how it is reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import SplitResult, urlsplit

from rollbook.errors import BadInputError

SANDBOX = "sandbox"
AWS = "aws"
KUBECONFIG = "kubeconfig"
TARGETS = (SANDBOX, AWS, KUBECONFIG)
OF_THE_SANDBOX = "sandbox"
"""Given as `endpoint_url`, it names the AWS that the sandbox emulates, whatever its port is."""
_TAKEN = {
    SANDBOX: frozenset[str](),
    AWS: frozenset({"region", "cluster", "endpoint_url"}),
    KUBECONFIG: frozenset({"context"}),
}


@dataclass(frozen=True)
class TargetSpec:
    """A target and how to reach it. Empty texts leave it to the target to know or to find out.

    Credentials are those of the environment: `AWS_PROFILE` and what else boto3 reads, and `KUBECONFIG`.
    """

    target: str = SANDBOX
    region: str = ""
    """AWS region; empty: that of the profile or the environment."""
    cluster: str = ""
    """Name of the EKS cluster; empty: the one that terraform/ makes by default."""
    endpoint_url: str = ""
    """An emulator of AWS on this machine, or `sandbox` for the sandbox's."""
    context: str = ""
    """Context of the kubeconfig."""

    @property
    def emulated(self) -> bool:
        """Whether an emulator stands for AWS."""
        return self.target == SANDBOX or bool(self.endpoint_url)

    def options(self) -> dict[str, str]:
        """What was given beside the target, by name."""
        return {name: value for name, value in asdict(self).items() if value and name != "target"}


NAMES = tuple(field.name for field in fields(TargetSpec))
"""Parameters that say where to release, in every runbook."""


def spec_of(values: Mapping[str, Any]) -> TargetSpec:
    """The target that parameters name; what else they hold is passed over."""
    return TargetSpec(**{name: str(values[name]) for name in NAMES if values.get(name)})


def check(spec: TargetSpec) -> TargetSpec:
    """The spec, if it fits. BadInputError names the target or the option that does not."""
    if spec.target not in TARGETS:
        raise BadInputError(f"unknown target {spec.target!r}", next_step=f"Targets: {', '.join(TARGETS)}.")
    for name in spec.options():
        if name not in _TAKEN[spec.target]:
            takers = [target for target in TARGETS if name in _TAKEN[target]]
            raise BadInputError(
                f"{_option(name)} is not for the target {spec.target}",
                next_step=f"It is for --target {' or '.join(takers)}; leave it out, or change the target.",
            )
    if spec.target == KUBECONFIG and not spec.context:
        raise BadInputError(
            "the target kubeconfig needs the name of a context",
            why="whatever happens to be the current one could be another cluster",
            next_step="Give --context NAME; `kubectl config get-contexts` lists them.",
        )
    if spec.endpoint_url not in {"", OF_THE_SANDBOX}:
        _check_emulator(spec.endpoint_url)
    return spec


def _check_emulator(url: str) -> None:
    """Terraform takes only a loopback address for an emulator, so that keys of an account never leave."""
    parts = _split("endpoint_url", url)
    if not (_is_web(parts) and parts.port and parts.path in {"", "/"} and _is_loopback(parts.hostname or "")):
        raise BadInputError(
            f"--endpoint-url {url} is no emulator on this machine",
            why="it has to be http, a loopback address and a port",
            next_step=f"For example http://127.0.0.1:4566, or `{OF_THE_SANDBOX}` for the sandbox's own.",
        )


def _split(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # looked at for the error it raises
    except ValueError as error:
        raise BadInputError(f"{_option(name)} {url} is not a URL", why=str(error)) from error
    return parts


def _is_web(parts: SplitResult) -> bool:
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
