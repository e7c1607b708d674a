"""The appendix: records of what the world answered, files of the bundle, last lines of the pods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rollbook.bundle.load import Evidence, KeptFile
from rollbook.evidence.answers import Answer
from rollbook.report import formats
from rollbook.report.places import (
    FILES_LISTED,
    Places,
    address,
    file_anchor,
    listed_files,
    record_anchor,
)
from rollbook.report.tables import Cell, Column, Table, capped, numbers, text
from rollbook.report.texts import short

RECORDS_LISTED = 40
"""Records of one phase that are listed beside those that something in the page refers to."""
REFERRED_LISTED = 120
PARAMETERS_LENGTH = 160
LOGS_SHOWN = 12
LOG_LINES = 12
LOG_LINE_LENGTH = 240
LOG_TAIL_BYTES = 32_768


@dataclass(frozen=True)
class RecordGroup:
    """Records of one phase: how many there are, and a table of those that are listed."""

    phase: str
    count: int
    table: Table


@dataclass(frozen=True)
class LogView:
    """The last lines of one pod, as they are in a file of the bundle."""

    path: str
    anchor: str
    lines: tuple[str, ...]
    note: str = ""


def record_groups(answers: Sequence[Answer], places: Places, base: str) -> tuple[RecordGroup, ...]:
    """Records by phase, in the order of time; those that the page refers to are all listed."""
    groups = []
    for phase in dict.fromkeys(one.phase for one in answers):
        mine = [one for one in answers if one.phase == phase]
        others = [one.id for one in mine if one.id not in places.referred][:RECORDS_LISTED]
        listed = {*places.referred, *others}
        rows = [_record_row(one, base) for one in mine if one.id in listed]
        left = len(mine) - len(rows)
        table = Table(
            f"Records of {short(phase) or 'the run'}",
            (*text("Record", "Asked"), *numbers("At (UTC)", "Cell"), *text("Status")),
            tuple(rows),
            note=f"And {left:,} more in evidence/." if left else "",
        )
        groups.append(RecordGroup(short(phase) or "the run", len(mine), table))
    return tuple(groups)


def _record_row(one: Answer, base: str) -> tuple[Cell, ...]:
    asked = one.asked
    details = json.dumps(asked.parameters, sort_keys=True, ensure_ascii=False, default=str)
    wanted = f" {short(details, PARAMETERS_LENGTH)}" if asked.parameters else ""
    return (
        Cell(one.id[:12], code=True, link=base + address(one.path), anchor=record_anchor(one.id)),
        Cell(f"{short(asked.of)}: {short(asked.call, PARAMETERS_LENGTH)}{wanted}"),
        Cell(formats.clock_time(one.at)),
        Cell(f"In [{one.cell}]" if one.cell is not None else formats.NONE),
        Cell(short(one.status, 40), "" if _is_good(one.status) else "warn"),
    )


def _is_good(status: str) -> bool:
    return status.lower() in {"ok", "success"} or status[:1] in {"2", "3"}


def file_table(files: Sequence[KeptFile], base: str) -> Table:
    """The files that this page was made from, without the records, which have a table of their own."""
    rows, note = capped(
        [
            (
                Cell(kept.path, link=base + address(kept.path), anchor=file_anchor(kept.path)),
                Cell(formats.size(kept.size_bytes)),
                Cell(kept.sha256, code=True),
            )
            for kept in listed_files(files)
        ],
        FILES_LISTED,
        "manifest.json",
    )
    columns = (Column("File"), *numbers("Size"), *text("SHA-256"))
    return Table(
        "Files of the bundle",
        columns,
        rows,
        note=f"{note} What is made from the evidence, as this page is, stands in manifest.json.".strip(),
    )


def log_views(root: Path, evidence: Evidence) -> tuple[LogView, ...]:
    """The last lines of the service's pods, read from the run's folder; bytes that are no UTF-8 are shown."""
    kept = [file for file in evidence.files if file.path.startswith("logs/") and file.path.endswith(".log")]
    views = []
    for file in kept[:LOGS_SHOWN]:
        content = _tail(root / file.path)
        lines = content.decode("utf-8", errors="backslashreplace").splitlines()
        cut = len(content) == LOG_TAIL_BYTES or len(lines) > LOG_LINES
        views.append(
            LogView(
                path=file.path,
                anchor=file_anchor(file.path),
                lines=tuple(short(line, LOG_LINE_LENGTH) for line in lines[-LOG_LINES:]),
                note=f"The last {LOG_LINES} lines of {formats.size(file.size_bytes)}." if cut else "",
            )
        )
    return tuple(views)


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            return file.read(LOG_TAIL_BYTES)
    except OSError:
        return b""
