"""Where a sandbox keeps its files, and where those that all sandboxes of a machine share are."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from rollbook.errors import EnvironmentFailedError


@dataclass(frozen=True)
class SandboxHome:
    """The folder of one sandbox. Two homes are two sandboxes that know nothing of each other."""

    root: Path

    @classmethod
    def current(cls) -> SandboxHome:
        """The home that the environment names: `ROLLBOOK_HOME`, else the user's state folder."""
        named = os.environ.get("ROLLBOOK_HOME", "")
        return cls(
            (Path(named) if named else platformdirs.user_state_path("rollbook")).expanduser().absolute()
        )

    @property
    def tag(self) -> str:
        """Ten hex digits that name this home: every process of its sandboxes carries them."""
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:10]

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops the sandbox."""
        return self.root / "sandbox.lock"

    @property
    def plan(self) -> Path:
        """What the supervisor has to run; written by `up`."""
        return self.root / "plan.json"

    @property
    def state(self) -> Path:
        """What runs; written by the supervisor alone."""
        return self.root / "state.json"

    @property
    def ports(self) -> Path:
        """Ports and subnet of the last sandbox, so that the next one has the same if they are free."""
        return self.root / "ports.json"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Configuration files that `up` renders."""
        return self.root / "config"

    @property
    def data(self) -> Path:
        """What the components store; gone after `down`."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One log per component; kept by `down`."""
        return self.root / "logs"

    @property
    def images(self) -> Path:
        """OCI image layout that pods are started from."""
        return self.root / "images"

    def kubeconfig(self, user: str) -> Path:
        """Kubeconfig of one of the cluster's users."""
        return self.config / f"{user}.kubeconfig"

    def log(self, component: str) -> Path:
        """Log file of a component."""
        return self.logs / f"{component}.log"

    def create(self) -> None:
        """Make the folders, closed to other users. EnvironmentFailedError when the disk refuses."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o700)
            for folder in (self.pki, self.config, self.data, self.logs, self.images):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailedError(
                f"the sandbox's folder {self.root} cannot be made",
                why=str(error),
                next_step="Name another folder in ROLLBOOK_HOME.",
            ) from error


@dataclass(frozen=True)
class Cache:
    """What is built or downloaded once for all sandboxes of a machine."""

    root: Path

    @classmethod
    def current(cls) -> Cache:
        """The cache that the environment names: `ROLLBOOK_CACHE`, else the user's cache folder."""
        named = os.environ.get("ROLLBOOK_CACHE", "")
        return cls(
            (Path(named) if named else platformdirs.user_cache_path("rollbook")).expanduser().absolute()
        )

    @property
    def binaries(self) -> Path:
        """Finished builds, one folder per key."""
        return self.root / "binaries"

    @property
    def tools(self) -> Path:
        """Finished installations from the lock files, one folder per key."""
        return self.root / "tools"

    @property
    def go(self) -> Path:
        """Caches of the Go toolchain, and builds under way."""
        return self.root / "go"

    def lock(self, name: str) -> Path:
        """File that is locked while `name` is built or installed."""
        return self.root / f"{name}.lock"

    def create(self) -> None:
        """Make the folders. EnvironmentFailedError when the disk refuses."""
        try:
            for folder in (self.binaries, self.tools, self.go):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailedError(
                f"the cache folder {self.root} cannot be made",
                why=str(error),
                next_step="Name another folder in ROLLBOOK_CACHE.",
            ) from error
