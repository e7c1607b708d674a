"""The process that sends: `python -m rollbook.traffic.worker LOG`, with the plan as a line of JSON on stdin.

It says `ready` on stdout once it sends. It ends by itself when the plan's time is over, at SIGTERM, and
when stdin is closed: by the parent to stop it, or by the parent's death. It waits for what is in flight
before it goes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import signal
import sys
from pathlib import Path

from rollbook.domain.audience import Audience
from rollbook.domain.traffic import TrafficPlan
from rollbook.errors import EnvironmentFailedError, RollbookError
from rollbook.evidence.requests import LogWriter
from rollbook.traffic.sending import send_on_schedule

FLUSH_S = 0.1
OPEN_FILES = 16384
"""More than are in flight when nothing is answered: rate times time-out."""


def main() -> int:
    """Run the worker; 0 when all went well, 4 when this machine could not send."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    plan = plan_of(sys.stdin.readline())
    _allow_many_files()
    gc.freeze()
    try:
        asyncio.run(_run(plan, Path(sys.argv[1])))
    except RollbookError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"the log cannot be written: {error.strerror or error}\n")
        return EnvironmentFailedError.exit_code
    return 0


def plan_of(line: str) -> TrafficPlan:
    """The plan from its line of JSON."""
    fields = json.loads(line)
    headers = tuple((str(name), str(value)) for name, value in fields["headers"])
    audience = Audience(**fields["audience"]) if fields["audience"] else None
    return TrafficPlan(
        **{**fields, "paths": tuple(fields["paths"]), "headers": headers, "audience": audience}
    )


async def _run(plan: TrafficPlan, log: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Anything on stdin, its end included, means stop: the parent has nothing else to say.
    loop.add_reader(sys.stdin.fileno(), stop.set)
    stop_reading = asyncio.create_task(_stop_reading(stop))
    with log.open("w", encoding="utf-8", newline="") as file:
        writer = LogWriter(file, users=plan.audience is not None)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sending = asyncio.create_task(send_on_schedule(plan, stop, writer.write))
        while not sending.done():
            await asyncio.wait({sending}, timeout=FLUSH_S)
            writer.flush()
        stop_reading.cancel()
        sending.result()


async def _stop_reading(stop: asyncio.Event) -> None:
    """A closed stdin stays readable: look away once that was seen, or the loop spins."""
    await stop.wait()
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
