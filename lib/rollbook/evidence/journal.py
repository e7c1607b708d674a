"""The journal: one JSON object a line, append-only, on disk before the run goes on, sealed at its end."""

from __future__ import annotations

import hashlib
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
from rollbook.evidence.answers import Asking
from rollbook.evidence.appending import append_line, lock
from rollbook.evidence.resting import Resting
from rollbook.evidence.scrub import Scrubber
from rollbook.ports import Clock

SCHEMA = 1
SEALED = "sealed"
"""Name of the last entry (kind `run`): `data.entries` before it, `data.sha256` of all bytes before it."""
RESUMED = "resumed"
"""Name of the entry (kind `run`) that alone may follow a seal: the run was taken up again."""


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
    """Appends to, and reads, `journal.jsonl`. One writer at a time; each line is fsynced.

    Secrets that the scrubber knows (by default those of the environment) are taken out of every entry.
    With `asking`, the end of a step and a gate name the records of what was asked of the world meanwhile:
    since the step's start, or since the last gate. Data that names its evidence itself keeps it.
    """

    def __init__(
        self,
        path: Path,
        *,
        phase: str,
        clock: Clock,
        scrubber: Scrubber | None = None,
        asking: Asking | None = None,
    ) -> None:
        self.path = path
        self.phase = phase
        self._clock = clock
        self._scrubber = scrubber or Scrubber.of_environment()
        self._resting = Resting(asking)
        self._gate_mark = 0

    def for_phase(self, phase: str) -> Journal:
        """The same journal, writing as another phase."""
        asking = self._resting.asking
        return Journal(self.path, phase=phase, clock=self._clock, scrubber=self._scrubber, asking=asking)

    def last_asked(self) -> dict[str, Any]:
        """`data.evidence` with the record of what this thread asked last; empty when there is none."""
        return self._resting.last()

    def append(
        self,
        kind: Kind,
        name: str,
        data: Mapping[str, Any] | None = None,
        *,
        source: str = "rollbook",
        time: datetime | None = None,
    ) -> Entry:
        """Write one entry and return it as written. After a seal, an entry `resumed` is put before it.

        EnvironmentFailedError when the disk does not take it (then nothing of it is in the journal), or did
        not take a record before it; EvidenceInvalidError when the journal is of a newer rollbook.
        """
        if kind is Kind.GATE:
            data = {**self._resting.since(self._gate_mark), **(data or {})}
            self._gate_mark = self._resting.mark()
        with self._writing() as handle:
            last = _last_entry(handle)
            seq = last.seq if last else 0
            resumes = kind is Kind.RUN and name == RESUMED
            if last and _is_seal(last) and not resumes:
                seq += 1
                append_line(handle, self._entry(seq, Kind.RUN, RESUMED, {}, "rollbook", None).to_json())
            entry = self._entry(seq + 1, kind, name, data or {}, source, time)
            append_line(handle, entry.to_json())
        self._resting.raise_failure()
        return entry

    def seal(self) -> Entry:
        """Write the last entry, with the count and the SHA-256 of what stands before it.

        The seal that is there already when nothing was written since. Raises what `append` raises.
        """
        with self._writing() as handle:
            last = _last_entry(handle)
            if last and _is_seal(last):
                return last
            before = os.pread(handle, os.fstat(handle).st_size, 0)
            count = last.seq if last else 0
            facts = {"entries": count, "sha256": hashlib.sha256(before).hexdigest()}
            phase = self._scrubber.text(self.phase)
            entry = Entry(count + 1, self._clock.now(), phase, Kind.RUN, SEALED, "rollbook", facts)
            append_line(handle, entry.to_json())
        return entry

    def _entry(
        self, seq: int, kind: Kind, name: str, data: Mapping[str, Any], source: str, time: datetime | None
    ) -> Entry:
        clean = self._scrubber.text
        return Entry(
            seq=seq,
            time=time or self._clock.now(),
            phase=clean(self.phase),
            kind=kind,
            name=clean(name),
            source=clean(source),
            data=self._scrubber.json(data),
        )

    @contextmanager
    def _writing(self) -> Iterator[int]:
        """The file, locked against other writers. EnvironmentFailedError for what the system refuses."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                lock(handle)
                yield handle
            finally:
                os.close(handle)
        except OSError as error:
            raise EnvironmentFailedError(
                f"cannot write the journal {self.path.name}",
                why=error.strerror or str(error),
                next_step="Free some space or choose another folder with --out, and run again.",
            ) from error

    @contextmanager
    def step(self, name: str, **data: Any) -> Iterator[dict[str, Any]]:
        """Record a step's start, and its end with what the block put into the yielded dict.

        The time that it took is in `data.seconds`. A step that raises is recorded as failed. What it asked of
        the world is put into the yielded dict too, as `evidence`.
        """
        result: dict[str, Any] = {}
        self.append(Kind.STEP, name, {"state": "started", **data})
        began, mark = self._clock.monotonic(), self._resting.mark()
        try:
            yield result
        except BaseException as error:
            seconds = round(self._clock.monotonic() - began, 3)
            result |= self._resting.since(mark)
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
        result |= self._resting.since(mark)
        self.append(Kind.STEP, name, {"state": "done", "seconds": seconds, **data, **result})

    def entries(self) -> tuple[Entry, ...]:
        """All entries; a torn last line (the writer died) is left out."""
        return read_journal(self.path)


def read_journal(path: Path) -> tuple[Entry, ...]:
    """Read a journal. EvidenceInvalidError when an entry is missing, damaged, or of a newer rollbook.

    A torn line (its writer died in the middle) is passed over: it was never numbered, so the sequence goes on
    without a gap. A line that was damaged later leaves a gap.
    """
    if not path.exists():
        return ()
    entries: list[Entry] = []
    torn = 0
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line:
            continue
        entry = parse_line(line)
        if entry is None:
            torn = number
            continue
        if entry.seq != (entries[-1].seq + 1 if entries else 1):
            why = (
                "it is damaged" if torn else f"entry {entry.seq} follows {entries[-1].seq if entries else 0}"
            )
            raise EvidenceInvalidError(f"line {torn or number} of {path.name} cannot be read", why=why)
        entries.append(entry)
        torn = 0
    return tuple(entries)


def parse_line(line: bytes) -> Entry | None:
    """The entry of a line; None when it is torn. EvidenceInvalidError when a newer rollbook wrote it."""
    try:
        raw = json.loads(line.decode("utf-8", errors="replace"))
        version = int(raw["v"])
        if version <= SCHEMA:
            return Entry(
                seq=int(raw["seq"]),
                time=datetime.fromisoformat(raw["time"]),
                phase=str(raw["phase"]),
                kind=Kind(raw["kind"]),
                name=str(raw["name"]),
                source=str(raw["source"]),
                data=dict(raw["data"]),
            )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    raise EvidenceInvalidError(
        "the journal was written by a newer rollbook",
        why=f"its schema is {version}, and this rollbook knows {SCHEMA}",
        next_step="Use a rollbook that is as new as the one that ran.",
    )


def _is_seal(entry: Entry) -> bool:
    return entry.kind is Kind.RUN and entry.name == SEALED


def _last_entry(handle: int) -> Entry | None:
    """The last whole entry, None when there is none; starts a fresh line when the last one is torn."""
    size = os.fstat(handle).st_size
    block = 65536
    while size:
        start = max(0, size - block)
        tail = os.pread(handle, size - start, start)
        if not tail.endswith(b"\n"):
            os.write(handle, b"\n")
            tail += b"\n"
            size += 1
        for line in reversed(tail.splitlines()):
            if (entry := parse_line(line)) is not None:
                return entry
        if start == 0:
            return None
        block *= 4
    return None
