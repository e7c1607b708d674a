"""Where deaths happen: a sandbox of the suite's own, a run under way, and the world after it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import urllib3
from tests.e2e.conftest import (
    BIN,
    KERNEL,
    PROJECT,
    Finished,
    command_of,
    environment,
    eventually,
    kernels_of,
    kubectl,
    rollbook,
    run_folder,
)

from rollbook.evidence.journal import Entry, read_journal
from rollbook.sandbox import api
from rollbook.sandbox.home import SandboxHome

HERE = Path(__file__).parent
SERVICE = HERE / "service.yaml"
NAMESPACE, ROLLOUT, SPLIT = "shop", "orders-api", "orders-split"
STABLE, CANARY = "orders-api-main", "orders-api-next"
WORKER = "rollbook.traffic.worker"
MOMENT_S = 180.0
END_S = 300.0
"""Seconds within which a run that was struck must have ended by itself."""


@dataclass
class Running:
    """A `rollbook run` under way."""

    process: subprocess.Popen[str]
    out: Path
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def family(self) -> list[psutil.Process]:
        """The launcher and all that descends from it."""
        launcher = psutil.Process(self.pid)
        return [launcher, *launcher.children(recursive=True)]

    def kernel(self) -> psutil.Process:
        """The only kernel of the run."""
        kernels = kernels_of(self.pid)
        assert len(kernels) == 1
        return kernels[0]

    def until(self, moment: Callable[[Entry], bool]) -> None:
        """Wait for the moment to strike."""
        deadline = time.monotonic() + MOMENT_S
        seen: tuple[Entry, ...] = ()
        while not any(moment(entry) for entry in seen):
            ended = self.process.poll()
            assert ended is None, f"it ended with {ended} before that: {self.log.read_text()}"
            assert time.monotonic() < deadline, f"it never came: {self.log.read_text()}"
            time.sleep(0.03)
            for journal in self.out.glob("*/journal.jsonl"):
                seen = read_journal(journal)

    def end(self) -> Finished:
        """Wait for the end of the command."""
        out, _ = self.process.communicate(timeout=END_S)
        return Finished(self.process.returncode, out, self.log.read_text())


@dataclass(frozen=True)
class Record:
    """What a run left in its folder."""

    folder: Path
    run: Mapping[str, Any] = field(repr=False)
    entries: tuple[Entry, ...] = field(repr=False)

    @classmethod
    def of(cls, folder: Path) -> Record:
        """Read it; a journal that cannot be read is an error."""
        return cls(
            folder, json.loads((folder / "run.json").read_text()), read_journal(folder / "journal.jsonl")
        )

    def phase(self, name: str) -> Mapping[str, Any]:
        return next(phase for phase in self.run["phases"] if phase["name"] == name)

    @property
    def report(self) -> str:
        return (self.folder / "report.html").read_text()


@dataclass(frozen=True)
class Scene:
    """One sandbox, and commands against it."""

    home: SandboxHome

    def up(self) -> None:
        """Bring the sandbox up where it is not."""
        api.up(self.home, monitoring=PROJECT / "tests" / "e2e" / "orders" / "monitoring")

    def down(self) -> None:
        """Throw the sandbox away."""
        api.down(self.home)

    def state(self) -> str:
        """`up`, `starting`, `degraded`, `half-up` or `down`."""
        return api.status(self.home).state

    def rollbook(self, *arguments: str) -> Finished:
        """Run a command to its end."""
        return rollbook(*arguments, home=self.home.root)

    @contextmanager
    def run(self, out: Path, plan: Path, extra: Mapping[str, str]) -> Iterator[Running]:
        """A run of a plan, which is not left behind."""
        log = out.parent / "stderr"
        out.mkdir(exist_ok=True)
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [
                    *(str(BIN / "rollbook"), "run", "--json", "--service", str(SERVICE)),
                    *("--plan", str(plan), "--out", str(out)),
                ],
                cwd=PROJECT,
                env={**environment(self.home.root), **extra},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            )
        running = Running(process, out, log)
        try:
            yield running
        finally:
            if process.poll() is None:
                for one in running.family():
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
            process.communicate()

    def resume(self, out: Path) -> Finished:
        """Take up the run beneath `out`."""
        return self.rollbook("run", "--json", "--resume", str(run_folder(out)))

    def abort(self, out: Path) -> Finished:
        """Make the run beneath `out` safe, without going on with it."""
        return self.rollbook("abort", "--service", str(SERVICE), "--run", str(run_folder(out)))

    def rollout(self) -> Mapping[str, Any]:
        """The Rollout as the cluster has it."""
        return kubectl(api.load(self.home), "get", "rollout", ROLLOUT, "-n", NAMESPACE)

    def phase(self) -> str:
        """The Rollout's phase in Argo's words."""
        return str(self.rollout()["status"].get("phase"))

    def deployed(self) -> bool:
        """Whether the service was ever installed in this sandbox."""
        listed = kubectl(api.load(self.home), "get", "rollouts", "-A")
        return any(one["metadata"]["name"] == ROLLOUT for one in listed["items"])

    def weights(self) -> Mapping[str, int]:
        """The split of users as the edge is told it."""
        split = kubectl(api.load(self.home), "get", "traefikservice", SPLIT, "-n", NAMESPACE)
        return {one["name"]: one.get("weight", 0) for one in split["spec"]["weighted"]["services"]}

    def scraped(self) -> bool:
        """Whether Prometheus has found pods, and has forgotten those of earlier cases."""
        url = f"{api.load(self.home).endpoints.prometheus_url}/api/v1/targets?state=active"
        try:
            answer = urllib3.request("GET", url, timeout=5.0, retries=False).json()
        except (urllib3.exceptions.HTTPError, ValueError):
            return False  # it is being started again
        targets = answer["data"]["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)

    def left(self) -> list[str]:
        """Kernels and senders of traffic that belong to this sandbox and still run."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("ROLLBOOK_HOME") == str(self.home.root)
            except psutil.Error:
                continue
            words = command_of(process)
            if ours and (KERNEL in words or WORKER in words):
                found.append(f"{process.pid}: {words}")
        return found

    def assert_nothing_is_left(self) -> None:
        """No kernel and no traffic of the run goes on; one whose launcher was killed may take a moment."""
        eventually("no kernel and no sender of traffic is left", lambda: not self.left())

    def assert_back_on_stable(self) -> None:
        """All users are on stable, nothing is rolling out, and the Rollout is healthy again."""
        eventually("the Rollout is healthy", lambda: self.phase() == "Healthy")
        # Argo says so a moment before it has written the weights of a promotion.
        eventually("all users are on stable", lambda: self.weights() == {STABLE: 100, CANARY: 0})
        status = self.rollout()["status"]

        assert status["currentPodHash"] == status["stableRS"]

    def assert_healthy(self) -> None:
        """Every component of the sandbox answers, however it was wounded, and every pod is scraped."""
        eventually("the sandbox is up", lambda: self.state() == "up", 180)
        eventually("every scrape target is up", self.scraped)


def write_plan(path: Path, phases: list[dict[str, Any]]) -> Path:
    """A plan file; JSON is YAML too."""
    path.write_text(json.dumps({"phases": phases}))
    return path


def rooted() -> bool:
    """Whether a small file system can be mounted."""
    return os.geteuid() == 0
