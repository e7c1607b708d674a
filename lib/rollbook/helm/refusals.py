"""What helm says when it fails, in words that tell what to do next. Pure."""

from __future__ import annotations

from rollbook.errors import BadInputError, EnvironmentFailedError, RollbookError
from rollbook.helm.addons import AddOn
from rollbook.helm.command import Done

LONGEST = 400
_VALUES = ("don't meet the specifications of the schema", "error converting YAML", "cannot unmarshal")
_BUSY = ("another operation (install/upgrade/rollback) is in progress",)
_AWAY = ("cluster unreachable", "connection refused", "i/o timeout", "TLS handshake timeout")
_NOT_ALLOWED = ("Unauthorized", "forbidden", "must be logged in")
_LATE = ("context deadline exceeded", "timed out", "timeout")
_NO_CHART = (
    "no such host",
    "is not a valid chart repository",
    "failed to fetch",
    "no cached repo",
    "failed to do request",
)


def refusal(addon: AddOn, what: str, done: Done) -> RollbookError:
    """The error for a helm command that failed; `what` was to happen: `installed`, `removed`."""
    told = f"the add-on {addon.name} could not be {what}"
    why = _reason(done)
    if _says(done, _VALUES):
        return BadInputError(
            told, why=why, next_step=f"Correct {addon.values}: it must fit {addon.chart} {addon.version}."
        )
    return EnvironmentFailedError(told, why=why, next_step=_next_step(addon, what, done))


def _next_step(addon: AddOn, what: str, done: Done) -> str:
    if what == "fetched":
        return (
            f"Check that {addon.repository} can be reached and has {addon.chart} {addon.version}; "
            "without a way there, give a folder with the charts' packages."
        )
    if _says(done, _BUSY):
        return (
            "Wait for whoever installs it now. If nobody does, what was cut off is taken back by "
            f"`helm rollback {addon.name} -n {addon.namespace}`; then run again."
        )
    if _says(done, _NOT_ALLOWED):
        return "Only the cluster's administrators install add-ons: see who you are (`kubectl auth whoami`)."
    if _says(done, _NO_CHART):
        return f"Check that {addon.repository} can be reached, then run again."
    if _says(done, _AWAY):
        return (
            "Check that the cluster is up and that its API server can be reached from here, then run again."
        )
    if _says(done, _LATE):
        return f"`kubectl get pods,events -n {addon.namespace}` tells what is not ready; then run again."
    return "Correct what helm names, then run again: the release is as it was before."


def _says(done: Done, texts: tuple[str, ...]) -> bool:
    return any(text in done.errors for text in texts)


def _reason(done: Done) -> str:
    """What helm says after its last `Error:`, or the end of what it said, on one line."""
    said = done.errors.strip() or done.output.strip()
    _, found, reason = said.rpartition("Error: ")
    return " ".join((reason if found else said).split())[:LONGEST] or f"helm ended with {done.code}"
