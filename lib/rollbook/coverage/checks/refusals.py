"""What the API server was asked for on purpose and refused: pods that must not run, and Secrets."""

from __future__ import annotations

from collections.abc import Iterator

from rollbook.coverage.lookup import Bundle, NoDataError, NotExercisedError, failed, few, proved
from rollbook.coverage.model import EvidenceRef, Finding
from rollbook.coverage.registry import check
from rollbook.coverage.world import CLUSTER, answers
from rollbook.domain.attempts import AS, CONTROL, SECRETS, object_name
from rollbook.evidence.answers import Answer

Pair = tuple[Answer, EvidenceRef]

REFUSED = ("400", "403", "422")
TAKEN = ("200", "201")
NO_RIGHT = "cannot impersonate resource"
"""What the API server says to who may ask in nobody's name: the attempt itself was refused then."""


@check("admission.refused")
def refused(bundle: Bundle, attempt: str) -> Finding:
    """The API server refused this, and took the same pod without what is forbidden in it."""
    tried = _last(bundle, object_name(attempt))
    if not tried:
        raise NotExercisedError(f"Nothing in this run tried: {attempt}.")
    control = _last(bundle, object_name(CONTROL))
    whole = [call for call, (answer, _) in control.items() if answer.status in TAKEN and call in tried]
    evidence = few([ref for _, ref in (*tried.values(), *control.values())])
    if not whole:
        raise NoDataError(
            f"The same pod without what is forbidden was not taken either, which says nothing of: {attempt}.",
            evidence,
        )
    for call in whole:
        answer, ref = tried[call]
        if answer.status not in REFUSED:
            return failed(f"Not refused: {attempt} ({call}: {answer.status}).", ref)
    return proved(f"Refused: {attempt}. {_words(tried[whole[-1]][0])}.", *evidence)


def _last(bundle: Bundle, name: str) -> dict[str, Pair]:
    """The last answer of each call that tried to make an object of this name, as a dry run."""
    return {
        answer.asked.call: (answer, ref)
        for answer, ref in answers(bundle, CLUSTER, "POST ")
        if answer.asked.parameters.get("dryRun")
        and answer.asked.parameters["body"]["metadata"].get("name") == name
    }


@check("rbac.secrets_refused")
def secrets_refused(bundle: Bundle, who: str = "") -> Finding:
    """Whoever needs no Secrets asked for them, and the API server refused.

    `who` is `service` (its pods' account), `controller` (who releases it), or empty for both.
    """
    asked = list(_asked(bundle, who))
    if not asked:
        raise NotExercisedError(f"Nothing in this run asked for Secrets in the name of {who or 'anybody'}.")
    evidence = few([ref for _, ref in asked])
    if any(NO_RIGHT in _words(answer) for answer, _ in asked):
        raise NotExercisedError("The run was not allowed to ask in the name of others.")
    given = [(answer, ref) for answer, ref in asked if answer.status != "403"]
    if given:
        answer, ref = given[0]
        return failed(
            f"{answer.asked.parameters[AS]} was answered {answer.status}: {answer.asked.call}.", ref
        )
    users = sorted({str(answer.asked.parameters[AS]) for answer, _ in asked})
    return proved(f"Refused {len(asked)} times, to {' and '.join(users)}. {_words(asked[-1][0])}.", *evidence)


def _asked(bundle: Bundle, who: str) -> Iterator[Pair]:
    own = f"system:serviceaccount:{bundle.evidence.run.service.namespace}:"
    for answer, ref in answers(bundle, CLUSTER, "GET "):
        user = str(answer.asked.parameters.get(AS, ""))
        whose = "service" if user.startswith(own) else "controller"
        if user and answer.asked.call.endswith(f"/{SECRETS}") and who in {"", whose}:
            yield answer, ref


def _words(answer: Answer) -> str:
    """What the API server said, without its full stop."""
    said = answer.answer.get("message", "") if isinstance(answer.answer, dict) else ""
    return str(said).rstrip(".")
