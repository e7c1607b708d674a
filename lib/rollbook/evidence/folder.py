"""The folder of a run, `reports/<run-id>/`: the one place that knows its file names.

run.json                     parameters, versions, commit, target, phases, outcome
journal.jsonl                every step, observation and decision
metrics/<phase>/<name>.json  range queries with their answers
objects/<phase>/<Kind>-<name>.json  Kubernetes objects as last seen
traffic/<phase>.csv          every request of the users
logs/<phase>/<pod>.log       last lines of the service's pods
logs/<phase>/requests.json   log lines and exemplars of requests that failed, and of the slowest
evidence/sha256/<ab>/<id>.json  what was asked of the world and answered, one record a call
notebooks/<phase>.ipynb      executed notebooks, and .html beside them
report.html
manifest.json, statement.dsse.json  every file with its digest, and the statement about them

Secrets are taken out of all of it before it is written; what other rooms write themselves goes through
`RunFolder.scrubber` or `RunFolder.write_text`.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.answers import Asking
from rollbook.evidence.journal import Journal
from rollbook.evidence.manifests import without_secrets
from rollbook.evidence.scrub import Scrubber
from rollbook.ports import Clock


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. EnvironmentFailedError when the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentFailedError(
            f"cannot write {path.name}",
            why=error.strerror or str(error),
            next_step="Free some space or choose another folder with --out, and run again.",
        ) from error


def to_json(value: Any) -> bytes:
    """JSON as the record stores it: sorted keys, two spaces, UTF-8."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode()


def new_run_id(now: datetime, service: str) -> str:
    """`<service>-<UTC date>-<time>`: sorts by time, and is a good folder name."""
    return f"{_slug(service)}-{now:%Y%m%d-%H%M%S}"


def ensure_writable(out: Path) -> None:
    """Make the folder for runs where it is missing. BadInputError when nothing can be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        writable, why = os.access(out, os.W_OK), "it may not be written to"
    except OSError as error:
        writable, why = False, error.strerror or str(error)
    if not writable:
        raise BadInputError(
            f"cannot make the run's folder in {out}",
            why=why,
            next_step="Choose a folder that can be written with --out.",
        )


class RunFolder:
    """Paths and files of one run. `scrubber` is by default that of the environment."""

    def __init__(self, path: Path, *, scrubber: Scrubber | None = None) -> None:
        self.path = path
        self.scrubber = scrubber or Scrubber.of_environment()

    @classmethod
    def create(cls, out: Path, run_id: str, *, scrubber: Scrubber | None = None) -> RunFolder:
        """Make a new folder beneath `out`; a number is added when the name is taken."""
        for number in range(1, 1000):
            path = out / (run_id if number == 1 else f"{run_id}-{number}")
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise BadInputError(
                    f"cannot make the run's folder in {out}",
                    why=error.strerror or str(error),
                    next_step="Choose a folder that can be written with --out.",
                ) from error
            return cls(path, scrubber=scrubber)
        raise BadInputError(f"{out} holds a thousand runs of this second", next_step="Choose another --out.")

    @classmethod
    def open(cls, path: Path, *, scrubber: Scrubber | None = None) -> RunFolder:
        """Open the folder of an earlier run. BadInputError when it is not one."""
        if not (path / "run.json").is_file():
            raise BadInputError(
                f"{path} is not the folder of a run",
                why="it has no run.json",
                next_step="Give a folder such as reports/<run-id>.",
            )
        return cls(path, scrubber=scrubber)

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def report(self) -> Path:
        """Where the report goes."""
        return self.path / "report.html"

    def journal(self, phase: str, clock: Clock, asking: Asking | None = None) -> Journal:
        """The run's journal, writing as `phase`; `asking` knows the records that its entries rest on."""
        return Journal(
            self.path / "journal.jsonl", phase=phase, clock=clock, scrubber=self.scrubber, asking=asking
        )

    def read_run(self) -> dict[str, Any]:
        """`run.json`."""
        try:
            loaded = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInputError(f"{self.path.name}/run.json cannot be read", why=str(error)) from error
        if not isinstance(loaded, dict):
            raise BadInputError(f"{self.path.name}/run.json cannot be read", why="it is not a JSON object")
        return loaded

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Replace `run.json`."""
        write_atomically(self.path / "run.json", to_json(self.scrubber.json(run)))

    def write_metric(self, phase: str, name: str, metric: Mapping[str, Any]) -> Path:
        """Keep a range query and its answer.

        `metric`: signal, query, unit, start, end, step_s, series: [{labels, points: [[t, v], ...]}].
        """
        path = self.path / "metrics" / self._slug(phase) / f"{self._slug(name)}.json"
        write_atomically(path, (json.dumps(self.scrubber.json(metric), sort_keys=True) + "\n").encode())
        return path

    def write_object(self, phase: str, kind: str, name: str, manifest: Mapping[str, Any]) -> Path:
        """Keep a Kubernetes object as last seen, without the data of a Secret."""
        path = self.path / "objects" / self._slug(phase) / f"{self._slug(kind)}-{self._slug(name)}.json"
        # A manifest may have come without its kind.
        whole = {"kind": kind, **manifest}
        write_atomically(path, to_json(self.scrubber.json(without_secrets(whole))))
        return path

    def write_log(self, phase: str, pod: str, text: str) -> Path:
        """Keep the last lines of a pod."""
        path = self.path / "logs" / self._slug(phase) / f"{self._slug(pod)}.log"
        write_atomically(path, self.scrubber.text(text).encode("utf-8", errors="backslashreplace"))
        return path

    def write_text(self, name: str, text: str) -> Path:
        """Keep a text made of the record, such as `summary.md`, under its path within the folder."""
        path = self.path.joinpath(*(self._slug(part) for part in Path(name).parts))
        write_atomically(path, self.scrubber.text(text).encode("utf-8", errors="backslashreplace"))
        return path

    def traffic_log(self, phase: str) -> Path:
        """Where the requests of a phase are written."""
        path = self.path / "traffic" / f"{self._slug(phase)}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def set_aside(self, phase: str, attempt: int) -> None:
        """Move what an earlier attempt of a phase left: `<phase>` becomes `<phase>.attempt-<n>`."""
        slug = self._slug(phase)
        left = [self.path / room / slug for room in ("metrics", "objects", "logs")]
        left += [
            found
            for room in ("traffic", "notebooks")
            for found in (self.path / room).glob(f"{slug}.*")
            if not found.name.startswith(f"{slug}.attempt-")
        ]
        for path in left:
            if path.exists():
                rest = path.name.removeprefix(slug)
                path.rename(path.with_name(f"{slug}.attempt-{attempt}{rest}"))

    def notebook(self, phase: str) -> Path:
        """Where the executed notebook of a phase is."""
        path = self.path / "notebooks" / f"{self._slug(phase)}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _slug(self, text: str) -> str:
        """A safe file name; names come from the world, so that a secret may be in them too."""
        return _slug(self.scrubber.text(text))


def _slug(text: str) -> str:
    """A safe file name: letters, digits, `.`, `-` and `_`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or "unnamed"
