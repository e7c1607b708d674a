"""Asks whether a component is ready.

With nothing but the standard library: the supervisor lives as long as the sandbox, and imports little.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urljoin, urlsplit, urlunsplit

from rollbook.sandbox.units import Probe

PROBE_TIMEOUT_S = 2.0


def answers(probe: Probe, *, timeout_s: float = PROBE_TIMEOUT_S) -> str:
    """Empty when the probe is answered with 200, else why not."""
    try:
        connection = connect(probe, timeout_s=timeout_s)
        try:
            parts = urlsplit(probe.url)
            connection.request("GET", urlunsplit(("", "", parts.path or "/", parts.query, "")))
            response = connection.getresponse()
            body = response.read(500)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    if response.status == http.client.OK:
        return ""
    return f"HTTP {response.status} {body.decode(errors='replace').strip()[:200]}"


def unserved(apiserver: Probe, paths: Sequence[str]) -> str:
    """Empty when the API server lists what is at every path, else the first that it does not and why."""
    for path in paths:
        why = answers(replace(apiserver, url=urljoin(apiserver.url, f"{path}?limit=1")))
        if why:
            return f"{path} is not served: {why}"
    return ""


def connect(probe: Probe, *, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to the probe's server; TLS is verified against its CA."""
    parts = urlsplit(probe.url)
    host, port = str(parts.hostname), parts.port
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    context = ssl.create_default_context(cafile=probe.ca)
    if probe.cert:
        context.load_cert_chain(probe.cert, probe.key)
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
