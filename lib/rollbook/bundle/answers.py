"""Reads the records of what the world answered. A damaged one is told, and left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rollbook.evidence.answers import SCHEMA, Answer, Asked, path_of

FOLDER = "evidence/sha256"


def read_answers(root: Path, problems: list[str] | None = None) -> tuple[Answer, ...]:
    """All records of a run's folder by time; a sentence in `problems` for each that cannot be believed."""
    told = problems if problems is not None else []
    answers = []
    for path in sorted((root / FOLDER).glob("*/*")):
        name = path.relative_to(root).as_posix()
        try:
            answers.append(_answer(name, path.read_bytes()))
        except OSError as error:
            told.append(f"{name} could not be read: {error.strerror or error}.")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            told.append(f"{name} is not believed: {error}.")
    return tuple(sorted(answers, key=lambda one: (one.at, one.id)))


def _answer(name: str, content: bytes) -> Answer:
    """The record in a file. ValueError, KeyError or TypeError when it is none."""
    digest = hashlib.sha256(content).hexdigest()
    if name != path_of(digest):
        raise ValueError("its name is not the digest of what it holds")
    raw = json.loads(content)
    if not isinstance(raw, Mapping) or not isinstance(raw["parameters"], Mapping):
        raise ValueError("it is not a record")  # noqa: TRY004  # the caller tells all of them alike
    if int(raw["v"]) > SCHEMA:
        raise ValueError(f"it is of a newer rollbook (schema {raw['v']})")
    cell = raw["cell"]
    at = datetime.fromisoformat(str(raw["at"]))
    if at.tzinfo is None:
        raise ValueError("its time has no zone")
    return Answer(
        id=digest,
        phase=str(raw["phase"]),
        cell=None if cell is None else int(cell),
        at=at,
        asked=Asked(str(raw["of"]), str(raw["call"]), dict(raw["parameters"])),
        status=str(raw["status"]),
        answer=raw["answer"],
    )
