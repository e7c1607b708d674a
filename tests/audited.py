"""Run several command lines of rollbook in one process that tells whatever it starts, listens on or calls.

Run as a script: a JSON list of argument lists on standard input, a JSON list of outcomes on standard output.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

WATCHED = (
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.mkdir",
)
"""Audit events of what must not happen before a request is known to be good."""

seen: list[str] = []


def note(event: str, _arguments: tuple[object, ...]) -> None:
    """An audit hook: it lasts as long as the process."""
    if event in WATCHED:
        seen.append(event)


def outcome(arguments: list[str]) -> dict[str, object]:
    """One command line, as `rollbook` itself would run it."""
    from rollbook.cli import main

    seen.clear()
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["rollbook", *arguments]
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue(), "did": list(seen)}


if __name__ == "__main__":
    sys.addaudithook(note)
    print(json.dumps([outcome(arguments) for arguments in json.load(sys.stdin)]))
