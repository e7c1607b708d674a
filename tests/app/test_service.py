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

from hello.faults import Load


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


def test_metrics_that_cannot_be_read_hurt_no_user(start) -> None:
    """Prometheus is refused for ever, and users are answered."""
    service = start(FAULT_NO_METRICS="true")
    assert (503, 200) == (service.get("/metrics").status_code, service.get().status_code)


def test_only_what_is_above_the_limit_of_a_second_is_refused() -> None:
    """Under load the rest of each second's calls is too many, and the next second begins anew."""
    load = Load(2)
    found = [load.too_many(now) for now in (7.0, 7.1, 7.2, 7.9, 8.0, 8.5, 8.6)]
    assert [False, False, True, True, False, False, True] == found


def test_a_limit_of_requests_reaches_users(start) -> None:
    """More requests than the limit in one second are answered with 503, by the service itself."""
    service = start(FAULT_OVERLOAD_RPS="1")
    deadline = time.monotonic() + 60
    while (answer := service.get()).status_code == 200:
        assert time.monotonic() < deadline
    assert (503, True) == (answer.status_code, "X-App-Version" in answer.headers)


def test_a_crash_comes_when_it_is_due(start) -> None:
    """The process dies by itself with an exit code of its own, and says why."""
    process = start(FAULT_CRASH_AFTER_SECONDS="0.5").process
    _, errors = process.communicate(timeout=90)
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
    deadline = time.monotonic() + 60
    while resident() - before <= 10 * 2**20:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _wait_until_refused(service) -> None:
    """Wait until new connections are refused."""
    deadline = time.monotonic() + 60
    while True:
        try:
            service.get("/healthz")
        except httpx.ConnectError:
            return
        assert time.monotonic() < deadline, "new connections are still accepted"


def test_what_is_in_flight_is_finished_after_sigterm(start) -> None:
    """A slow answer asked for before SIGTERM arrives, new connections are refused, the exit code is 0."""
    service = start(FAULT_LATENCY_SECONDS="2")
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(service.get()))
    asking.start()
    time.sleep(1)
    service.process.send_signal(signal.SIGTERM)
    _wait_until_refused(service)
    asking.join()
    assert [200] == [answer.status_code for answer in answers]
    assert 0 == service.process.wait(timeout=90)


def test_shutdown_does_not_wait_for_ever(start) -> None:
    """An answer that takes longer than the time allowed does not keep the process."""
    service = start(FAULT_LATENCY_SECONDS="60", SHUTDOWN_SECONDS="1")
    with socket.create_connection(httpx.URL(service.url).netloc.decode().split(":")) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        service.process.send_signal(signal.SIGTERM)
        assert 0 == service.process.wait(timeout=90)


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
    output, errors = process.communicate(timeout=90)
    assert (2, "") == (process.returncode, output)
    assert "hello: FAULT_ERROR_SHARE='20': must be a share, 0 to 1\n" == errors


def test_a_taken_port_is_told(start) -> None:
    """A second service on the same port ends, and says that the address is in use."""
    first = start()
    process = start(wait=False, PORT=str(httpx.URL(first.url).port)).process
    _, errors = process.communicate(timeout=90)
    assert 3 == process.returncode
    assert "address already in use" in errors


def test_the_access_log_is_one_json_object_a_request(start) -> None:
    """When it is switched on, each request of a user is one line with its id, given or made."""
    service = start(ACCESS_LOG="true")
    service.get(**{"X-Request-Id": "abc"})
    made = service.get("/gone").headers["x-request-id"]
    service.get("/healthz")
    lines = _logged(service)
    assert [
        ("abc", "/", 200, "9.8.7", "pod-1"),
        (made, "/gone", 404, "9.8.7", "pod-1"),
    ] == [tuple(line[key] for key in ("request_id", "path", "code", "version", "pod")) for line in lines]
    assert 32 == len(made)


def test_failures_and_slow_answers_are_logged_without_being_asked(start) -> None:
    """Their lines say why; what went well is not logged."""
    service = start(FAULT_ERROR_SHARE="0.5", FAULT_LATENCY_SECONDS="0.4", FAULT_LATENCY_SHARE="0.25")
    for number in range(5):
        service.get(**{"X-Request-Id": f"n-{number}"})
    assert [
        ("n-1", 500, "error", "fault injected"),
        ("n-3", 500, "error", "fault injected"),
    ] == [
        (line["request_id"], line["code"], line["level"], line.get("error"))
        for line in _logged(service)
        if line["level"] == "error"
    ]


def test_a_slow_answer_is_logged_as_a_warning(start) -> None:
    """It took longer than the objective, and its line says how long."""
    service = start(FAULT_LATENCY_SECONDS="0.4")
    service.get(**{"X-Request-Id": "slow"})
    lines = _logged(service)
    assert [("slow", 200, "warning")] == [(one["request_id"], one["code"], one["level"]) for one in lines]
    assert lines[0]["seconds"] >= 0.4


def test_an_id_that_cannot_be_used_is_replaced(start) -> None:
    """What a log line or an exemplar cannot hold does not come back."""
    url = start().url
    for given in ("", "a b", "x" * 65, "caf\u00e9", '"}'):
        headers = {"X-Request-Id": given.encode("latin-1")}
        answered = httpx.get(url, headers=headers, timeout=10).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", answered), given


def test_exemplars_carry_the_request_s_id(start) -> None:
    """OpenMetrics has the id beside durations and failures; the names are those of the text."""
    service = start(FAULT_ERROR_SHARE="0.5")
    service.get(**{"X-Request-Id": "good-1"})
    service.get(**{"X-Request-Id": "bad-2"})
    plain = service.get("/metrics")
    asked = service.get("/metrics", Accept="application/openmetrics-text;version=1.0.0")
    assert asked.headers["content-type"].startswith("application/openmetrics-text")
    failures = re.search(r'^hello_http_requests_total\{code="500".* # (\{.*?\})', asked.text, re.MULTILINE)
    assert failures is not None
    assert '{request_id="bad-2"}' == failures[1]
    assert re.search(r'_bucket\{le="[\d.]+"\} [\d.]+ # \{request_id="bad-2"\}', asked.text)
    assert "request_id" not in plain.text
    without_exemplars = re.sub(r" # \{.*", "", asked.text)
    assert set(_series(plain.text)) == set(_series(without_exemplars))
    assert "_created" not in asked.text


def _logged(service) -> list[dict[str, object]]:
    """The lines of a service's log, once it has ended."""
    service.process.send_signal(signal.SIGTERM)
    output, _ = service.process.communicate(timeout=90)
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def test_a_user_converts_at_the_rate_of_the_version_and_always_or_never(start) -> None:
    """Of 400 users about three in ten convert, the same ones at the next visit; each visit is counted."""
    service = start(CONVERSION_RATE="0.3")
    with httpx.Client(base_url=service.url) as client:

        def outcome(number: int) -> str:
            return client.get("/", headers={"X-User-Id": f"u-{number}"}).headers["x-app-converted"]

        first = [outcome(number) for number in range(400)]
        again = [outcome(number) for number in range(400)]
        unnamed = client.get("/")
        series = _series(client.get("/metrics").text)

    assert first == again
    assert 80 <= first.count("1") <= 160
    assert first.count("1") * 2 == series["hello_conversions_total"]
    assert "x-app-converted" not in unnamed.headers
