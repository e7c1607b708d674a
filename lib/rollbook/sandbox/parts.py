"""What the command lines of a sandbox's components are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollbook.sandbox.binaries import Binaries
from rollbook.sandbox.home import SandboxHome
from rollbook.sandbox.network import Addresses
from rollbook.sandbox.pki import Pki
from rollbook.sandbox.units import MARKER, Probe, Unit

LEAN = {"GOGC": "50"}
"""Collect garbage at half the usual growth: less memory for a little more CPU time."""


@dataclass(frozen=True)
class Parts:
    """Everything that command lines are made of."""

    home: SandboxHome
    sandbox: str
    addresses: Addresses
    pki: Pki
    binaries: Binaries
    traefik: Path
    ministack: Path

    def environment(self, extra: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Environment of a component: nothing of the user's, only what it needs."""
        scratch = self.home.data / "tmp"
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(scratch),
            "XDG_CONFIG_HOME": str(scratch),
            "TMPDIR": str(scratch),
            MARKER: self.sandbox,
            **(extra or {}),
        }

    def unit(
        self,
        name: str,
        version: str,
        argv: list[str],
        probe: Probe,
        *,
        endpoint: str = "",
        needs: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Unit:
        """A unit with the sandbox's environment, log and working directory."""
        return Unit(
            name=name,
            version=version,
            argv=tuple(argv),
            environment=self.environment(environment),
            cwd=str(self.home.data / "tmp"),
            log=str(self.home.log(name)),
            probe=probe,
            endpoint=endpoint,
            needs=needs,
        )
