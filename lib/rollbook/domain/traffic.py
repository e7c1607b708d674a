"""Users' requests: how they are sent, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollbook.domain.audience import Audience


class Cause(StrEnum):
    """Why a request did not get a good answer; `OK` when it did."""

    OK = "ok"
    APP_ERROR = "app-error"
    """The service answered 5xx: the answer carries its version header."""
    CLIENT_ERROR = "client-error"
    """4xx with the version header."""
    PROXY_ERROR = "proxy-error"
    """4xx or 5xx without the version header: the edge itself answered (no endpoint, no route)."""
    RESET = "reset"
    """The connection was closed before an answer came."""
    REFUSED = "refused"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request of a user.

    Times are seconds since the Unix epoch. `latency_s` counts from the moment the request was *due*
    (`scheduled_s`), so that a stall of sender or service is charged to every request that it delayed
    (Tene, "How NOT to measure latency": coordinated omission).
    """

    scheduled_s: float
    sent_s: float
    latency_s: float
    status: int
    """HTTP status; 0 when there was no answer."""
    cause: Cause
    version: str
    """Version that answered; empty when unknown."""
    pod: str
    request_id: str = ""
    """What the request was called on its way: the service logs it; empty in logs of before there were ids."""
    user: str = ""
    """Who sent it, where users have names (an experiment)."""
    variant: str = ""
    """The variant of the experiment that the user has."""
    converted: bool | None = None
    """Whether the answer says that the user converted; None when it does not say."""

    @property
    def ended_s(self) -> float:
        """When the answer (or the failure) was there, in seconds since the epoch."""
        return self.scheduled_s + self.latency_s

    @property
    def failed(self) -> bool:
        """Whether the user did not get what they asked for."""
        return self.cause is not Cause.OK


@dataclass(frozen=True)
class TrafficPlan:
    """What to send: open model, `rps` requests a second on a fixed schedule for at most `duration_s`."""

    url: str
    """Scheme, address and port of the edge; loopback in the sandbox."""
    host: str
    paths: tuple[str, ...]
    rps: float
    duration_s: float
    timeout_s: float
    version_header: str
    pod_header: str
    ca_file: str = ""
    id_header: str = "X-Request-Id"
    """Header that carries the id of each request."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent along with each request."""
    audience: Audience | None = None
    """Users with names, for an experiment; None when nobody asks who sent what."""
