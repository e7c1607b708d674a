"""What is kept of the logs of pods that come and go while users are on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.phases.fakes import CANARY_HASH, STABLE_HASH, START, Stage, answer, stage

from rollbook.domain.exemplars import Exemplar
from rollbook.domain.rollout import PodStatus
from rollbook.domain.traffic import Cause, RequestRecord
from rollbook.phases.logs import LOOK_EVERY_S, PodLog, PodLogs, looked_up

BAD = replace(answer(5, "1.1.0", Cause.APP_ERROR), request_id="ab-5", pod="canary-1")
GOOD = replace(answer(6), request_id="ab-6", pod="stable-1")


def pod(name: str) -> PodStatus:
    """A pod that runs."""
    return PodStatus(name, "", "Running", True, "", "", "", "", 0, False)


def scene(tmp_path: Path, **logs: str) -> Stage:
    """A stable pod and a canary's, with these logs."""
    found = stage(tmp_path)
    found.cluster.pods_by_selector = {
        f"rollouts-pod-template-hash={STABLE_HASH}": (pod("stable-1"),),
        f"rollouts-pod-template-hash={CANARY_HASH}": (pod("canary-1"),),
    }
    found.cluster.logs = {name.replace("_", "-"): text for name, text in logs.items()}
    return found


def kept(found: Stage, logs: PodLogs, records: Sequence[RequestRecord]) -> dict[str, Any]:
    """What was written down of these requests."""
    end = START + timedelta(seconds=60)
    logs.keep(records, STABLE_HASH, CANARY_HASH, start=START, end=end)
    text = (found.ctx.folder.path / "logs" / "canary" / "requests.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_the_line_of_a_failed_request_is_found(tmp_path: Path) -> None:
    """By its id, in the log of its pod, whatever else is logged."""
    found = scene(tmp_path, stable_1="hello\nid=ab-6 ok\n", canary_1='{"request_id": "ab-5"}\n')
    told = kept(found, PodLogs(found.ctx), [BAD, GOOD])
    assert [
        {"request_id": "ab-6", "pod": "stable-1", "line": "id=ab-6 ok"},
        {"request_id": "ab-5", "pod": "canary-1", "line": '{"request_id": "ab-5"}'},
    ] == told["lines"]
    assert 'request_id": "ab-5"' in (tmp_path / "run" / "logs" / "canary" / "canary-1.log").read_text()


def test_a_pod_that_is_gone_is_still_quoted(tmp_path: Path) -> None:
    """Its log was read while it lived."""
    found = scene(tmp_path, canary_1="ab-5 failed\n")
    logs = PodLogs(found.ctx)
    logs.look(STABLE_HASH, CANARY_HASH)
    found.cluster.pods_by_selector.clear()
    assert ["ab-5"] == [one["request_id"] for one in kept(found, logs, [BAD])["lines"]]


def test_the_last_words_of_a_container_that_crashed_are_kept(tmp_path: Path) -> None:
    """What it logged after the last look is read when another container runs in its pod, once."""
    found = scene(tmp_path, canary_1="one\n")
    logs = PodLogs(found.ctx)
    logs.look(CANARY_HASH)
    selector = f"rollouts-pod-template-hash={CANARY_HASH}"
    found.cluster.pods_by_selector[selector] = (replace(pod("canary-1"), restarts=1),)
    found.cluster.earlier_logs["canary-1"] = "one\nab-5 was the last\n"
    found.cluster.logs["canary-1"] = "two\n"
    found.clock.sleep(LOOK_EVERY_S)
    logs.look(CANARY_HASH)

    told = kept(found, logs, [BAD])
    assert ["ab-5 was the last"] == [one["line"] for one in told["lines"]]
    log = (tmp_path / "run" / "logs" / "canary" / "canary-1.log").read_text()
    assert "one\nab-5 was the last\ntwo\n" == log


def test_looks_keep_their_distance(tmp_path: Path) -> None:
    """What was logged since the last look is read when the next one is due, and not before."""
    for waited_s, lines in ((LOOK_EVERY_S / 2, []), (LOOK_EVERY_S, ["ab-5"])):
        found = scene(tmp_path / str(waited_s), canary_1="one\n")
        logs = PodLogs(found.ctx)
        logs.look(CANARY_HASH)
        found.cluster.logs["canary-1"] = "one\nab-5\n"
        found.clock.sleep(waited_s)
        logs.look(CANARY_HASH)
        found.cluster.pods_by_selector.clear()
        assert lines == [one["request_id"] for one in kept(found, logs, [BAD])["lines"]]


def test_a_long_log_is_cut_and_says_so(tmp_path: Path) -> None:
    """So many lines of a pod are kept, the last ones."""
    found = scene(tmp_path, canary_1="".join(f"line {number}\n" for number in range(50)))
    told = kept(found, PodLogs(found.ctx, lines_a_pod=10), [BAD])
    assert [{"pod": "canary-1", "lines": 10, "cut": True}] == told["pods"]
    assert 10 == told["lines_a_pod"]


def test_a_cluster_that_does_not_answer_ends_nothing(tmp_path: Path) -> None:
    """A log that cannot be had is not kept, and the canary goes on."""
    found = scene(tmp_path, canary_1="ab-5\n")
    found.cluster.broken = True
    assert [] == kept(found, PodLogs(found.ctx), [BAD])["lines"]


def test_exemplars_are_those_of_the_requests(tmp_path: Path) -> None:
    """Of what Prometheus keeps, what names a request that is looked for, once."""
    found = scene(tmp_path)
    seconds = START.timestamp() + 5
    found.metrics.kept_exemplars = (
        Exemplar({"__name__": "x_bucket"}, {"trace": "ab-5"}, 0.2, seconds),
        Exemplar({"__name__": "x_bucket"}, {"trace": "other"}, 0.1, seconds),
    )
    told = kept(found, PodLogs(found.ctx), [BAD])["exemplars"]
    assert [("ab-5", 0.2)] == [(one["request_id"], one["value"]) for one in told]


def test_requests_without_failures_have_their_slowest_looked_up() -> None:
    """All that failed, and the slowest of the others; one without an id cannot be looked up."""
    slow = [replace(GOOD, request_id=f"s-{number}", latency_s=number / 10) for number in range(9)]
    assert {"ab-5", "s-8", "s-7"} == set(looked_up([BAD, *slow], slowest=2))
    assert {} == looked_up([answer(1, cause=Cause.RESET)])


@pytest.mark.parametrize(
    ("reads", "lines", "cut"),
    [
        (("a", "ab", "abc"), "abc", False),
        (("a", "a", "a"), "a", False),
        (("abc", "x"), "abcx", False),
        (("ab", "x", "xy"), "abxy", False),
        (("abcd", "bcde"), "bcde", True),
        (("abcd", "wxyz"), "wxyz", True),
        (("abc", "xyz"), "cxyz", True),
    ],
)
def test_a_log_that_is_read_again_is_joined(reads: tuple[str, ...], lines: str, cut: bool) -> None:
    """Longer, begun anew by another container, or beyond the four lines that are kept here."""
    log = PodLog()
    for read in reads:
        log.add(list(read), limit=4)
    assert (lines, cut) == ("".join(log.lines), log.cut)
