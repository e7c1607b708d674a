"""AWS that throttles: a reverse proxy before the emulator, which refuses as many calls as it is told to."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.proxy import Call, Reply, proxy_before

JSON = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
XML = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
    b"<Message>Rate exceeded</Message></Error><RequestId>0</RequestId></ErrorResponse>"
)
FOR_EVER = math.inf


class Throttle:
    """How many of the next calls are refused, and how many were."""

    def __init__(self) -> None:
        self.url = ""
        self.refused = 0
        self._left = 0.0
        self._lock = threading.Lock()

    def refuse(self, calls: float) -> None:
        """Refuse the next `calls` calls."""
        with self._lock:
            self._left = calls

    def refuses(self) -> bool:
        """Whether this call is refused."""
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
            self.refused += 1
            return True


@contextmanager
def throttle_before(url: str) -> Iterator[Throttle]:
    """A proxy on a free port of loopback that passes everything on to `url` until it is told to refuse."""
    throttle = Throttle()

    def meet(call: Call) -> Reply | None:
        if not throttle.refuses():
            return None
        form = "x-www-form-urlencoded" in call.header("Content-Type", "")
        kind = "text/xml" if form else "application/x-amz-json-1.1"
        return Reply(400, {"Content-Type": kind}, XML if form else JSON)

    with proxy_before(url, meet) as throttle.url:
        yield throttle
