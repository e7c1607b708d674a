"""Applies cluster-wide objects to the API server, and waits until custom resources are served."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rollbook.errors import EnvironmentFailedError
from rollbook.sandbox.probing import connect
from rollbook.sandbox.units import Probe

APPLY_TIMEOUT_S = 120.0
APPLY_CONNECTIONS = 4
FIELD_MANAGER = "rollbook-sandbox"

PLURALS = {
    "Namespace": "namespaces",
    "CustomResourceDefinition": "customresourcedefinitions",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
}
"""Resource name of each kind that the sandbox applies itself; all of them are cluster-wide."""


def apply_all(apiserver: Probe, objects: Sequence[Mapping[str, Any]]) -> None:
    """Apply objects server-side, several at a time, and wait until custom resources are served.

    Raises EnvironmentFailedError that names the object.
    """
    lanes = [objects[number::APPLY_CONNECTIONS] for number in range(APPLY_CONNECTIONS)]
    with ThreadPoolExecutor(APPLY_CONNECTIONS) as pool:
        for done in [pool.submit(_apply_lane, apiserver, lane) for lane in lanes]:
            done.result()


def _apply_lane(apiserver: Probe, objects: Sequence[Mapping[str, Any]]) -> None:
    connection = connect(apiserver, timeout_s=APPLY_TIMEOUT_S)
    try:
        for item in objects:
            _apply(connection, item)
        for item in objects:
            if item["kind"] == "CustomResourceDefinition":
                _wait_established(connection, item)
    except (OSError, http.client.HTTPException) as error:
        raise EnvironmentFailedError(
            "the API server hung up while it was prepared", why=str(error)
        ) from error
    finally:
        connection.close()


def _path(item: Mapping[str, Any]) -> str:
    version = str(item["apiVersion"])
    prefix = "/api/v1" if version == "v1" else f"/apis/{version}"
    return f"{prefix}/{PLURALS[str(item['kind'])]}/{item['metadata']['name']}"


def _apply(connection: http.client.HTTPConnection, item: Mapping[str, Any]) -> None:
    connection.request(
        "PATCH",
        f"{_path(item)}?fieldManager={FIELD_MANAGER}&force=true",
        body=json.dumps(item),
        headers={"Content-Type": "application/apply-patch+yaml"},
    )
    response = connection.getresponse()
    body = response.read()
    if response.status not in {http.client.OK, http.client.CREATED}:
        raise EnvironmentFailedError(
            f"the API server refused {item['kind']} {item['metadata']['name']}",
            why=f"HTTP {response.status}: {body.decode(errors='replace')[:500]}",
        )


def _wait_established(connection: http.client.HTTPConnection, item: Mapping[str, Any]) -> None:
    deadline = time.monotonic() + APPLY_TIMEOUT_S
    while time.monotonic() < deadline:
        connection.request("GET", _path(item))
        value = json.loads(connection.getresponse().read())
        conditions = value.get("status", {}).get("conditions") or []
        if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            return
        time.sleep(0.05)
    raise EnvironmentFailedError(f"{item['metadata']['name']} was not served within {APPLY_TIMEOUT_S:.0f} s")
