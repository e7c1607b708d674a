"""Any cluster that has Argo Rollouts and Traefik, by a context of a kubeconfig."""

from __future__ import annotations

import os
from pathlib import Path

from rollbook.domain.service import Service
from rollbook.domain.target import KUBECONFIG, TargetSpec
from rollbook.evidence.answers import Records
from rollbook.images.elsewhere import KeptElsewhere
from rollbook.kubernetes.rest import ApiServer
from rollbook.ports import World
from rollbook.targets.parts import addresses_of, outside


def path() -> Path:
    """The kubeconfig: the first that KUBECONFIG names, or the one of the home folder."""
    named = [one for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    return Path(named[0] if named else "~/.kube/config").expanduser()


def api_server(spec: TargetSpec, records: Records | None) -> ApiServer:
    """The API server of the context. BadInputError when the kubeconfig lacks it."""
    return ApiServer.from_kubeconfig(path(), spec.context, records)


def connect(spec: TargetSpec, service: Service, records: Records | None) -> World:
    """Its collaborators. BadInputError when the kubeconfig lacks the context."""
    return outside(
        KUBECONFIG,
        KUBECONFIG,
        api_server(spec, records),
        service,
        KeptElsewhere(addresses_of(service, KUBECONFIG).registry),
        records,
        disclosures=(
            f"The cluster is that of the context {spec.context}; its images and add-ons are not rollbook's.",
        ),
    )
