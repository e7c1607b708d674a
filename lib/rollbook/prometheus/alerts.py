"""Alerts as somebody was told of them, as `rollbook.domain.alerting.Alerts` asks for them.

Two ways: a receiver of the sandbox that was sent notifications, and, where nobody of ours is told, the list
of what Alertmanager would tell. Notifications are those of Alertmanager's webhook, version 4, and the list is
`/api/v2/alerts`: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from rollbook.domain.alerting import AlertStatus, Listed, Received
from rollbook.errors import EnvironmentFailedError
from rollbook.evidence.answers import Records
from rollbook.ports import Clock
from rollbook.prometheus.asking import get_json, session_of

if TYPE_CHECKING:
    from requests import Session
    from requests.adapters import BaseAdapter

RECEIVER = "alert-receiver"
ALERTMANAGER = "alertmanager"
NOT_HELD_BACK = {"active": "true", "silenced": "false", "inhibited": "false", "unprocessed": "false"}
LONG_AGO = 1
T = TypeVar("T")


class ReceivedAlerts:
    """Asks the sandbox's webhook receiver, and its Alertmanager for what is held back."""

    heard_by = "the webhook receiver"

    def __init__(self, url: str, alertmanager_url: str, *, records: Records | None = None) -> None:
        self._url = url.rstrip("/")
        self._alertmanager_url = alertmanager_url.rstrip("/")
        self._records = records

    def received(self, since: datetime) -> tuple[Received, ...]:
        """What came at that moment or later, oldest first. EnvironmentFailedError without an answer."""
        asked = {"since": f"{since.timestamp():.6f}"}
        url = f"{self._url}/notifications"
        return _understood(url, get_json(self._session, url, asked), notifications)

    def listed(self) -> tuple[Listed, ...]:
        """All that its Alertmanager has now. EnvironmentFailedError without an answer."""
        return _all_listed(self._session, self._alertmanager_url)

    @cached_property
    def _session(self) -> Session:
        systems = {self._url: RECEIVER, self._alertmanager_url: ALERTMANAGER}
        return session_of(systems, self._records, None)


class ListedAlerts:
    """Asks Alertmanager for what it would tell: alerts that are neither inhibited nor silenced.

    An alert counts as received when it is first listed here, and as resolved when it is listed no more; so an
    instance has to be asked again and again. Groups and their waits are not in the list: a notification may
    come later than it says.
    """

    heard_by = "Alertmanager's list of alerts, as no receiver of ours is there"

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        records: Records | None = None,
        adapter: BaseAdapter | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._clock = clock
        self._records = records
        self._adapter = adapter
        self._known: dict[str, Received] = {}
        self._over: list[Received] = []

    def received(self, since: datetime) -> tuple[Received, ...]:
        """What was listed first, or no more, at that moment or later.

        EnvironmentFailedError without an answer.
        """
        url = f"{self._url}/api/v2/alerts"
        listed = _understood(url, get_json(self._session, url, NOT_HELD_BACK), alerts_listed)
        now = self._clock.now()
        for key in self._known.keys() - listed.keys():
            gone = self._known.pop(key)
            over = replace(gone, status=AlertStatus.RESOLVED, ends_at=now, received_at=now)
            self._over.append(over)
        for key, one in listed.items():
            self._known.setdefault(key, one)
        found = (one for one in (*self._known.values(), *self._over) if one.received_at >= since)
        return tuple(sorted(found, key=lambda one: one.received_at))

    def listed(self) -> tuple[Listed, ...]:
        """All that Alertmanager has now, held back or not. EnvironmentFailedError without an answer."""
        return _all_listed(self._session, self._url)

    @cached_property
    def _session(self) -> Session:
        return session_of({self._url: ALERTMANAGER}, self._records, self._adapter)


def notifications(answer: Mapping[str, Any]) -> tuple[Received, ...]:
    """The alerts of the receiver's answer, in the order in which they came."""
    return tuple(_of_notifications(answer))


def _of_notifications(answer: Mapping[str, Any]) -> Iterator[Received]:
    for kept in answer["notifications"]:
        told = kept["notification"]
        if not isinstance(told, Mapping) or told.get("version") != "4":
            continue  # somebody else's message: it is in the record, and is no alert
        at = datetime.fromtimestamp(float(kept["received_at"]), UTC)
        for one in told["alerts"]:
            yield _received(one, AlertStatus(one["status"]), at, told.get("receiver") or kept["receiver"])


def alerts_listed(answer: Sequence[Mapping[str, Any]]) -> dict[str, Received]:
    """The alerts of `/api/v2/alerts` that fire, by fingerprint and start; received when last updated."""
    return {
        f"{one['fingerprint']} {one['startsAt']}": _received(
            {**one, "endsAt": ""},  # until when it fires unless it is told of again
            AlertStatus.FIRING,
            _moment(one["updatedAt"]) or datetime.min.replace(tzinfo=UTC),
            ", ".join(receiver["name"] for receiver in one.get("receivers") or ()),
        )
        for one in answer
    }


def everything_listed(answer: Sequence[Mapping[str, Any]]) -> tuple[Listed, ...]:
    """The alerts of `/api/v2/alerts` with what holds them back: Alertmanager names that by fingerprint."""
    names = {one["fingerprint"]: one["labels"].get("alertname", "") for one in answer}
    return tuple(
        Listed(
            alertname=names[one["fingerprint"]],
            labels=dict(one["labels"]),
            annotations=dict(one.get("annotations") or {}),
            starts_at=_moment(one["startsAt"]) or datetime.min.replace(tzinfo=UTC),
            held_back_by=(
                *sorted({names.get(by, by) for by in one["status"].get("inhibitedBy") or ()}),
                *(("silence",) if one["status"].get("silencedBy") else ()),
            ),
        )
        for one in answer
    )


def _all_listed(session: Session, alertmanager_url: str) -> tuple[Listed, ...]:
    url = f"{alertmanager_url}/api/v2/alerts"
    return _understood(url, get_json(session, url), everything_listed)


def _received(one: Mapping[str, Any], status: AlertStatus, at: datetime, receiver: str) -> Received:
    labels = dict(one["labels"])
    return Received(
        alertname=labels.get("alertname", ""),
        labels=labels,
        annotations=dict(one.get("annotations") or {}),
        status=status,
        starts_at=_moment(one["startsAt"]) or at,
        ends_at=_moment(one.get("endsAt") or "") if status is AlertStatus.RESOLVED else None,
        received_at=at,
        receiver=receiver,
    )


def _moment(text: str) -> datetime | None:
    """A moment in RFC 3339; None for Go's zero time, and for no time at all."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.year > LONG_AGO else None


def _understood(url: str, answer: Any, reader: Callable[[Any], T]) -> T:
    """What the reader makes of the answer. EnvironmentFailedError when it is something else."""
    try:
        return reader(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EnvironmentFailedError(
            f"what answers at {url} is something else",
            why=f"{type(error).__name__}: {error}",
            next_step="Check its address, above all the name and the port of its Service.",
        ) from error
