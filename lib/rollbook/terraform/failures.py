"""What Terraform complains of, as rollbook's errors: what happened, why, what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rollbook.errors import (
    BadInputError,
    CancelledError,
    EnvironmentFailedError,
    RollbookError,
    TargetHeldError,
)
from rollbook.terraform.events import Diagnostic, UnderWay
from rollbook.terraform.port import OverdueError

LONGEST_WHY = 400
MOST_WAITED = 5
"""So many resources that were waited for are named."""


@dataclass(frozen=True)
class _Kind:
    """A kind of failure: how it is recognised, which error it is, and what to do next."""

    words: re.Pattern[str]
    error: type[RollbookError]
    next_step: str


def _kind(words: str, error: type[RollbookError], next_step: str) -> _Kind:
    return _Kind(re.compile(words, re.IGNORECASE), error, next_step)


_KINDS = (
    _kind(
        "acquiring the state lock|state lock",
        TargetHeldError,
        "Wait until the other one is done. If nobody is at it: terraform force-unlock, with the ID above.",
    ),
    _kind(
        "ExpiredToken|token (?:included in the request )?(?:is|has) expired|RequestExpired",
        EnvironmentFailedError,
        "The credentials have expired: sign in again, then run this again. What was made is in the state.",
    ),
    _kind(
        "No valid credential sources|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch",
        EnvironmentFailedError,
        "Give AWS credentials, such as AWS_PROFILE; `rollbook doctor --target aws` checks them.",
    ),
    _kind(
        "AWS account ID not allowed",
        BadInputError,
        "Take credentials of the account that account_id names, or change account_id.",
    ),
    _kind(
        "AccessDenied|UnauthorizedOperation|not authorized to perform|AuthorizationError",
        EnvironmentFailedError,
        "Let the role do that; `rollbook doctor --target aws` lists all that is needed.",
    ),
    _kind(
        "LimitExceeded|QuotaExceeded|ServiceQuota",
        EnvironmentFailedError,
        "Raise the quota in the Service Quotas console, or take another region. Then run this again.",
    ),
    _kind(
        "Throttling|RequestLimitExceeded|TooManyRequests",
        EnvironmentFailedError,
        "AWS asks to be asked less often: run this again in some minutes. What was made is in the state.",
    ),
    _kind(
        "provider packages|install provider|locked provider|provider registry|Inconsistent dependency lock",
        EnvironmentFailedError,
        "Let this machine reach the registry, or name a mirror of providers in ROLLBOOK_TF_MIRROR.",
    ),
    _kind(
        "No value for required variable|Invalid value for (?:input )?variable|Value for undeclared variable"
        "|Invalid variables file|Failed to read variables file|Unsupported Terraform Core version",
        BadInputError,
        "terraform/README.md lists all inputs, and terraform.tfvars.example has those that are required.",
    ),
    _kind(
        "Saved plan is stale", BadInputError, "Plan again: the state has changed since this plan was made."
    ),
    _kind(
        "DependencyViolation|has dependencies and cannot be deleted|mapped public address",
        EnvironmentFailedError,
        "Something that Terraform did not make holds it, mostly a load balancer or a network interface of a "
        "controller: remove that, then run this again.",
    ),
    _kind(
        "connection refused|no such host|i/o timeout|dial tcp|TLS handshake",
        EnvironmentFailedError,
        "See whether the endpoint can be reached from here, then run this again; what was made is kept.",
    ),
)


def failure(command: str, code: int, found: Sequence[Diagnostic], stderr: str = "") -> RollbookError:
    """The error for `terraform COMMAND` that ended with `code`; to be raised by the caller.

    Told is the first error that is known by what to do about it, else the first one.
    """
    errors = [one for one in found if one.severity == "error"]
    for one in errors or [Diagnostic("error", _last_words(stderr))]:
        text = f"{one.summary} {one.detail}"
        for kind in _KINDS:
            if kind.words.search(text):
                return kind.error(_what(command, code, one), why=_why(one, errors), next_step=kind.next_step)
    first = errors[0] if errors else Diagnostic("error", _last_words(stderr))
    return EnvironmentFailedError(
        _what(command, code, first),
        why=_why(first, errors),
        next_step="Mend that, then run this again: what was made is in the state, and is not made twice.",
    )


def interrupted(command: str, made: int) -> CancelledError:
    """The error for `terraform COMMAND` that somebody asked to stop, after `made` changes."""
    return CancelledError(
        f"terraform {command} was interrupted",
        why=f"it ended by itself, and its state is saved: {made} changes were made",
        next_step="Plan again to go on, or destroy what was made.",
    )


def overdue(
    command: str, within_s: float, waited: Sequence[UnderWay], made: int, *, orderly: bool
) -> OverdueError:
    """The error for `terraform COMMAND` that did not end within `within_s` seconds, after `made` changes.

    `waited` is what it waited for, the longest first; `orderly` is false when it had to be killed.
    """
    told = ", ".join(map(str, waited[:MOST_WAITED])) or "nothing that it told of"
    more = f" and {len(waited) - MOST_WAITED} more" if len(waited) > MOST_WAITED else ""
    end = (
        "it was interrupted then, and its state is saved"
        if orderly
        else "it had to be stopped with that under way, so that its state may lack what was done last"
    )
    return OverdueError(
        f"terraform {command} did not end within {within_s:g} s",
        why=f"it waited for {told}{more}; {end}: {made} changes were made",
        next_step="Run this again: it goes on where it ended. If it waits for the same again, look at that.",
    )


def _what(command: str, code: int, one: Diagnostic) -> str:
    at = f" at {one.address}" if one.address else ""
    return (
        f"terraform {command} failed{at} with exit code {code}: {' '.join(one.summary.split())[:200]}".rstrip(
            ": "
        )
    )


def _why(one: Diagnostic, errors: Sequence[Diagnostic]) -> str:
    detail = " ".join(one.detail.split())
    detail = detail if len(detail) <= LONGEST_WHY else f"{detail[:LONGEST_WHY]}…"
    more = f"({len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{detail} {more}".strip()


def _last_words(stderr: str) -> str:
    lines = [line.strip(" ╷│╵") for line in stderr.splitlines()]
    return " ".join(line for line in lines if line)[-LONGEST_WHY:]
