"""`replay.json`: what other rules would have decided over a run's canaries, kept beside its evidence."""

from __future__ import annotations

import json

from rollbook.bundle.manifest import evidence_sha256
from rollbook.evidence.folder import RunFolder, to_json, write_atomically
from rollbook.replay import replaying, telling
from rollbook.replay.policy import DEFAULT

NAME = "replay.json"


def keep(folder: RunFolder) -> None:
    """Replay the built-in policy over the canaries of a run that has just ended, and write `replay.json`.

    The file is what `rollbook replay RUN --json` prints, and the digest of the evidence that it was made of.
    A run without a canary that users met has none. EnvironmentFailedError when the disk refuses, and what
    `replaying.runs` raises.
    """
    replayed, notes = replaying.runs([folder.path], DEFAULT)
    if not replayed:
        return
    told = json.loads(telling.to_json(DEFAULT, replayed, notes, runs=1))
    told["evidence_sha256"] = evidence_sha256(folder.path)
    write_atomically(folder.path / NAME, to_json(folder.scrubber.json(told)))
