"""One user's request over HTTP, and the schedule that sends many of them (open model)."""

from __future__ import annotations

import asyncio
import errno
import secrets
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from rollbook.domain.audience import variant_of
from rollbook.domain.traffic import Cause, RequestRecord, TrafficPlan
from rollbook.errors import BadInputError, EnvironmentFailedError

IDLE_S = 2.0
"""After so long an idle connection is closed by us: before a server does it just as a request is sent."""
CONVERTED = {"1": True, "0": False}
"""What an answer may say of its user's conversion."""
OUR_FAULT = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS})
"""The sending machine ran out of something: no user would have seen this."""


@dataclass(frozen=True)
class Timeline:
    """Ties the loop's monotonic clock to the wall clock once, so that steps of the latter do no harm."""

    epoch_s: float
    loop_s: float

    @classmethod
    def begin(cls) -> Timeline:
        """Start now; to be called on a running loop."""
        return cls(epoch_s=time.time(), loop_s=asyncio.get_running_loop().time())

    def epoch_of(self, loop_s: float) -> float:
        """Seconds since the epoch at a moment of the loop's clock."""
        return self.epoch_s + (loop_s - self.loop_s)


class User:
    """Sends requests of a plan over kept-alive connections. Use as an async context manager."""

    def __init__(self, plan: TrafficPlan) -> None:
        self._plan = plan
        self._base = plan.url.rstrip("/")
        # Beside the number it makes an id that no other phase or run has, and that is short to read out.
        self._name = secrets.token_hex(3)
        self._ssl: ssl.SSLContext | bool = True
        if urlsplit(plan.url).scheme == "https" and plan.ca_file:
            try:
                self._ssl = ssl.create_default_context(cafile=plan.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise BadInputError(
                    f"the CA file {plan.ca_file} cannot be used",
                    why=str(error),
                    next_step="Give a PEM file with the certificate authority of the edge.",
                ) from error

    async def __aenter__(self) -> User:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S, ssl=self._ssl)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"Host": self._plan.host, "User-Agent": "rollbook-user"},
            auto_decompress=False,
        )
        # aiohttp sends an idempotent request again when a reused connection breaks. Here every break counts.
        self._session._retry_connection = False
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._session.close()

    async def send(self, number: int, due_s: float, timeline: Timeline) -> RequestRecord:
        """Send request `number`, due at `due_s` of the loop's clock, and tell its fate.

        EnvironmentFailedError when this machine, not the service, is what failed.
        """
        plan, loop = self._plan, asyncio.get_running_loop()
        path = plan.paths[number % len(plan.paths)]
        sent_s = loop.time()
        status, version, pod, outcome = 0, "", "", ""
        request_id = f"{self._name}-{number}"
        audience = plan.audience
        user = audience.user(number) if audience else ""
        variant = variant_of(user) if audience else ""
        headers = {plan.id_header: request_id, **dict(plan.headers)}
        if audience:
            headers |= {audience.user_header: user, audience.variant_header: variant}
        try:
            async with (
                asyncio.timeout_at(due_s + plan.timeout_s),
                self._session.get(
                    self._base + path,
                    headers=headers,
                    allow_redirects=False,
                    server_hostname=plan.host if isinstance(self._ssl, ssl.SSLContext) else None,
                ) as response,
            ):
                await response.read()
                status = response.status
                version = response.headers.get(plan.version_header, "")
                pod = response.headers.get(plan.pod_header, "")
                outcome = response.headers.get(audience.outcome_header, "") if audience else ""
                cause = cause_of_answer(status, answered_by_service=bool(version))
        except TimeoutError:
            cause = Cause.TIMEOUT
        except aiohttp.ClientConnectorCertificateError as error:
            raise _not_trusted(plan, error) from error
        except aiohttp.ClientError as error:
            cause = cause_of_break(error)
        return RequestRecord(
            scheduled_s=timeline.epoch_of(due_s),
            sent_s=timeline.epoch_of(sent_s),
            latency_s=max(0.0, loop.time() - due_s),
            status=status,
            cause=cause,
            version=version,
            pod=pod,
            request_id=request_id,
            user=user,
            variant=variant,
            converted=CONVERTED.get(outcome),
        )


async def send_one(plan: TrafficPlan) -> RequestRecord:
    """Send the plan's first request now."""
    async with User(plan) as user:
        return await user.send(0, asyncio.get_running_loop().time(), Timeline.begin())


async def send_on_schedule(
    plan: TrafficPlan, stop: asyncio.Event, record: Callable[[RequestRecord], None]
) -> None:
    """Send `plan.rps` requests a second for `plan.duration_s` or until `stop`; wait for those in flight.

    A request goes out when it is due, whatever became of those before it. `record` gets each one as it
    ends. EnvironmentFailedError when this machine cannot send.
    """
    loop = asyncio.get_running_loop()
    in_flight: set[asyncio.Task[None]] = set()
    broken: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        in_flight.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            broken.append(error)
            stop.set()

    async with User(plan) as user:
        timeline = Timeline.begin()

        async def one(number: int, due_s: float) -> None:
            record(await user.send(number, due_s, timeline))

        for number in range(int(plan.rps * plan.duration_s)):
            due_s = timeline.loop_s + number / plan.rps
            await _until(due_s, stop)
            if stop.is_set():
                break
            task = loop.create_task(one(number, due_s))
            in_flight.add(task)
            task.add_done_callback(ended)
        if in_flight:
            await asyncio.wait(in_flight)
    if broken:
        raise broken[0]


def cause_of_answer(status: int, *, answered_by_service: bool) -> Cause:
    """What an HTTP status means to the user; without the version header it was the edge that spoke."""
    if status < 400:
        return Cause.OK
    if not answered_by_service:
        return Cause.PROXY_ERROR
    return Cause.APP_ERROR if status >= 500 else Cause.CLIENT_ERROR


def cause_of_break(error: aiohttp.ClientError) -> Cause:
    """What a failed connection means to the user. EnvironmentFailedError when it was this machine's fault."""
    number = getattr(error, "errno", None)
    if number in OUR_FAULT:
        raise EnvironmentFailedError(
            "this machine cannot send more requests",
            why=str(error),
            next_step="Raise the limit of open files (`ulimit -n`), or send fewer requests a second.",
        ) from error
    return Cause.REFUSED if isinstance(error, aiohttp.ClientConnectorError) else Cause.RESET


async def _until(due_s: float, stop: asyncio.Event) -> None:
    """Wait until a moment of the loop's clock, or until `stop`."""
    delay = due_s - asyncio.get_running_loop().time()
    if delay <= 0:
        await asyncio.sleep(0)  # late already: still let answers and `stop` be seen
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(delay):
            await stop.wait()


def _not_trusted(plan: TrafficPlan, error: Exception) -> EnvironmentFailedError:
    return EnvironmentFailedError(
        f"the TLS certificate of {plan.url} was not accepted",
        why=str(error),
        next_step="Give the certificate authority of the edge (ca_file).",
    )
