"""What became of each request, and what users felt around each change of a rollout.

Pure arithmetic over request records. A request belongs to the moment at which it was due (`scheduled_s`);
times are seconds since the epoch. Every request has exactly one fate, so that the counts of a window add up
to what was sent in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from rollbook.domain.traffic import Cause, RequestRecord

WINDOW_S = 5.0
"""Before and after a change; cut where another change is nearer."""
ONE_MOMENT_S = 3.0
"""A weight that is set so close to the end of a rollout is part of it: Argo aborts, and then sets it to 0."""


class Fate(StrEnum):
    """What became of a request."""

    ANSWERED = "answered"
    APP_ERROR = "app error"
    """The service answered 5xx."""
    APP_REFUSED = "app refused"
    """The service answered 4xx."""
    NO_ROUTE = "no route"
    """The edge answered 404: it knew no route."""
    NO_ENDPOINT = "no endpoint"
    """The edge answered 502, 503 or 504: no pod to send to, or one that gave no answer."""
    EDGE_ERROR = "edge error"
    """The edge answered another 4xx or 5xx."""
    RESET = "reset"
    """The connection was closed before an answer came."""
    REFUSED = "refused"
    """No connection could be made."""
    TIMEOUT = "timed out"


_BY_CAUSE = {
    Cause.OK: Fate.ANSWERED,
    Cause.APP_ERROR: Fate.APP_ERROR,
    Cause.CLIENT_ERROR: Fate.APP_REFUSED,
    Cause.RESET: Fate.RESET,
    Cause.REFUSED: Fate.REFUSED,
    Cause.TIMEOUT: Fate.TIMEOUT,
}
_BY_STATUS = {
    404: Fate.NO_ROUTE,
    502: Fate.NO_ENDPOINT,
    503: Fate.NO_ENDPOINT,
    504: Fate.NO_ENDPOINT,
}


class ChangeKind(StrEnum):
    """What changed for users."""

    WEIGHT = "weight"
    ABORTED = "aborted"
    PROMOTED = "promoted"


@dataclass(frozen=True)
class Change:
    """A moment at which Argo changed who answers users: the canary's `weight` in percent from then on.

    `leaving` is the version that users are taken from, empty when it keeps some of them.
    """

    at_s: float
    kind: ChangeKind
    weight: float
    leaving: str = ""


@dataclass(frozen=True)
class Tally:
    """Requests due in `start_s` <= t < `end_s`, counted by fate, and the same by version.

    The version is empty for requests that no version answered. `slowest_s` is the longest latency in seconds;
    None when nothing was sent.
    """

    start_s: float
    end_s: float
    sent: int
    by_fate: Mapping[Fate, int]
    by_version: Mapping[str, Mapping[Fate, int]]
    slowest_s: float | None

    @property
    def failed(self) -> int:
        """Requests that were not answered well."""
        return self.sent - self.by_fate.get(Fate.ANSWERED, 0)


@dataclass(frozen=True)
class Around:
    """What users got just before and just after one change."""

    change: Change
    before: Tally
    after: Tally
    last_answer_s: float | None
    """When the leaving version gave its last answer; None without a leaving version, or an answer of it."""


def fate_of(record: RequestRecord) -> Fate:
    """What became of a request."""
    if record.cause is Cause.PROXY_ERROR:
        return _BY_STATUS.get(record.status, Fate.EDGE_ERROR)
    return _BY_CAUSE[record.cause]


def fates(records: Iterable[RequestRecord]) -> Mapping[Fate, int]:
    """Requests by fate, in the order of `Fate`; those that none had are left out."""
    found = Counter(map(fate_of, records))
    return {fate: found[fate] for fate in Fate if found[fate]}


def changes(
    weights: Sequence[tuple[float, float]],
    *,
    stable: str,
    canary: str,
    promoted_s: float | None = None,
    aborted_s: float | None = None,
) -> tuple[Change, ...]:
    """The changes that users could feel, in order; a weight within `ONE_MOMENT_S` of the end is part of it.

    `weights`: when the canary got which weight (percent); an entry that changes nothing is no change. A
    weight of 0 that comes with or after the promotion takes no user from the canary, which is stable by then.
    Where both have one version, nobody can say which of them answered last: no change has a leaving version.
    """
    if stable == canary:
        stable = canary = ""
    found: list[Change] = []
    last = 0.0
    for at_s, weight in sorted(weights):
        if weight == last or (promoted_s is not None and weight == 0 and at_s >= promoted_s - ONE_MOMENT_S):
            continue
        leaving = stable if weight >= 100 else canary if weight <= 0 else ""
        found.append(Change(at_s, ChangeKind.WEIGHT, weight, leaving))
        last = weight
    if promoted_s is not None:
        found.append(Change(promoted_s, ChangeKind.PROMOTED, 100, stable))
    if aborted_s is not None:
        found.append(Change(aborted_s, ChangeKind.ABORTED, 0, canary))
    return _joined(sorted(found, key=lambda change: change.at_s))


def around(
    records: Sequence[RequestRecord], moments: Sequence[Change], *, window_s: float = WINDOW_S
) -> tuple[Around, ...]:
    """Requests by fate before and after each of `moments`, which are in order.

    A window ends at the neighbouring change at the latest: what is after one change and before the next may
    be counted in both, but never what is beyond either.
    """
    starts = [change.at_s for change in moments]
    bounds = [float("-inf"), *starts, float("inf")]
    found = []
    for number, change in enumerate(moments):
        before_s = max(bounds[number], change.at_s - window_s)
        after_s = min(bounds[number + 2], change.at_s + window_s)
        found.append(
            Around(
                change=change,
                before=tally(records, before_s, change.at_s),
                after=tally(records, change.at_s, after_s),
                last_answer_s=max(
                    (one.ended_s for one in records if change.leaving and one.version == change.leaving),
                    default=None,
                ),
            )
        )
    return tuple(found)


def tally(records: Iterable[RequestRecord], start_s: float, end_s: float) -> Tally:
    """Count the requests due within one window."""
    inside = [record for record in records if start_s <= record.scheduled_s < end_s]
    versions: defaultdict[str, list[RequestRecord]] = defaultdict(list)
    for record in inside:
        versions[record.version].append(record)
    return Tally(
        start_s=start_s,
        end_s=end_s,
        sent=len(inside),
        by_fate=fates(inside),
        by_version={
            version: fates(versions[version]) for version in sorted(versions, key=lambda one: (not one, one))
        },
        slowest_s=max((record.latency_s for record in inside), default=None),
    )


def _joined(found: Sequence[Change]) -> tuple[Change, ...]:
    """The end of the rollout and the weight that came with it as one: the end says more."""
    kept: list[Change] = list(found[:1])
    for before, change in pairwise(found):
        first = kept[-1]
        both_weights = first.kind is change.kind is ChangeKind.WEIGHT
        if both_weights or change.at_s - before.at_s > ONE_MOMENT_S:
            kept.append(change)
            continue
        said = first if first.kind is not ChangeKind.WEIGHT else change
        kept[-1] = Change(first.at_s, said.kind, said.weight, said.leaving)
    return tuple(kept)
