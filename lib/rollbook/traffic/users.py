"""Users as `rollbook.ports.Traffic` asks for them: a worker process and its log."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from rollbook.domain.traffic import RequestRecord, TrafficPlan
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.answers import Asked, Records
from rollbook.evidence.requests import LogReader

START_TIMEOUT_S = 30.0
STOP_MARGIN_S = 5.0
"""What the worker may take to end beyond the time-out of its last request."""
MAX_RPS = 1000.0


class UserTraffic:
    """Sends users' requests from a process of its own.

    `records` keeps single requests (probes); those of user traffic are in its log.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._records = records

    @contextmanager
    def start(self, plan: TrafficPlan, log: Path) -> Iterator[UserTrafficRun]:
        """Start sending; `log` is replaced. The end of the context stops it, whatever happens.

        BadInputError for a plan that cannot be sent, EnvironmentFailedError when the worker does not start.
        """
        check(plan)
        log.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as complaints:
            run = UserTrafficRun(_start_worker(plan, log, complaints), plan, log, complaints)
            try:
                run.wait_ready()
                yield run
            finally:
                run.end()

    def probe(self, plan: TrafficPlan) -> RequestRecord:
        """Send one request and wait for its fate, at most the plan's time-out."""
        check(plan)
        from rollbook.traffic.sending import send_one  # aiohttp is slow to import

        # A thread of its own: in a notebook this one has a running event loop already.
        with ThreadPoolExecutor(max_workers=1) as pool:
            record = pool.submit(asyncio.run, send_one(plan)).result()
        self._keep(plan, record)
        return record

    def _keep(self, plan: TrafficPlan, record: RequestRecord) -> None:
        if self._records is None:
            return
        told = {"headers": dict(plan.headers)} if plan.headers else {}
        asked = Asked("edge", f"GET {plan.paths[0]}", {"url": plan.url, "host": plan.host, **told})
        answer = {"version": record.version, "pod": record.pod, "cause": record.cause.value}
        good = not record.failed
        # Who waits for a first good answer asks many times a second; failures that are alike are kept once.
        more = {"latency_s": record.latency_s, "request_id": record.request_id} if good else {}
        status = str(record.status or record.cause.value)
        self._records.record(asked, status, {**answer, **more}, always=good)


class UserTrafficRun:
    """User traffic under way, as `rollbook.ports.TrafficRun` asks for it."""

    def __init__(
        self, worker: subprocess.Popen[str], plan: TrafficPlan, log: Path, complaints: IO[bytes]
    ) -> None:
        self._worker = worker
        self._plan = plan
        self._reader = LogReader(log)
        self._complaints = complaints

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._worker.pid

    def wait_ready(self) -> None:
        """Wait until the worker sends. EnvironmentFailedError when it does not."""
        stdout = self._worker.stdout
        assert stdout is not None  # noqa: S101  # opened as a pipe by _start_worker
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.append(stdout.readline()), daemon=True)
        reader.start()
        reader.join(START_TIMEOUT_S)
        if said != ["ready\n"]:
            self._worker.kill()
            self._worker.wait()
            raise self._died("the process that sends user traffic did not start")

    def records(self) -> Sequence[RequestRecord]:
        """All requests that have ended so far, by scheduled time.

        EnvironmentFailedError when the worker died.
        """
        if self._worker.poll():
            raise self._died("the process that sends user traffic died")
        return self._reader.records()

    def stop(self) -> Sequence[RequestRecord]:
        """Send no more, wait for what is in flight, and return all records."""
        self.end()
        return self.records()

    def end(self) -> None:
        """Stop the worker; killed when it does not end within its time-out. May be called again."""
        if self._worker.stdin is not None:
            with suppress(OSError):
                self._worker.stdin.close()
        try:
            self._worker.wait(self._plan.timeout_s + STOP_MARGIN_S)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()
        except BaseException:  # an interrupt must not leave the worker behind
            self._worker.kill()
            self._worker.wait()
            raise
        finally:
            if self._worker.stdout is not None:
                self._worker.stdout.close()

    def _died(self, what: str) -> EnvironmentFailedError:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return EnvironmentFailedError(
            what,
            why=lines[-1] if lines else f"it ended with {self._worker.returncode} and said nothing",
            next_step="Look at the load and the free disk space of this machine, then run again.",
        )


def check(plan: TrafficPlan) -> None:
    """BadInputError for a plan that cannot be sent."""
    url = urlsplit(plan.url)
    wrong = ""
    if url.scheme not in {"http", "https"} or not url.hostname:
        wrong = f"{plan.url!r} is not the URL of an edge"
    elif not 0 < plan.rps <= MAX_RPS:
        wrong = f"{plan.rps:g} requests a second is not between 0 and {MAX_RPS:g}"
    elif plan.duration_s <= 0 or plan.timeout_s <= 0:
        wrong = "its duration and its time-out must be more than 0 s"
    elif not plan.paths or any(not path.startswith("/") for path in plan.paths):
        wrong = "its paths must start with /"
    elif any(ord(letter) <= 32 for letter in _names(plan)):
        wrong = "a host or header name has blanks in it"
    if wrong:
        raise BadInputError(
            "the user traffic cannot be sent",
            why=wrong,
            next_step="Correct --set rps=... or the service file.",
        )


def _names(plan: TrafficPlan) -> str:
    names = plan.host + plan.version_header + plan.pod_header + plan.id_header
    audience = plan.audience
    if audience is None:
        return names
    return names + audience.name + audience.user_header + audience.variant_header + audience.outcome_header


def _start_worker(plan: TrafficPlan, log: Path, complaints: IO[bytes]) -> subprocess.Popen[str]:
    try:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "rollbook.traffic.worker", str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,  # Ctrl-C of the terminal is for the parent alone
        )
    except OSError as error:
        raise EnvironmentFailedError(
            "the process that sends user traffic did not start",
            why=error.strerror or str(error),
            next_step="Look at the load and the memory of this machine, then run again.",
        ) from error
    with suppress(BrokenPipeError):  # it died at once: wait_ready tells why
        assert worker.stdin is not None  # noqa: S101  # opened as a pipe above
        worker.stdin.write(json.dumps(asdict(plan)) + "\n")
        worker.stdin.flush()
    return worker
