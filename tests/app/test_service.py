"""The service as its users, the cluster and Prometheus see it."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time

import httpx
import pytest


def _series(text: str) -> dict[str, float]:
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("hello_")
    }


def test_hello_is_said_with_version_and_pod(start) -> None:
    """The answer and its headers tell who answered; of a token only that it is there."""
    response = start(GREETING="Hi", HELLO_TOKEN="s3cret").get()
    assert (200, "9.8.7", "pod-1") == (
        response.status_code,
        response.headers["x-app-version"],
        response.headers["x-app-pod"],
    )
    assert {"message": "Hi", "version": "9.8.7", "pod": "pod-1", "token": "present"} == response.json()


@pytest.mark.parametrize(("path", "code"), [("/healthz", 200), ("/readyz", 200), ("/none", 404), ("/", 500)])
def test_every_answer_carries_version_and_pod(start, path: str, code: int) -> None:
    """Errors too say who answered, so that nobody blames the edge for them."""
    response = start(FAULT_ERROR_SHARE="1").get(path)
    assert (code, "9.8.7", "pod-1") == (
        response.status_code,
        response.headers["x-app-version"],
        response.headers["x-app-pod"],
    )


def test_metrics_count_users_and_not_the_cluster(start) -> None:
    """Probes and scrapes are no requests of users; unknown paths share one series."""
    service = start(FAULT_ERROR_SHARE="0.25")
    for _ in range(8):
        service.get()
    for path in ("/healthz", "/readyz", "/a", "/b"):
        service.get(path)
    series = _series(service.get("/metrics").text)
    assert {
        'hello_http_requests_total{code="200",method="GET",path="/"}': 6.0,
        'hello_http_requests_total{code="500",method="GET",path="/"}': 2.0,
        'hello_http_requests_total{code="404",method="GET",path="other"}': 2.0,
    } == {name: value for name, value in series.items() if "requests_total" in name}
    assert 10.0 == series["hello_http_request_duration_seconds_count"]
    assert 1.0 == series['hello_build_info{version="9.8.7"}']


def test_series_begin_at_zero(start) -> None:
    """Before the first request there are series at zero, so that a rate sees the first failure."""
    series = _series(start().get("/metrics").text)
    assert 0.0 == series['hello_http_requests_total{code="500",method="GET",path="/"}']
    edges = [float(edge) for edge in re.findall(r'le="([\d.]+)"', " ".join(series))]
    assert (0.005, 5.0) == (min(edges), max(edges))


def test_added_latency_reaches_the_share_that_it_should(start) -> None:
    """Half of the requests take the added time, the other half do not."""
    service = start(FAULT_LATENCY_SECONDS="0.3", FAULT_LATENCY_SHARE="0.5")
    slow = [service.get().elapsed.total_seconds() >= 0.3 for _ in range(4)]
    assert [False, True, False, True] == slow


def test_a_service_that_is_never_ready_is_alive(start) -> None:
    """Readiness fails for ever and liveness does not."""
    service = start(FAULT_NEVER_READY="true")
    assert (503, 200) == (service.get("/readyz").status_code, service.get("/healthz").status_code)


def test_a_crash_comes_when_it_is_due(start) -> None:
    """The process dies by itself with an exit code of its own, and says why."""
    process = start(FAULT_CRASH_AFTER_SECONDS="0.5").process
    _, errors = process.communicate(timeout=20)
    assert 70 == process.returncode
    assert "crash after 0.5 s" in errors


def test_a_leak_grows(start) -> None:
    """Resident memory rises by about as much as it should."""
    service = start(FAULT_LEAK_MIB_PER_SECOND="40")

    def resident() -> float:
        found = re.search(
            r"^process_resident_memory_bytes (\S+)$", service.get("/metrics").text, re.MULTILINE
        )
        assert found is not None
        return float(found[1])

    before = resident()
    time.sleep(1)
    assert resident() - before > 10 * 2**20


def test_what_is_in_flight_is_finished_after_sigterm(start) -> None:
    """A slow answer asked for before SIGTERM arrives, new connections are refused, the exit code is 0."""
    service = start(FAULT_LATENCY_SECONDS="1")
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(service.get()))
    asking.start()
    time.sleep(0.4)
    service.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    with pytest.raises(httpx.ConnectError):
        service.get("/healthz")
    asking.join()
    assert [200] == [answer.status_code for answer in answers]
    assert 0 == service.process.wait(timeout=20)


def test_shutdown_does_not_wait_for_ever(start) -> None:
    """An answer that takes longer than the time allowed does not keep the process."""
    service = start(FAULT_LATENCY_SECONDS="60", SHUTDOWN_SECONDS="1")
    with socket.create_connection(httpx.URL(service.url).netloc.decode().split(":")) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        assert 0 == service.process.wait(timeout=20)


def test_a_connection_is_kept_between_requests(start) -> None:
    """The edge may send many requests over one connection."""
    service = start()
    with httpx.Client() as client:
        ports = set()
        for _ in range(3):
            response = client.get(service.url)
            ports.add(response.extensions["network_stream"].get_extra_info("client_addr")[1])
    assert 1 == len(ports)


def test_a_bad_environment_ends_with_one_line(start) -> None:
    """A value that cannot be accepted ends the process with exit code 2 and no traceback."""
    process = start(wait=False, FAULT_ERROR_SHARE="20").process
    output, errors = process.communicate(timeout=20)
    assert (2, "") == (process.returncode, output)
    assert "hello: FAULT_ERROR_SHARE='20': must be a share, 0 to 1\n" == errors


def test_a_taken_port_is_told(start) -> None:
    """A second service on the same port ends, and says that the address is in use."""
    first = start()
    process = start(wait=False, PORT=str(httpx.URL(first.url).port)).process
    _, errors = process.communicate(timeout=20)
    assert 3 == process.returncode
    assert "address already in use" in errors


def test_the_access_log_is_one_json_object_a_request(start) -> None:
    """When it is switched on, each request of a user is one line with its id, given or made."""
    service = start(ACCESS_LOG="true")
    service.get(**{"X-Request-Id": "abc"})
    service.get("/gone")
    service.get("/healthz")
    service.process.send_signal(signal.SIGTERM)
    output, _ = service.process.communicate(timeout=20)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [("abc", "/", 200), ("/gone", 404)] == [
        (lines[0]["request_id"], lines[0]["path"], lines[0]["code"]),
        (lines[1]["path"], lines[1]["code"]),
    ]
    assert 32 == len(lines[1]["request_id"])
