"""The environment of the service as one validated value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


class SettingsError(ValueError):
    """An environment variable that cannot be accepted; the message names all of them."""


@dataclass(frozen=True)
class Faults:
    """What is wrong with the service on purpose. All of it is off by default."""

    error_share: float = 0.0
    """Share (0..1) of requests to `/` that are answered with 500."""
    latency_s: float = 0.0
    """Seconds added to requests to `/`."""
    latency_share: float = 1.0
    """Share (0..1) of requests to `/` that `latency_s` is added to."""
    crash_after_s: float = 0.0
    """Seconds after the start until the process dies at once; 0: never."""
    leak_mib_per_s: float = 0.0
    """MiB of memory that are allocated each second and never given back."""
    never_ready: bool = False
    """Whether `/readyz` answers 503 for ever."""
    no_metrics: bool = False
    """Whether `/metrics` answers 503 for ever."""
    overload_rps: float = 0.0
    """Requests to `/` in one second above which the rest of them are answered with 503; 0: no limit."""


@dataclass(frozen=True)
class Settings:
    """Everything that the environment decides."""

    host: str = "127.0.0.1"
    port: int = 8080
    version: str = "0.0.0"
    pod: str = "none"
    greeting: str = "Hello, world"
    has_token: bool = False
    """Whether a token was given. Its value is kept nowhere."""
    access_log: bool = False
    shutdown_s: int = 20
    """Seconds that requests in flight have to finish after SIGTERM."""
    faults: Faults = field(default_factory=Faults)
    conversion_rate: float = 0.0
    """Share (0..1) of the users with an id who convert: it stands in for what a version does to people."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read the environment. SettingsError names every variable that is wrong, and what it may be."""
        reader = _Reader(environment)
        settings = cls(
            host=reader.get("HOST", cls.host, _text),
            port=reader.get("PORT", cls.port, _port),
            version=reader.get("APP_VERSION", cls.version, _header),
            pod=reader.get("APP_POD", cls.pod, _header),
            greeting=reader.get("GREETING", cls.greeting, _text),
            has_token=bool(environment.get("HELLO_TOKEN")),
            access_log=reader.get("ACCESS_LOG", cls.access_log, _switch),
            conversion_rate=reader.get("CONVERSION_RATE", cls.conversion_rate, _share),
            shutdown_s=reader.get("SHUTDOWN_SECONDS", cls.shutdown_s, _seconds),
            faults=Faults(
                error_share=reader.get("FAULT_ERROR_SHARE", Faults.error_share, _share),
                latency_s=reader.get("FAULT_LATENCY_SECONDS", Faults.latency_s, _amount),
                latency_share=reader.get("FAULT_LATENCY_SHARE", Faults.latency_share, _share),
                crash_after_s=reader.get("FAULT_CRASH_AFTER_SECONDS", Faults.crash_after_s, _amount),
                leak_mib_per_s=reader.get("FAULT_LEAK_MIB_PER_SECOND", Faults.leak_mib_per_s, _amount),
                never_ready=reader.get("FAULT_NEVER_READY", Faults.never_ready, _switch),
                no_metrics=reader.get("FAULT_NO_METRICS", Faults.no_metrics, _switch),
                overload_rps=reader.get("FAULT_OVERLOAD_RPS", Faults.overload_rps, _amount),
            ),
        )
        known = {name for name in environment if name.startswith("FAULT_")} - reader.asked
        reader.problems += [f"{name} is not a fault that this service knows" for name in sorted(known)]
        if reader.problems:
            raise SettingsError("; ".join(reader.problems))
        return settings


class _Reader:
    """Reads variables and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []
        self.asked: set[str] = set()

    def get(self, name: str, default: T, parse: Callable[[str], T]) -> T:
        """A variable's value, or the default when it is not set or empty."""
        self.asked.add(name)
        text = self._environment.get(name, "")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            self.problems.append(f"{name}={text!r}: {error}")
            return default


def _text(text: str) -> str:
    return text


def _header(text: str) -> str:
    if not (text.isascii() and text.isprintable() and text == text.strip()):
        raise ValueError("must be printable ASCII without blanks around it, since it goes into a header")
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ValueError("must be a port, 1 to 65535")
    return int(text)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 3600):
        raise ValueError("must be whole seconds, 1 to 3600")
    return int(text)


def _number(text: str, most: float, meaning: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:
        raise ValueError(f"must be {meaning}")
    return number


def _share(text: str) -> float:
    return _number(text, 1, "a share, 0 to 1")


def _amount(text: str) -> float:
    return _number(text, 86400, "a number, 0 to 86400")


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise ValueError("must be true or false")
    return text.lower() in {"true", "1"}
