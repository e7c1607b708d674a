"""`python -m hello`: read the environment, serve until SIGTERM, finish what is in flight, exit 0."""

from __future__ import annotations

import os
import signal
import sys

from hello.settings import Settings, SettingsError

KEEP_ALIVE_S = 120
"""Longer than the 90 s after which Traefik drops an idle connection: the side that sends requests must be
the one that closes, or it may send one into a connection that is just going away."""


def main() -> int:
    """Serve; 0 after SIGTERM or SIGINT, 2 for a bad environment; uvicorn exits with 3 if it cannot listen."""
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        print(f"hello: {error}", file=sys.stderr)
        return 2
    # Imported late, so that a bad environment is told at once.
    import uvicorn

    from hello.service import service

    config = uvicorn.Config(
        service(settings),
        host=settings.host,
        port=settings.port,
        http="h11",
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_s,
    )
    # uvicorn raises a signal once more when it is done; to end by request is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    server = uvicorn.Server(config)
    print(f"hello {settings.version} listens on {settings.host}:{settings.port}", flush=True)
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
