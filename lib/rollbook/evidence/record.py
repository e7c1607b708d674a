"""`run.json`: what the run is, its phases, and how it ended. One writer at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rollbook.errors import ExitCode
from rollbook.evidence.folder import RunFolder

SCHEMA = 1
ATTEMPT_KEYS = ("started", "ended", "outcome", "verdict", "exit_code", "sentence")


class RunRecord:
    """Reads and writes `run.json` of a folder; every change is on disk when the call returns."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def begin(self, now: datetime, facts: Mapping[str, Any]) -> None:
        """Start the record: `facts` are target, service, command, commit, versions and so on."""
        self._folder.write_run(
            {
                "schema": SCHEMA,
                "id": self._folder.run_id,
                "started": _iso(now),
                "ended": None,
                "phases": [],
                "outcome": None,
                **facts,
            }
        )

    def update(self, **facts: Any) -> None:
        """Set top-level facts."""
        self._folder.write_run({**self._folder.read_run(), **facts})

    def phase_started(
        self, now: datetime, name: str, runbook: str, parameters: Mapping[str, Any], expected: str
    ) -> None:
        """A phase begins; it has no outcome until it is given one.

        A phase that began before in this run begins again: what is known of the earlier attempt goes into
        `earlier`, and its files are set aside.
        """
        run = self._folder.read_run()
        names = [phase["name"] for phase in run["phases"]]
        before = run["phases"][names.index(name)] if name in names else {}
        earlier = list(before.get("earlier", ()))
        if before.get("started"):
            earlier.append({key: before.get(key) for key in ATTEMPT_KEYS})
            self._folder.set_aside(name, len(earlier))
        fresh = {
            "name": name,
            "phase": runbook,
            "runbook": runbook,
            "started": _iso(now),
            "ended": None,
            "parameters": dict(parameters),
            "expected": expected or None,
            "verdict": None,
            "outcome": None,
            "exit_code": None,
            "sentence": "",
            "earlier": earlier,
        }
        phases = [fresh if phase["name"] == name else phase for phase in run["phases"]]
        self._folder.write_run({**run, "phases": phases if name in names else [*phases, fresh]})

    def phase(self, name: str) -> dict[str, Any] | None:
        """The record of a phase, None when it never began."""
        found = (phase for phase in self._folder.read_run()["phases"] if phase["name"] == name)
        return next(found, None)

    def phase_facts(self, name: str, **facts: Any) -> None:
        """Set facts of a phase: verdict, sentence, release, stable, canary, users."""
        run = self._folder.read_run()
        phases = [{**phase, **facts} if phase["name"] == name else phase for phase in run["phases"]]
        self._folder.write_run({**run, "phases": phases})

    def phase_ended(self, now: datetime, name: str, exit_code: ExitCode, sentence: str = "") -> None:
        """A phase ends; `sentence` replaces what the phase said only when the phase said nothing."""
        known = self.phase(name)
        if known is None:
            return
        started = datetime.fromisoformat(known["started"])
        said = known.get("sentence") if exit_code is ExitCode.OK else ""
        self.phase_facts(
            name,
            ended=_iso(now),
            seconds=round((now - started).total_seconds(), 3),
            exit_code=int(exit_code),
            outcome=OUTCOMES[exit_code],
            sentence=said or sentence or known.get("sentence") or "",
        )

    def end(self, now: datetime, exit_code: ExitCode, sentence: str, **facts: Any) -> None:
        """The run ends."""
        self.update(ended=_iso(now), outcome={"exit_code": int(exit_code), "sentence": sentence}, **facts)


OUTCOMES: Mapping[ExitCode, str] = {
    ExitCode.OK: "passed",
    ExitCode.GATE_REFUSED: "refused",
    ExitCode.CANCELLED: "cancelled",
    ExitCode.BUG: "failed",
    ExitCode.BAD_INPUT: "failed",
    ExitCode.ENVIRONMENT_FAILED: "failed",
    ExitCode.EVIDENCE_INVALID: "failed",
}
"""What an exit code means for a phase."""


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
