"""external-secrets in the sandbox: who it is, what it may do, and how it reaches the emulated AWS.

It is the operator that an EKS cluster has from k8s/addons, with the same parts of it at work: SecretStore and
ExternalSecret, no cluster-wide kinds, nothing pushed to AWS.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollbook.sandbox.extras import SECRETS, BuiltExtra
from rollbook.sandbox.files import write_private
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.manifests import Manifest, binding
from rollbook.sandbox.parts import LEAN, Parts
from rollbook.sandbox.units import BOOTSTRAP, Probe, Unit

NAME = "external-secrets"
USER = "external-secrets"
PORT = "external-secrets-metrics"
KEY_ID = "external-secrets"
"""Access key id at the emulated AWS, by which its requests can be told from others."""

_ROLE = "rollbook:external-secrets"
_LOOK = ["get", "list", "watch"]


@dataclass(frozen=True)
class Added:
    """What a sandbox with the operator has beside its own parts; nothing of it without one."""

    ports: tuple[str, ...] = ()
    users: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    objects: tuple[Manifest, ...] = ()
    disclosures: tuple[str, ...] = ()


def added(built: Sequence[BuiltExtra]) -> Added:
    """What these extras add, as far as it is the operator's."""
    operator = _operator(built)
    if operator is None:
        return Added()
    return Added((PORT,), {USER: (USER, "")}, manifests(operator), operator.disclosures)


def prepared(parts: Parts, built: Sequence[BuiltExtra]) -> tuple[Unit, ...]:
    """Write the operator's credentials; its unit, or none when it is not among these extras."""
    operator = _operator(built)
    if operator is None:
        return ()
    write_credentials(parts.home)
    return (unit(parts, operator),)


def _operator(built: Sequence[BuiltExtra]) -> BuiltExtra | None:
    return next((one for one in built if one.name == SECRETS), None)


def manifests(built: BuiltExtra) -> tuple[Manifest, ...]:
    """What the cluster has to hold for it: definitions, a role, and who has it.

    A role cannot be narrowed to labels, so it may read every Secret, as it may on any cluster. It may not
    make tokens of service accounts, and of stores it may change the status alone.
    """
    group = "external-secrets.io"
    rules = [
        {"apiGroups": [group], "resources": ["externalsecrets", "secretstores"], "verbs": _LOOK},
        {
            "apiGroups": [group],
            "resources": ["externalsecrets/status", "secretstores/status"],
            "verbs": ["get", "update", "patch"],
        },
        # Its finalizer, and the owner reference that makes a Secret end with its ExternalSecret.
        {
            "apiGroups": [group],
            "resources": ["externalsecrets", "externalsecrets/finalizers"],
            "verbs": ["update", "patch"],
        },
        {"apiGroups": [f"generators.{group}"], "resources": ["generatorstates"], "verbs": _LOOK},
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "verbs": [*_LOOK, "create", "update", "patch", "delete"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
    ]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": _ROLE},
        "rules": rules,
    }
    return (*built.definitions(), role, binding(_ROLE, role=_ROLE, user=USER))


def write_credentials(home: SandboxHome) -> None:
    """Write its own AWS credentials, which only the user who runs the sandbox can read.

    They stand for the role that EKS Pod Identity gives the operator: no manifest names them, and no other
    component has them. The emulator takes any.
    """
    text = f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {secrets.token_urlsafe(24)}\n"
    write_private(home.config / "external-secrets.credentials", text.encode())


def unit(parts: Parts, built: BuiltExtra) -> Unit:
    """The operator. Its probe is its metrics: it serves them when it has started."""
    url = parts.addresses.url(PORT)
    argv = [
        str(built.binary),
        f"--metrics-addr=127.0.0.1:{parts.addresses.ports[PORT]}",
        "--enable-leader-election=false",
        "--enable-cluster-store-reconciler=false",
        "--enable-cluster-external-secret-reconciler=false",
        "--enable-push-secret-reconciler=false",
        "--enable-cluster-push-secret-reconciler=false",
        "--enable-generator-state=false",
        "--store-requeue-interval=30s",
        "--loglevel=warn",
        "--zap-time-encoding=rfc3339",
    ]
    environment = {
        **LEAN,
        "KUBECONFIG": str(parts.home.kubeconfig(USER)),
        "AWS_SHARED_CREDENTIALS_FILE": str(parts.home.config / "external-secrets.credentials"),
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SECRETSMANAGER_ENDPOINT": parts.addresses.url("ministack"),
        "AWS_STS_ENDPOINT": parts.addresses.url("ministack"),
    }
    return parts.unit(
        NAME,
        built.version.removeprefix("v"),
        argv,
        Probe(f"{url}/metrics"),
        endpoint=url,
        needs=(BOOTSTRAP, "ministack"),
        environment=environment,
    )
