"""Every error that rollbook raises on purpose: what happened, why, what to do next, and an exit code.

The command line prints the three parts and ends with `exit_code`; nobody sees a traceback for something
they did. Anything that is not a `RollbookError` is a bug of ours and ends with `ExitCode.BUG`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of the command line; CI relies on them."""

    OK = 0
    BUG = 1
    BAD_INPUT = 2
    GATE_REFUSED = 3
    ENVIRONMENT_FAILED = 4
    CANCELLED = 5
    EVIDENCE_INVALID = 6


class RollbookError(Exception):
    """Base of all errors of rollbook.

    `what` happened, `why` (as far as it is known, may be empty) and what to do `next_step` (may be empty).
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        self.what = what
        self.why = why
        self.next_step = next_step
        super().__init__(what)

    def __str__(self) -> str:
        """One line: what, why and next step."""
        parts = [self.what.rstrip(".")]
        if self.why:
            parts.append(self.why.rstrip("."))
        line = ": ".join(parts)
        return f"{line}. {self.next_step}" if self.next_step else line

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.why, self.next_step))


def _rebuild(kind: type[RollbookError], what: str, why: str, next_step: str) -> RollbookError:
    return kind(what, why=why, next_step=next_step)


class BadInputError(RollbookError):
    """A parameter, a file or a command line that cannot be accepted."""

    exit_code = ExitCode.BAD_INPUT


class GateRefusedError(RollbookError):
    """A gate looked at the release and refused it."""

    exit_code = ExitCode.GATE_REFUSED


class EnvironmentFailedError(RollbookError):
    """The cluster, the cloud, the metrics or the machine did not do its part."""

    exit_code = ExitCode.ENVIRONMENT_FAILED


class NotFoundError(EnvironmentFailedError):
    """Something that was asked for by name is not there."""


class TargetHeldError(EnvironmentFailedError):
    """Another run is changing the same release target."""


class ManifestRefusedError(BadInputError):
    """The API server refused a manifest."""


class BuildFailedError(EnvironmentFailedError):
    """The sandbox or an image could not be built."""


class CancelledError(RollbookError):
    """The user or the machine asked the run to stop (SIGINT, SIGTERM)."""

    exit_code = ExitCode.CANCELLED


class EvidenceInvalidError(RollbookError):
    """The record of a run does not verify."""

    exit_code = ExitCode.EVIDENCE_INVALID
