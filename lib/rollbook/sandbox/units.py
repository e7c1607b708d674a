"""The plan of a sandbox: its processes, what each needs, and how it shows that it is ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MARKER = "ROLLBOOK_SANDBOX"
"""Environment variable of every process of a sandbox, its pods' too; `down` finds them by it."""

POD_MARKER = "ROLLBOOK_POD_UID"
"""Environment variable that the processes of pods have beside it."""


@dataclass(frozen=True)
class Probe:
    """A GET that answers 200 when the unit is ready. `ca`, `cert`, `key` are files, empty for plain HTTP."""

    url: str
    ca: str = ""
    cert: str = ""
    key: str = ""


@dataclass(frozen=True)
class Unit:
    """One process. It is started when the units that it `needs` are ready, and again whenever it ends."""

    name: str
    version: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str
    log: str
    probe: Probe
    endpoint: str = ""
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a supervisor runs."""

    sandbox: str
    """Id of the sandbox: the value of the marker in every process."""
    boot_id: str
    """The machine's boot that it was made in."""
    state: str
    units: tuple[Unit, ...]
    apiserver: Probe
    served: tuple[str, ...]
    """Paths that the API server must list before the units that need `BOOTSTRAP` are started."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What readers of the state need and the supervisor only copies: addresses, paths, versions."""

    def to_json(self) -> bytes:
        """The plan as a file."""
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


BOOTSTRAP = "bootstrap"
"""Name of the wait until custom resources are served; units may need it."""


def read_plan(path: Path) -> Plan:
    """Read a plan that `up` wrote."""
    value = json.loads(path.read_text())
    units = tuple(
        Unit(
            **{
                **unit,
                "argv": tuple(unit["argv"]),
                "needs": tuple(unit["needs"]),
                "probe": Probe(**unit["probe"]),
            }
        )
        for unit in value["units"]
    )
    return Plan(
        **{
            **value,
            "units": units,
            "apiserver": Probe(**value["apiserver"]),
            "served": tuple(value["served"]),
        }
    )
