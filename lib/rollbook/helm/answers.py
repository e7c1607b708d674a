"""What helm answers, in the words of a record and of the phases. Pure, but for the reading of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollbook.helm.command import Done


@dataclass(frozen=True)
class Installed:
    """A release as Helm holds it: `status` is Helm's own word, such as `deployed`.

    `package` is the SHA-256 (`sha256:...`) of the chart's package that was installed; empty where it was
    installed from an unpacked chart, or was only looked at.
    """

    name: str
    namespace: str
    chart: str
    version: str
    app_version: str
    revision: int
    status: str
    package: str = ""

    @property
    def secret(self) -> str:
        """Name of the Secret in `namespace` in which Helm keeps this revision.

        Reading it leaves the record that the check `helm.release_deployed` looks for.
        """
        return f"sh.helm.release.v1.{self.name}.v{self.revision}"


def installed(told: Mapping[str, Any], package: str = "") -> Installed:
    """The release in what `helm upgrade` prints as JSON."""
    metadata = (told.get("chart") or {}).get("metadata") or {}
    return Installed(
        name=str(told["name"]),
        namespace=str(told["namespace"]),
        chart=str(metadata.get("name", "")),
        version=str(metadata.get("version", "")),
        app_version=str(metadata.get("appVersion", "")),
        revision=int(told["version"]),
        status=str(told["info"]["status"]),
        package=package,
    )


def described(told: Mapping[str, Any]) -> Installed:
    """The release in what `helm get metadata` prints as JSON; `helm status` leaves the chart out."""
    return Installed(
        name=str(told["name"]),
        namespace=str(told["namespace"]),
        chart=str(told["chart"]),
        version=str(told["version"]),
        app_version=str(told["appVersion"]),
        revision=int(told["revision"]),
        status=str(told["status"]),
    )


def kept(call: str, done: Done) -> dict[str, Any]:
    """What is kept of an answer: of manifests the digest alone, since they hold what charts make secret."""
    if done.code != 0:
        return {"errors": done.errors.strip()[-2000:]}
    if call == "template":
        return {"sha256": sha256(done.output.encode()), "bytes": len(done.output)}
    if call == "get metadata":
        return dict(json.loads(done.output))
    if call != "upgrade":
        return {"output": done.output.strip()[-2000:]}
    told = json.loads(done.output)
    release = installed(told)
    return {
        "name": release.name,
        "namespace": release.namespace,
        "chart": release.chart,
        "version": release.version,
        "app_version": release.app_version,
        "revision": release.revision,
        "status": release.status,
        "manifest_sha256": sha256(str(told.get("manifest", "")).encode()),
    }


def digest_of(path: Path) -> str:
    """SHA-256 of a file, `sha256:...`."""
    return sha256(path.read_bytes())


def sha256(content: bytes) -> str:
    """SHA-256 of bytes, `sha256:...`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
