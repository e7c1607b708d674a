from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from tests.evidence.kept import Kept
from tests.traffic.conftest import Edge

from rollbook.domain.audience import Audience, variant_of
from rollbook.domain.traffic import Cause, TrafficPlan
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.evidence.requests import read_log
from rollbook.traffic.users import UserTraffic, UserTrafficRun


def _wait_until_gone(pid: int, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def _until(run: UserTrafficRun, count: int, seconds: float = 60.0) -> int:
    """Wait until the log has so many records; how many it has."""
    deadline = time.monotonic() + seconds
    while (found := len(run.records())) < count:
        assert time.monotonic() < deadline, f"there are {found} records of {count}"
        time.sleep(0.02)
    return found


@pytest.mark.parametrize(
    ("path", "status", "cause", "version"),
    [
        ("/ok", 200, Cause.OK, "1.0.0"),
        ("/broken", 500, Cause.APP_ERROR, "2.0.0"),
        ("/teapot", 418, Cause.CLIENT_ERROR, "1.0.0"),
        ("/no-endpoint", 503, Cause.PROXY_ERROR, ""),
        ("/no-route", 404, Cause.PROXY_ERROR, ""),
        ("/closed", 0, Cause.RESET, ""),
        ("/cut", 0, Cause.RESET, ""),
        ("/hang", 0, Cause.TIMEOUT, ""),
    ],
)
def test_probe_tells_what_became_of_a_request(
    edge: Edge, path: str, status: int, cause: Cause, version: str
) -> None:
    """Each fate of a request has its own cause."""
    record = UserTraffic().probe(edge.plan(path))
    assert (status, cause, version) == (record.status, record.cause, record.version)


def test_probe_of_an_edge_that_is_down(dead_plan: TrafficPlan) -> None:
    """A port that nobody listens on refuses the connection."""
    assert Cause.REFUSED == UserTraffic().probe(dead_plan).cause


def test_probe_names_the_host_it_is_for(edge: Edge) -> None:
    """The edge is told the host of the plan, not its own address."""
    UserTraffic().probe(edge.plan())
    assert {"hello.test"} == edge.hosts


def test_every_scheduled_request_is_in_the_log(edge: Edge, tmp_path: Path) -> None:
    """A plan of 100 a second for half a second leaves 50 records, 10 ms apart."""
    log = tmp_path / "traffic" / "canary.csv"
    with UserTraffic().start(edge.plan(rps=100), log) as run:
        _until(run, 50)
        records = run.stop()
    assert 50 == len(records)
    gaps = {round(b.scheduled_s - a.scheduled_s, 4) for a, b in pairwise(records)}
    assert {0.01} == gaps
    assert {Cause.OK} == {record.cause for record in records}
    assert records == read_log(log)
    assert all(0 <= record.sent_s - record.scheduled_s <= record.latency_s for record in records)


def test_each_request_has_an_id_of_its_own(edge: Edge, tmp_path: Path) -> None:
    """What the edge got in the header is what the log keeps, short, and no two users share an id."""
    for number in range(2):
        with UserTraffic().start(edge.plan("/ok", "/broken"), tmp_path / f"log-{number}.csv") as run:
            run.stop()
    kept = [record.request_id for number in range(2) for record in read_log(tmp_path / f"log-{number}.csv")]
    assert sorted(edge.ids) == sorted(kept)
    assert len(set(kept)) == len(kept)
    assert max(map(len, kept)) <= 16


def test_requests_go_out_while_earlier_ones_hang(edge: Edge, tmp_path: Path) -> None:
    """A service that does not answer does not slow the users down: open model."""
    with UserTraffic().start(edge.plan("/hang", rps=40), tmp_path / "log.csv") as run:
        _until(run, 20)
        records = run.stop()
    assert 20 == len(records)
    assert {Cause.TIMEOUT} == {record.cause for record in records}


def test_paths_take_turns(edge: Edge, tmp_path: Path) -> None:
    """Requests go to the plan's paths one after the other."""
    with UserTraffic().start(edge.plan("/ok", "/broken"), tmp_path / "log.csv") as run:
        _until(run, 25)
        records = run.stop()
    assert ["1.0.0", "2.0.0"] * 12 == [record.version for record in records][:24]


def test_a_break_of_a_kept_alive_connection_is_counted(edge: Edge, tmp_path: Path) -> None:
    """A request that meets the end of its connection is a reset, and is not sent again in secret."""
    plan = edge.plan("/second-breaks", rps=20)
    with UserTraffic().start(plan, tmp_path / "log.csv") as run:
        _until(run, 10)
        records = run.stop()
    assert [Cause.OK, Cause.RESET] * 5 == [record.cause for record in records]


def test_records_grow_while_traffic_runs(edge: Edge, tmp_path: Path) -> None:
    """What has ended can be seen at once, and a stop ends the sending early."""
    with UserTraffic().start(edge.plan(duration_s=60), tmp_path / "log.csv") as run:
        early = _until(run, 1)
        _until(run, early + 1)
        later = len(run.stop())
    assert early < later < 50 * 60


def test_the_end_of_the_context_stops_the_sending(edge: Edge, tmp_path: Path) -> None:
    """An error in the block leaves no worker behind."""
    with (
        pytest.raises(RuntimeError, match="of the block"),
        UserTraffic().start(edge.plan(duration_s=60), tmp_path / "log.csv") as run,
    ):
        raise RuntimeError("of the block")
    assert not psutil.pid_exists(run.pid)


def test_an_interrupt_does_not_reach_the_worker(edge: Edge, tmp_path: Path) -> None:
    """SIGINT is for the parent: the worker sends on."""
    with UserTraffic().start(edge.plan(duration_s=60), tmp_path / "log.csv") as run:
        os.kill(run.pid, signal.SIGINT)
        before = len(run.records())
        # Some might still have been under way when it came: so many were not.
        _until(run, before + 20)


def test_a_worker_that_dies_is_an_error(edge: Edge, tmp_path: Path) -> None:
    """Records of a worker that was killed are not passed off as complete."""
    with UserTraffic().start(edge.plan(duration_s=60), tmp_path / "log.csv") as run:
        os.kill(run.pid, signal.SIGKILL)
        assert _wait_until_gone(run.pid)
        with pytest.raises(EnvironmentFailedError, match="sends user traffic died"):
            run.stop()


def test_a_worker_that_cannot_write_says_so(edge: Edge, tmp_path: Path) -> None:
    """A log that is a folder fails the start, with the system's reason."""
    with (
        pytest.raises(EnvironmentFailedError, match="Is a directory"),
        UserTraffic().start(edge.plan(), tmp_path),
    ):
        pass


def test_a_full_disk_is_told(edge: Edge) -> None:
    """A log that takes nothing ends the traffic with the system's reason."""
    with (
        pytest.raises(EnvironmentFailedError, match="No space left"),
        UserTraffic().start(edge.plan(), Path("/dev/full")),
    ):
        pass


def test_the_worker_ends_when_its_parent_is_killed(edge: Edge, tmp_path: Path) -> None:
    """A parent that dies without a word takes the traffic with it."""
    parent = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from rollbook.domain.traffic import TrafficPlan
        from rollbook.traffic.users import UserTraffic, UserTrafficRun
        with UserTraffic().start({edge.plan(duration_s=60)!r}, Path({str(tmp_path / "log.csv")!r})) as run:
            print(run.pid, flush=True)
            time.sleep(60)
        """
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait()
        assert _wait_until_gone(pid)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://127.0.0.1"},
        {"url": "127.0.0.1:80"},
        {"rps": 0.0},
        {"rps": 5000.0},
        {"duration_s": 0.0},
        {"timeout_s": -1.0},
        {"paths": ()},
        {"paths": ("ok",)},
        {"host": "a b"},
    ],
)
def test_plans_that_cannot_be_sent_are_refused(
    edge: Edge, tmp_path: Path, changes: dict[str, object]
) -> None:
    """A bad plan is refused before anything is started."""
    plan = replace(edge.plan(), **changes)  # type: ignore[arg-type]  # one field each, of its own type
    with pytest.raises(BadInputError), UserTraffic().start(plan, tmp_path / "log.csv"):
        pass
    assert not (tmp_path / "log.csv").exists()


def test_a_probe_is_kept(edge: Edge) -> None:
    """Each good one, with the version and the pod that answered; failed ones that are alike once."""
    kept = Kept()
    record = UserTraffic(kept).probe(edge.plan("/ok"))

    ((call, parameters, status, answer),) = kept.all
    assert ("GET /ok", "200") == (call, status)
    assert (record.version, record.pod, "ok") == (answer["version"], answer["pod"], answer["cause"])
    assert {"url", "host"} == set(parameters)
    UserTraffic(kept).probe(edge.plan("/broken"))
    assert [True, False] == kept.always
    assert {"version", "pod", "cause"} == set(kept.all[1][3])


def test_named_users_come_back_with_the_variant_that_they_had(edge: Edge, tmp_path: Path) -> None:
    """What the edge saw of users and variants is what the log says, with the outcome of each answer."""
    audience = Audience("u7", "X-User-Id", "X-Variant", "X-App-Converted")
    plan = replace(edge.plan("/converted", rps=100), audience=audience)
    with UserTraffic().start(plan, tmp_path / "log.csv") as run:
        _until(run, 20)
        records = run.stop()

    assert sorted(edge.users) == sorted((one.user, one.variant) for one in records)
    assert [True] * len(records) == [one.converted for one in records]
    assert len({one.user for one in records}) < len(records)
    assert {(one.user, variant_of(one.user)) for one in records} == {
        (one.user, one.variant) for one in records
    }


def test_a_probe_sends_the_headers_that_it_is_given(edge: Edge) -> None:
    """Headers of the plan go along, and the record of the probe names them."""
    kept = Kept()
    plan = replace(edge.plan("/ok"), headers=(("X-User-Id", "u-1"), ("X-Variant", "b")))

    UserTraffic(kept).probe(plan)

    assert [("u-1", "b")] == edge.users
    assert [{"X-User-Id": "u-1", "X-Variant": "b"}] == [asked["headers"] for _, asked, *_ in kept.all]
