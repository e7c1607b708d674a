"""What probes and lifecycle hooks do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from rollbook.errors import BadInputError
from rollbook.sandbox.agent.paths import HostPaths
from rollbook.sandbox.agent.podspec import Action, ExecAction, HttpAction, SleepAction, TcpAction
from rollbook.sandbox.agent.processes import run_command

_USER_AGENT = "kube-probe/rollbook-agent"


@dataclass(frozen=True)
class Surroundings:
    """Where a container's actions take place."""

    pod_ip: str
    ports: Mapping[str, int]
    paths: HostPaths
    env: Mapping[str, str]
    cwd: Path


@dataclass(frozen=True)
class Outcome:
    """Whether an action succeeded, and what there is to say about it."""

    ok: bool
    detail: str = ""


async def perform(action: Action, here: Surroundings, timeout_s: float | None) -> Outcome:
    """Do it; whatever goes wrong is an outcome, never an exception. No `timeout_s` waits for ever."""
    try:
        async with asyncio.timeout(timeout_s):
            match action:
                case HttpAction():
                    return await _http(action, here)
                case TcpAction(port, host):
                    _, writer = await asyncio.open_connection(host or here.pod_ip, _port(port, here))
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
                    return Outcome(ok=True)
                case ExecAction(words):
                    command = here.paths.command(words, here.env.get("PATH", ""))
                    code, output = await run_command(command, env=here.env, cwd=here.cwd, timeout_s=timeout_s)
                    return Outcome(code == 0, output.strip() or f"exit code {code}")
                case SleepAction(seconds):
                    await asyncio.sleep(seconds)
                    return Outcome(ok=True)
    except TimeoutError:
        return Outcome(ok=False, detail=f"timed out after {timeout_s:g} s")
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or str(error.os_error)
        return Outcome(ok=False, detail=f"cannot connect to {error.host}:{error.port}: {reason}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Outcome(ok=False, detail=str(error) or type(error).__name__)
    except BadInputError as error:
        return Outcome(ok=False, detail=str(error))


async def _http(action: HttpAction, here: Surroundings) -> Outcome:
    url = f"{action.scheme.lower()}://{action.host or here.pod_ip}:{_port(action.port, here)}{action.path}"
    headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Connection": "close", **dict(action.headers)}
    # As with the kubelet, a probe asks whether a container answers, not who it is: certificates are not read.
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False, force_close=True)) as session,
        session.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        body = await answer.content.read(1024)
        if 200 <= answer.status < 400:
            return Outcome(ok=True)
        detail = f"HTTP probe failed with statuscode: {answer.status}"
        return Outcome(ok=False, detail=f"{detail}: {body.decode(errors='replace').strip()}".rstrip(": "))


def _port(port: int | str, here: Surroundings) -> int:
    if isinstance(port, int):
        return port
    if port in here.ports:
        return here.ports[port]
    raise BadInputError(f"the container has no port named {port!r}")
