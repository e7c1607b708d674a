"""The journal: one JSON object a line, append-only, on disk before the run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from rollbook.errors import EnvironmentFailedError, EvidenceInvalidError
from rollbook.ports import Clock

SCHEMA = 1


class Kind(StrEnum):
    """What an entry is."""

    RUN = "run"
    """The run began or ended."""
    STEP = "step"
    """rollbook changed or checked something; `data.state` is `started`, `done` or `failed`."""
    OBSERVATION = "observation"
    """The world was looked at: Rollout status, AnalysisRun, event."""
    DECISION = "decision"
    """Argo, the judge or a person decided: weight changed, aborted, promoted."""
    GATE = "gate"
    """A gate passed or refused; `data` has `passed`, `expected`, `got`, `sentence`."""
    WAIT = "wait"
    """A wait that was asked for (a pause step); `data.declared_s`."""


@dataclass(frozen=True)
class Entry:
    """One line of the journal."""

    seq: int
    time: datetime
    phase: str
    kind: Kind
    name: str
    source: str
    data: Mapping[str, Any]

    def to_json(self) -> str:
        """One line of JSON, keys sorted, without the line end."""
        return json.dumps(
            {
                "v": SCHEMA,
                "seq": self.seq,
                "time": self.time.astimezone(UTC).isoformat(timespec="microseconds"),
                "phase": self.phase,
                "kind": self.kind.value,
                "name": self.name,
                "source": self.source,
                "data": self.data,
            },
            sort_keys=True,
            ensure_ascii=False,
            default=str,
        )


class Journal:
    """Appends to, and reads, `journal.jsonl`. One writer at a time; each line is fsynced."""

    def __init__(self, path: Path, *, phase: str, clock: Clock) -> None:
        self.path = path
        self.phase = phase
        self._clock = clock

    def for_phase(self, phase: str) -> Journal:
        """The same journal, writing as another phase."""
        return Journal(self.path, phase=phase, clock=self._clock)

    def append(
        self,
        kind: Kind,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        source: str = "rollbook",
        time: datetime | None = None,
    ) -> Entry:
        """Write one entry and return it. EnvironmentFailedError when the disk does not take it."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                entry = Entry(
                    seq=_next_seq(handle),
                    time=time or self._clock.now(),
                    phase=self.phase,
                    kind=kind,
                    name=name,
                    source=source,
                    data=dict(data or {}),
                )
                os.write(handle, (entry.to_json() + "\n").encode())
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise EnvironmentFailedError(
                f"cannot write the journal {self.path.name}",
                why=error.strerror or str(error),
                next_step="Free some space or choose another folder with --out, and run again.",
            ) from error
        return entry

    @contextmanager
    def step(self, name: str, **data: Any) -> Iterator[dict[str, Any]]:
        """Record a step's start, and its end with what the block put into the yielded dict.

        The time that it took is in `data.seconds`. A step that raises is recorded as failed.
        """
        result: dict[str, Any] = {}
        self.append(Kind.STEP, name, {"state": "started", **data})
        began = self._clock.monotonic()
        try:
            yield result
        except BaseException as error:
            seconds = round(self._clock.monotonic() - began, 3)
            self.append(
                Kind.STEP,
                name,
                {
                    "state": "failed",
                    "seconds": seconds,
                    "error": f"{type(error).__name__}: {error}",
                    **data,
                    **result,
                },
            )
            raise
        seconds = round(self._clock.monotonic() - began, 3)
        self.append(Kind.STEP, name, {"state": "done", "seconds": seconds, **data, **result})

    def entries(self) -> tuple[Entry, ...]:
        """All entries; a torn last line (the writer died) is left out."""
        return read_journal(self.path)


def read_journal(path: Path) -> tuple[Entry, ...]:
    """Read a journal. EvidenceInvalidError when an entry is missing or cannot be read.

    A torn line (its writer died in the middle) is passed over: it was never numbered, so the sequence goes on
    without a gap. A line that was damaged later leaves a gap.
    """
    if not path.exists():
        return ()
    entries: list[Entry] = []
    torn: tuple[int, str] | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), start=1):
        if not line:
            continue
        try:
            entry = _entry(line)
        except (ValueError, KeyError, TypeError) as error:
            torn = (number, str(error))
            continue
        if entry.seq != (entries[-1].seq + 1 if entries else 1):
            at, why = torn or (number, f"entry {entry.seq} follows {entries[-1].seq if entries else 0}")
            raise EvidenceInvalidError(f"line {at} of {path.name} cannot be read", why=why)
        entries.append(entry)
        torn = None
    return tuple(entries)


def _entry(line: str) -> Entry:
    raw = json.loads(line)
    return Entry(
        seq=int(raw["seq"]),
        time=datetime.fromisoformat(raw["time"]),
        phase=str(raw["phase"]),
        kind=Kind(raw["kind"]),
        name=str(raw["name"]),
        source=str(raw["source"]),
        data=raw["data"],
    )


def _next_seq(handle: int) -> int:
    """Sequence number after the last whole line; starts a fresh line when the last one is torn."""
    size = os.fstat(handle).st_size
    if size == 0:
        return 1
    block = 65536
    while True:
        start = max(0, size - block)
        tail = os.pread(handle, size - start, start)
        if not tail.endswith(b"\n"):
            os.write(handle, b"\n")
            tail += b"\n"
            size += 1
        for line in reversed(tail.splitlines()):
            try:
                return int(json.loads(line)["seq"]) + 1
            except (ValueError, KeyError, TypeError):
                continue
        if start == 0:
            return 1
        block *= 4
