"""The log of the users' requests: CSV with a header, one line a request, in the order they ended."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TextIO

from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.errors import EvidenceInvalidError
from rollbook.evidence.scrub import Scrubber

HEADER_WITHOUT_ID = ("scheduled_s", "sent_s", "latency_s", "status", "cause", "version", "pod")
"""Of logs that were written before requests had ids: they can still be read."""
HEADER = (*HEADER_WITHOUT_ID, "request_id")
HEADER_OF_USERS = (*HEADER, "user", "variant", "converted")
"""Of logs in which users have names: those of experiments."""
_CONVERTED = {True: "1", False: "0", None: ""}
_HEADERS_KEPT = 1000


class LogWriter:
    """Writes records to an open text file; nothing is on disk until `flush`. `users` have names, if so.

    Version and pod are what a response said of itself: the scrubber (by default that of the environment)
    takes secrets out of them.
    """

    def __init__(self, file: TextIO, *, scrubber: Scrubber | None = None, users: bool = False) -> None:
        self._file = file
        self._scrubber = scrubber or Scrubber.of_environment()
        self._said: dict[str, str] = {}
        self._writer = csv.writer(file, lineterminator="\n")
        self._users = users
        self._writer.writerow(HEADER_OF_USERS if users else HEADER)
        file.flush()

    def write(self, record: RequestRecord) -> None:
        """Add one request. Line breaks in headers become spaces: a record is always one line."""
        who = (record.user, record.variant, _CONVERTED[record.converted]) if self._users else ()
        self._writer.writerow(
            (
                f"{record.scheduled_s:.6f}",
                f"{record.sent_s:.6f}",
                f"{record.latency_s:.6f}",
                record.status,
                record.cause.value,
                self._clean(record.version),
                self._clean(record.pod),
                record.request_id,
                *who,
            )
        )

    def _clean(self, header: str) -> str:
        """A header's value as one line without secrets; the few that come again and again are kept."""
        clean = self._said.get(header)
        if clean is None:
            clean = self._scrubber.text(" ".join(header.split()))
            if len(self._said) < _HEADERS_KEPT:
                self._said[header] = clean
        return clean

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()


class LogReader:
    """Reads a log that grows: each call of `records` parses only what is new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._line = 0
        self._width = len(HEADER)
        self._records: list[RequestRecord] = []

    def records(self) -> Sequence[RequestRecord]:
        """All requests so far by scheduled time; a line that is not whole yet waits for the next call.

        Empty when there is no file yet. EvidenceInvalidError for a line that cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                fresh = file.read()
        except FileNotFoundError:
            return ()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._offset += len(whole)
        if whole:
            for fields in csv.reader(whole.decode("utf-8", errors="replace").splitlines()):
                self._line += 1
                self._take(fields)
            self._records.sort(key=attrgetter("scheduled_s"))
        return tuple(self._records)

    def _take(self, fields: Sequence[str]) -> None:
        if self._line == 1:
            if tuple(fields) not in {HEADER, HEADER_WITHOUT_ID, HEADER_OF_USERS}:
                raise self._invalid("its header is not that of a traffic log")
            self._width = len(fields)
            return
        if len(fields) != self._width:
            raise self._invalid(f"it has {len(fields)} fields, and the header {self._width}")
        try:
            scheduled, sent, latency, status, cause, version, pod, *rest = fields
            record = RequestRecord(
                scheduled_s=float(scheduled),
                sent_s=float(sent),
                latency_s=float(latency),
                status=int(status),
                cause=Cause(cause),
                version=version,
                pod=pod,
                request_id=rest[0] if rest else "",
                user=rest[1] if len(rest) > 1 else "",
                variant=rest[2] if len(rest) > 1 else "",
                converted={"1": True, "0": False}.get(rest[3]) if len(rest) > 1 else None,
            )
        except ValueError as error:
            raise self._invalid(str(error)) from error
        self._records.append(record)

    def _invalid(self, why: str) -> EvidenceInvalidError:
        return EvidenceInvalidError(
            f"line {self._line} of {self._path.name} cannot be read",
            why=why,
            next_step="The log was changed after the run; take it from a copy, or run again.",
        )


def read_log(path: Path) -> Sequence[RequestRecord]:
    """All whole lines of a finished log, by scheduled time; empty when there is no file."""
    return LogReader(path).records()
