"""References to secrets: a parameter names where a secret is, `env:NAME` or an ARN, and never holds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rollbook.errors import BadInputError
from rollbook.evidence.scrub import Scrubber

_ENVIRONMENT = re.compile(r"env:(?P<name>[A-Za-z_][A-Za-z0-9_]*)")
_SECRETS_MANAGER = re.compile(
    r"arn:aws(?:-[a-z]+)*:secretsmanager:[a-z0-9-]+:\d{12}:secret:(?P<name>[A-Za-z0-9/_+=.@-]{1,512})"
)


@dataclass(frozen=True)
class Resolved:
    """What a reference stands for: the value (never shown), and the scrubber that now knows it too."""

    value: str = field(repr=False)
    scrubber: Scrubber


def resolve(
    reference: str, *, environ: Mapping[str, str], fetch: Callable[[str], str], scrubber: Scrubber
) -> Resolved:
    """Look a secret up: `env:NAME` in `environ`, the ARN of a Secrets Manager secret by `fetch(arn)`.

    BadInputError for any other text, which is not repeated: it may be a secret, given by mistake; and for a
    secret that is not there or empty. Errors of `fetch` are passed on.
    """
    variable = _ENVIRONMENT.fullmatch(reference)
    stored = _SECRETS_MANAGER.fullmatch(reference)
    if variable:
        name, value = variable["name"], environ.get(variable["name"], "")
    elif stored:
        name, value = stored["name"], fetch(reference)
    else:
        raise BadInputError(
            "this is not a reference to a secret",
            why="it is neither env:NAME nor the ARN of a secret in Secrets Manager",
            next_step="Put the secret into an environment variable NAME, and give env:NAME.",
        )
    if not value.strip():
        raise BadInputError(
            f"there is no secret at {reference}",
            why="the environment variable is not set" if variable else "it is empty",
            next_step=f"export {name}=..., and run again." if variable else "Give the secret a value.",
        )
    return Resolved(value, scrubber.knowing(name, value))
