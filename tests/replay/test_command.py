"""`rollbook replay`: what is printed, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from tests.report import runs

from rollbook.cli import app
from rollbook.errors import BadInputError, EnvironmentFailedError
from rollbook.replay import replaying
from rollbook.replay.policy import DEFAULT

SAMPLE = Path(__file__).parents[2] / "reports/sample"
BEGAN, STEP_S, READINGS = 1_790_000_000, 5, 120
HISTORY = (
    *("--stable", "stable", "--canary", "canary"),
    *("--stable-errors", "stable_errors", "--canary-errors", "canary_errors"),
    *("--from", str(BEGAN), "--to", str(BEGAN + STEP_S * (READINGS - 1)), "--step", str(STEP_S)),
)


def replay(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "rollbook"), "replay", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def counters(query: str) -> list[tuple[int, int]]:
    """Ten minutes, a reading each 5 s: 90 requests each of stable, 10 of a canary from reading 60 on.

    Of stable's one in 200 fails, of the canary's two in ten.
    """
    side, _, errors = query.partition("_")
    share = {"stable": 0.005, "canary": 0.2}[side] if errors else 1.0
    first, a_reading = (0, 90) if side == "stable" else (60, 10)
    return [
        (BEGAN + STEP_S * reading, int(share * a_reading * (reading - first)))
        for reading in range(first, READINGS)
    ]


class _Prometheus(BaseHTTPRequestHandler):
    """Answers range queries of `counters`, and refuses `bad`."""

    def do_GET(self) -> None:
        self._answer(parse_qs(urlsplit(self.path).query)["query"][0])

    def _answer(self, query: str) -> None:
        values = [] if query in {"bad", "nothing"} else [[at, str(value)] for at, value in counters(query)]
        content = json.dumps(
            {"status": "error", "error": "parse error"}
            if query == "bad"
            else {"data": {"result": [{"metric": {}, "values": values}] if values else []}}
        ).encode()
        self.send_response(400 if query == "bad" else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def prometheus() -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Prometheus)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()
    thread.join()


def test_one_run_is_told_canary_by_canary(tmp_path: Path) -> None:
    """What happened first, then each rule, and what an earlier abort had saved."""
    done = replay(runs.full_run(tmp_path).path)

    assert (0, "") == (done.returncode, done.stderr)
    rules = ["what happened", "judge", "99 % over 60 s", "peeked Fisher"]
    lines = done.stdout.splitlines()
    assert 2 * rules == [rule for line in lines for rule in rules if line.startswith(f"{rule} ")]
    assert "until it was aborted; " in done.stdout


def test_many_runs_are_a_table(tmp_path: Path) -> None:
    """One line a rule: false alarms of the good canaries, and detections of the faulty ones."""
    folders = [runs.full_run(tmp_path / name).path for name in ("one", "two")]
    done = replay(*folders, "--json")
    told = json.loads(done.stdout)
    people = replay(*folders)

    assert 0 == done.returncode, done.stderr
    assert ("runs", 2, 4) == (told["source"], told["runs"], len(told["canaries"]))
    judge = next(one for one in told["rules"] if one["rule"] == "judge")
    real = next(one for one in told["rules"] if one["rule"] == "what happened")
    assert (2, 0, 2, 2) == tuple(judge[key] for key in ("good", "false_alarms", "faulty", "detected"))
    assert judge["failed"] < real["failed"]
    assert judge["median_s"] < real["median_s"]
    assert people.stdout.startswith("4\u00a0canaries")
    assert "no threshold of its own that can be read is on record" in people.stdout


def test_a_run_that_is_given_twice_counts_once(tmp_path: Path) -> None:
    """By whatever path it is named."""
    folder = runs.full_run(tmp_path).path
    again = tmp_path / "link"
    again.symlink_to(folder)
    replayed, _ = replaying.runs([folder, again, folder], DEFAULT)

    assert ["canary", "drill"] == [one.course.phase for one in replayed]


def test_a_policy_is_replayed(tmp_path: Path) -> None:
    """Its rules, and no others."""
    file = tmp_path / "policy.yaml"
    file.write_text("every_s: 1\njudge:\n  quick: {latency_weight: 0}\n")
    told = json.loads(replay(SAMPLE, "--policy", file, "--json").stdout)
    drill = told["canaries"][1]

    assert [["what happened", "quick"]] * 2 == [
        [one["rule"] for one in canary["decisions"]] for canary in told["canaries"]
    ]
    assert ("abort", "detected") == tuple(drill["decisions"][1][key] for key in ("does", "outcome"))
    assert drill["decisions"][1]["after_s"] < drill["happened"]["after_s"]


def test_a_teams_own_history(prometheus: str) -> None:
    """Counters of any Prometheus: the canary began after five minutes, and every rule finds it."""
    done = replay("--prometheus", prometheus, *HISTORY, "--json")
    told = json.loads(done.stdout)
    [canary] = told["canaries"]
    found = {one["rule"]: one for one in canary["decisions"]}

    assert 0 == done.returncode, done.stderr
    assert ("prometheus", [], []) == (told["source"], told["rules"], told["notes"])
    assert BEGAN + 60 * STEP_S == canary["began"]
    assert (590, 118) == (canary["answers"], canary["failed"])
    assert ["judge", "99 % over 60 s", "peeked Fisher"] == list(found)
    assert {"abort"} == {one["does"] for one in found.values()}
    assert {"counters"} == {one["basis"] for one in found.values()}
    assert found["judge"]["after_s"] < found["99 % over 60 s"]["after_s"] == 60.0
    at = found["judge"]["after_s"]
    assert (2 * at, 0.4 * at) == (found["judge"]["answers"], found["judge"]["failed"])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "there is nothing to replay"),
        (("none",), "none is not the folder of a run"),
        ((str(SAMPLE), "--policy", "none.yaml"), "there is no file none.yaml"),
        ((str(SAMPLE), "--stable", "x"), "--stable needs --prometheus"),
        ((str(SAMPLE), "--prometheus", "http://127.0.0.1:1"), "--prometheus replays no runs"),
        (
            ("--prometheus", "http://127.0.0.1:1", *HISTORY[:6]),
            "--prometheus needs --canary-errors, --from, --to",
        ),
        (("--prometheus", "127.0.0.1:9090", *HISTORY), "--prometheus is no URL: '127.0.0.1:9090'"),
        (("--prometheus", "http://", *HISTORY), "--prometheus is no URL: 'http://'"),
        (("--prometheus", "http://127.0.0.1:1", *HISTORY, "--from", "soon"), "--from is no moment: 'soon'"),
        (("--prometheus", "http://127.0.0.1:1", *HISTORY, "--to", "0"), "there is no time to replay"),
        (("--prometheus", "http://127.0.0.1:1", *HISTORY, "--step", "nan"), "there is no time to replay"),
        (("--prometheus", "http://127.0.0.1:1", *HISTORY, "--step", "0.001"), "readings are too many"),
    ],
)
def test_bad_input_is_told(words: tuple[str, ...], complaint: str) -> None:
    """One error, which says what is wrong."""
    with pytest.raises(BadInputError) as caught:
        app(["replay", *words], standalone_mode=False)

    assert complaint in str(caught.value)


def test_bad_input_is_exit_code_2() -> None:
    """Without a traceback, and with nothing on standard output."""
    done = replay()

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("error: there is nothing to replay")
    assert "Traceback" not in done.stderr


def test_a_prometheus_that_refuses_or_is_not_there(prometheus: str) -> None:
    """A query that it cannot parse, one that finds nothing, and no Prometheus at all."""
    for query, complaint in (
        ("bad", "Prometheus refuses a query"),
        ("nothing", "the counters of canary show no request"),
    ):
        with pytest.raises(BadInputError, match=complaint):
            app(["replay", "--prometheus", prometheus, *HISTORY, "--canary", query], standalone_mode=False)
    with pytest.raises(EnvironmentFailedError, match="no answer from http"):
        app(["replay", "--prometheus", "http://127.0.0.1:1", *HISTORY], standalone_mode=False)


def test_hostile_texts_reach_no_terminal(tmp_path: Path) -> None:
    """A version that would colour a terminal is shown, and does nothing."""
    folder = runs.full_run(tmp_path)
    path = folder.path / "run.json"
    told = json.loads(path.read_text())
    for phase in told["phases"]:
        if "stable" in phase:
            phase["stable"]["version"] = "\u001b[31m[bold]1"
    path.write_text(json.dumps(told))
    done = replay(folder.path)

    assert 0 == done.returncode, done.stderr
    assert "\u241b[31m[bold]1" in done.stdout
    assert "\u001b" not in done.stdout


def test_moments_that_are_no_numbers_are_passed_over(tmp_path: Path) -> None:
    """A log that holds NaN as a latency is replayed without that request."""
    folder = runs.full_run(tmp_path)
    log = folder.path / "traffic/drill.csv"
    lines = log.read_text().splitlines()
    fields = lines[1].split(",")
    lines[1] = ",".join([*fields[:2], "nan", *fields[3:]])
    log.write_text("\n".join(lines) + "\n")
    done = replay(folder.path, "--json")

    assert 0 == done.returncode, done.stderr
    assert all(np.isfinite(one["known_s"]) for one in json.loads(done.stdout)["canaries"])
