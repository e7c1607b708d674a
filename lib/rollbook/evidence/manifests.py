"""Kubernetes objects as the record may keep them: without the values that they declare secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rollbook.evidence.known import says_secret

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where kubectl keeps the whole manifest, values included, as JSON."""


def without_secrets(manifest: Any) -> Any:
    """The object (or a list of objects) with a marker in place of each value that it declares secret.

    All values of a `Secret`, values of a `ConfigMap` whose key says that they are secret, and values of
    `name`/`value` pairs (variables of a container, arguments) whose name says so.
    """
    if isinstance(manifest, list | tuple):
        return [without_secrets(one) for one in manifest]
    if not isinstance(manifest, Mapping):
        return manifest
    kind = manifest.get("kind")
    clean: dict[str, Any] = {}
    for key, value in manifest.items():
        secret_map = kind == "Secret" and key in {"data", "stringData"}
        if isinstance(value, Mapping) and (secret_map or (kind == "ConfigMap" and "data" in key.lower())):
            clean[key] = {
                name: _marker(name) if secret_map or says_secret(str(name)) else one
                for name, one in value.items()
            }
        elif (
            key == "value" and isinstance(value, str) and value and says_secret(str(manifest.get("name", "")))
        ):
            clean[key] = _marker(str(manifest["name"]))
        elif key == LAST_APPLIED and isinstance(value, str):
            clean[key] = _applied(value)
        else:
            clean[key] = without_secrets(value)
    return clean


def _applied(text: str) -> str:
    try:
        return json.dumps(without_secrets(json.loads(text)), separators=(",", ":"))
    except (ValueError, RecursionError):
        return "[not kept: it could not be read]"


def _marker(name: str) -> str:
    return f"[secret {name}]"
