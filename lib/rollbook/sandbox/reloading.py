"""Loads changed rules into a Prometheus and an Alertmanager that run."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

from rollbook.errors import BadInputError
from rollbook.sandbox.parts import Parts
from rollbook.sandbox.probing import connect
from rollbook.sandbox.rendering import render_monitoring
from rollbook.sandbox.units import Probe

RELOAD_TIMEOUT_S = 10.0


def reload_monitoring(parts: Parts, monitoring: Path) -> None:
    """Render the monitoring configuration anew and load it when it changed.

    Raises BadInputError with the server's words when it refuses; it goes on with what it had.
    """
    before = fingerprint(parts.home.config)
    render_monitoring(parts, monitoring)
    if fingerprint(parts.home.config) == before:
        return
    for name in ("prometheus", "alertmanager"):
        refused = _reload(parts.addresses.url(name))
        if refused:
            raise BadInputError(
                f"{name} refused the configuration of {monitoring}",
                why=refused,
                next_step="`promtool check rules` and `amtool check-config` say more.",
            )


def fingerprint(config: Path) -> tuple[tuple[str, bytes], ...]:
    """Names and contents of the files that Prometheus and Alertmanager read."""
    files = [config / "prometheus.yml", config / "alertmanager.yml", *sorted((config / "rules").glob("*"))]
    return tuple((file.name, file.read_bytes()) for file in files if file.is_file())


def _reload(url: str) -> str:
    """Empty when the server loaded its configuration, else what it said."""
    deadline = time.monotonic() + RELOAD_TIMEOUT_S
    while True:
        try:
            connection = connect(Probe(url), timeout_s=RELOAD_TIMEOUT_S)
            try:
                connection.request("POST", f"{urlsplit(url).path}/-/reload")
                response = connection.getresponse()
                body = response.read(2000).decode(errors="replace")
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            # It may be being restarted just now.
            if time.monotonic() >= deadline:
                return str(error)
            time.sleep(0.2)
        else:
            return "" if response.status == http.client.OK else body.strip()
