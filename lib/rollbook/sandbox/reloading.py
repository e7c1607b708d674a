"""Loads changed rules into a Prometheus and an Alertmanager that run."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

from rollbook.errors import BadInputError
from rollbook.sandbox.files import write_private
from rollbook.sandbox.parts import Parts
from rollbook.sandbox.probing import connect
from rollbook.sandbox.rendering import render_monitoring
from rollbook.sandbox.units import Probe

RELOAD_TIMEOUT_S = 10.0
SERVER_FILES = ("prometheus.yml", "alertmanager.yml")


def reload_monitoring(parts: Parts, monitoring: Path | None) -> None:
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
            _restore(parts.home.config, before)
            raise BadInputError(
                f"{name} refused the configuration of {monitoring}",
                why=refused,
                next_step="`promtool check rules` and `amtool check-config` say more.",
            )


def fingerprint(config: Path) -> tuple[tuple[str, bytes], ...]:
    """Names and contents of the files that Prometheus and Alertmanager read."""
    files = [*(config / name for name in SERVER_FILES), *sorted((config / "rules").glob("*"))]
    return tuple((file.name, file.read_bytes()) for file in files if file.is_file())


def _restore(config: Path, files: tuple[tuple[str, bytes], ...]) -> None:
    """Put files back as they were: a server that is restarted later must not read what it had refused."""
    for name, content in files:
        folder = config if name in SERVER_FILES else config / "rules"
        write_private(folder / name, content)
    kept = {name for name, _ in files}
    for rule in (config / "rules").glob("*"):
        if rule.name not in kept:
            rule.unlink()


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
