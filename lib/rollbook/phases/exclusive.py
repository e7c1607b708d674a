"""One at a time per release target: whoever changes it holds a Lease in the cluster, and renews it.

Two laptops cannot roll out the same service at once; other services and other clusters are other targets.
A holder that died is taken over when its Lease has expired.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollbook.domain.service import Service
from rollbook.errors import EnvironmentFailedError, TargetHeldError
from rollbook.evidence.journal import Kind
from rollbook.phases.context import PhaseContext
from rollbook.ports import Lease

TTL_S = 15.0
"""A holder that died is in the way for this long at most (and `SKEW_S`)."""
SKEW_S = 2.0
"""Clocks of two machines may differ by this much."""
HOLDER = "ROLLBOOK_LEASE_HOLDER"
"""Set by `rollbook run` in its kernels: the run holds the Lease already, under this name."""


@dataclass(frozen=True)
class Holder:
    """Who holds: the run, and the process on its machine that renews."""

    run: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.run}@{self.host}/{self.pid}"

    @classmethod
    def parse(cls, text: str) -> Holder | None:
        """Read a holder's name; None when it is not one of rollbook's."""
        run, at, place = text.rpartition("@")
        host, slash, pid = place.rpartition("/")
        return cls(run, host, int(pid)) if at and slash and pid.isdigit() else None

    @classmethod
    def of_this_process(cls, run: str) -> Holder:
        """This process, for a run."""
        return cls(run, os.uname().nodename, os.getpid())


def lease_name(service: Service) -> str:
    """Name of the Lease of a release target: one for each Rollout of each namespace."""
    return f"rollbook-{service.namespace}-{service.rollout}"


@contextmanager
def exclusive(
    ctx: PhaseContext, *, on_lost: Callable[[str], None] | None = None, ttl_s: float = TTL_S
) -> Iterator[str]:
    """Hold the target while the block runs; the holder's name.

    Nothing to do in a kernel of `rollbook run`, which holds it for the whole run. TargetHeldError when
    somebody else does. When the Lease is lost to somebody in the middle (this process was stopped for longer
    than it lasts), `on_lost` is told who has it now.
    """
    inherited = os.environ.get(HOLDER, "")
    if inherited:
        yield inherited
        return
    holder = str(Holder.of_this_process(ctx.folder.run_id))
    lease = acquire(ctx, holder, ttl_s)
    renewal = _Renewal(ctx, lease, ttl_s, on_lost)
    try:
        yield holder
    finally:
        renewal.end()


def acquire(ctx: PhaseContext, holder: str, ttl_s: float = TTL_S) -> Lease:
    """Take the Lease: a free one, an expired one, or one whose process on this machine is gone.

    TargetHeldError names the holder, and how long its Lease still lasts.
    """
    leases, now = ctx.world.leases, ctx.world.clock.now()
    name = lease_name(ctx.service)
    for _ in range(3):
        current = leases.read(name)
        if current is not None and current.holder != holder:
            expires = current.renewed_at + timedelta(seconds=current.ttl_s + SKEW_S)
            if _alive(current, now):
                raise TargetHeldError(
                    f"{ctx.service.namespace}/{ctx.service.rollout} is being released by {current.holder}",
                    why=f"its Lease {name} lasts until {expires:%H:%M:%S} UTC, and is renewed while it runs",
                    next_step="Wait for its end; if it died, its Lease runs out by itself.",
                )
        taken = leases.write(name, holder, ttl_s, now, over=current)
        if taken is not None:
            data = {"name": name, "holder": holder, "before": current.holder if current else ""}
            ctx.journal.append(Kind.STEP, "take the lease", {"state": "done", "seconds": 0, **data})
            return taken
    raise TargetHeldError(
        f"{ctx.service.namespace}/{ctx.service.rollout} is being released by somebody else",
        why=f"its Lease {name} changed hands three times in a row",
        next_step="Run again when they are done.",
    )


def held_by_another(ctx: PhaseContext) -> str:
    """The holder when another run holds the target now; empty otherwise."""
    current = ctx.world.leases.read(lease_name(ctx.service))
    if current is None or not _alive(current, ctx.world.clock.now()):
        return ""
    known = Holder.parse(current.holder)
    return "" if known is not None and known.run == ctx.folder.run_id else current.holder


def _alive(lease: Lease, now: datetime) -> bool:
    expires = lease.renewed_at + timedelta(seconds=lease.ttl_s + SKEW_S)
    return now < expires and not _died_here(lease.holder)


def _died_here(holder: str) -> bool:
    """Whether the holder was a process of this machine that is gone: its Lease need not be waited for."""
    known = Holder.parse(holder)
    if known is None or known.host != os.uname().nodename:
        return False
    try:
        os.kill(known.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


class _Renewal:
    """Renews a Lease in a thread until it is ended, and then gives it back."""

    def __init__(
        self, ctx: PhaseContext, lease: Lease, ttl_s: float, on_lost: Callable[[str], None] | None
    ) -> None:
        self._ctx = ctx
        self._lease = lease
        self._holder = lease.holder
        self._ttl_s = ttl_s
        self._on_lost = on_lost
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Renew no more, and delete the Lease if it is still ours."""
        self._done.set()
        self._thread.join(timeout=TTL_S)
        try:
            self._ctx.world.leases.delete(self._lease)
        except EnvironmentFailedError:
            return  # it runs out by itself

    def _renew(self) -> None:
        while not self._done.wait(self._ttl_s / 3):
            try:
                now = self._ctx.world.clock.now()
                renewed = self._ctx.world.leases.write(
                    self._lease.name, self._holder, self._ttl_s, now, over=self._lease
                )
                current = renewed or self._ctx.world.leases.read(self._lease.name)
            except EnvironmentFailedError:
                continue  # the API server is away: what it does to the run is told where the run asks it
            if current is not None and current.holder == self._holder:
                self._lease = current
            else:
                self._lost(current.holder if current else "nobody")
                return

    def _lost(self, to: str) -> None:
        self._ctx.journal.append(Kind.DECISION, "lease lost", {"to": to})
        if self._on_lost is not None and not self._done.is_set():
            self._on_lost(to)
