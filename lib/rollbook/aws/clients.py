"""Clients of AWS' services, all made alike: retries, timeouts, records, and where they are sent."""

from __future__ import annotations

import ipaddress
import os
import threading
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from rollbook.aws.recording import Recording
from rollbook.aws.translation import translated
from rollbook.evidence.answers import Records

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 5
EMULATED_REGION = "eu-central-1"
EMULATED_KEY = "emulated"
"""Stands for both halves of the credentials: the emulator accepts any, and no real ones must reach it."""


class Clients:
    """Makes each client once. Throttled and broken requests are repeated by the SDK's standard mode.

    `records` keeps what AWS answers. `endpoint_url` is where every client is sent instead of AWS' own
    endpoints. May be used by several threads.
    """

    def __init__(
        self,
        session: boto3.session.Session,
        *,
        endpoint_url: str | None = None,
        emulated: bool = False,
        records: Records | None = None,
    ) -> None:
        Recording(records, endpoint_url).on(session.events)
        self.session = session
        self.endpoint_url = endpoint_url
        self.emulated = emulated
        self._made: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def real(
        cls, *, region: str | None = None, profile: str | None = None, records: Records | None = None
    ) -> Clients:
        """AWS with the credentials of the environment. BadInputError when the profile does not exist."""
        with translated("use the AWS configuration"):
            return cls(boto3.session.Session(region_name=region, profile_name=profile), records=records)

    @classmethod
    def emulating(
        cls, endpoint_url: str, *, region: str = EMULATED_REGION, records: Records | None = None
    ) -> Clients:
        """An emulator behind `endpoint_url`; profile, configuration and keys of the user do not apply."""
        nowhere = (None, None, os.devnull, None)
        own = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": nowhere,
                "credentials_file": nowhere,
            }
        )
        session = boto3.session.Session(
            botocore_session=own,
            region_name=region,
            aws_access_key_id=EMULATED_KEY,
            aws_secret_access_key=EMULATED_KEY,
        )
        return cls(session, endpoint_url=endpoint_url, emulated=True, records=records)

    @property
    def region(self) -> str:
        """Region of the session; empty when none is set."""
        return self.session.region_name or ""

    def of(self, service: str) -> Any:
        """The client of a service by boto3's name for it (`ecr`, `elbv2`).

        BadInputError when no region is set, EnvironmentFailedError for a configuration that cannot be used.
        """
        with self._lock:
            if service not in self._made:
                with translated(f"reach AWS {service}"):
                    self._made[service] = self.session.client(  # type: ignore[call-overload]  # any service
                        service, endpoint_url=self.endpoint_url, config=self._config()
                    )
            return self._made[service]

    def _config(self) -> Config:
        return Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent_extra="rollbook",
            # A proxy of the environment cannot reach this machine's loopback.
            proxies={} if _is_loopback(self.endpoint_url) else None,
        )


def _is_loopback(url: str | None) -> bool:
    host = urlsplit(url or "").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
